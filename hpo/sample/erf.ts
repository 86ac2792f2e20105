// The error function and its complement to within an ulp, which JavaScript's Math lacks.
// Intervals and coefficients are those of the rational approximations in Sun's fdlibm, file s_erf.c:
// Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Developed at SunPro, a Sun Microsystems, Inc. business.
// Permission to use, copy, modify, and distribute this software is freely granted, provided that this notice is preserved.

/** erf(1), to 24 bits: what remains is approximated. */
const near1 = 0.8450629115104675;

/** |x| < 0.84375: erf(x) = x + x * small(x^2). */
const small = (x: number): number =>
  (0.12837916709551256 +
    x *
      (-0.3250421072470015 +
        x * (-0.02848174957559851 + x * (-0.005770270296489442 + x * -2.3763016656650163e-5)))) /
  (1 +
    x *
      (0.39791722395915535 +
        x *
          (0.0650222499887673 +
            x *
              (0.005081306281875766 + x * (0.00013249473800432164 + x * -3.960228278775368e-6)))));
/** 0.84375 <= |x| < 1.25: erf(|x|) = near1 + around1(|x| - 1). */
const around1 = (x: number): number =>
  (-0.0023621185607526594 +
    x *
      (0.41485611868374833 +
        x *
          (-0.3722078760357013 +
            x *
              (0.31834661990116175 +
                x *
                  (-0.11089469428239668 +
                    x * (0.035478304325618236 + x * -0.002166375594868791)))))) /
  (1 +
    x *
      (0.10642088040084423 +
        x *
          (0.540397917702171 +
            x *
              (0.07182865441419627 +
                x *
                  (0.12617121980876164 + x * (0.01363708391202905 + x * 0.011984499846799107))))));
/** 1.25 <= |x| < 1 / 0.35: erfc(|x|) = exp(-x^2 - 0.5625 + medium(1 / x^2)) / |x|. */
const medium = (x: number): number =>
  (-0.009864944034847148 +
    x *
      (-0.6938585727071818 +
        x *
          (-10.558626225323291 +
            x *
              (-62.375332450326006 +
                x *
                  (-162.39666946257347 +
                    x *
                      (-184.60509290671104 +
                        x * (-81.2874355063066 + x * -9.814329344169145))))))) /
  (1 +
    x *
      (19.651271667439257 +
        x *
          (137.65775414351904 +
            x *
              (434.56587747522923 +
                x *
                  (645.3872717332679 +
                    x *
                      (429.00814002756783 +
                        x *
                          (108.63500554177944 +
                            x * (6.570249770319282 + x * -0.0604244152148581))))))));
/** 1 / 0.35 <= |x| < 28: the same formula with large(1 / x^2). */
const large = (x: number): number =>
  (-0.0098649429247001 +
    x *
      (-0.799283237680523 +
        x *
          (-17.757954917754752 +
            x *
              (-160.63638485582192 +
                x * (-637.5664433683896 + x * (-1025.0951316110772 + x * -483.5191916086514)))))) /
  (1 +
    x *
      (30.33806074348246 +
        x *
          (325.7925129965739 +
            x *
              (1536.729586084437 +
                x *
                  (3199.8582195085955 +
                    x *
                      (2553.0504064331644 + x * (474.52854120695537 + x * -22.44095244658582)))))));

/** Error function, 2 / sqrt(pi) * integral of exp(-t^2) from 0 to x. */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (size < 0.84375) return x + x * small(x * x);
  if (size < 1.25) return Math.sign(x) * (near1 + around1(size - 1));
  if (size < 6) return Math.sign(x) * (1 - tail(size));
  return Math.sign(x);
}

/** Complement of the error function, 1 - erf(x), to full relative precision where it is small. */
export function erfc(x: number): number {
  const size = Math.abs(x);
  if (size < 0.84375) {
    const correction = x * small(x * x);
    return x < 0.25 ? 1 - (x + correction) : 0.5 - (correction + (x - 0.5));
  }
  if (size < 1.25) {
    const rest = around1(size - 1);
    return x > 0 ? 1 - near1 - rest : 1 + (near1 + rest);
  }
  if (x < -6) return 2;
  if (size < 28) return x > 0 ? tail(size) : 2 - tail(size);
  return x > 0 ? 0 : x < 0 ? 2 : Number.NaN;
}

/** erfc(x) for x in [1.25, 28]. */
function tail(x: number): number {
  const correction = x < 1 / 0.35 ? medium(1 / (x * x)) : large(1 / (x * x));
  // x^2 is rounded, and exp would magnify that: the square of a 24-bit number is exact, the rest is added.
  const head = Math.fround(x);
  const rest = (head - x) * (head + x);
  return (Math.exp(-head * head - 0.5625) * Math.exp(rest + correction)) / x;
}
