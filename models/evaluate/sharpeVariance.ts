// n times the variance of an estimated Sharpe ratio when returns are not normal, in two conventions.

import { SluiceError } from '../../core/index.ts';
import type { SharpeMoments } from './sharpeMoments.ts';

/**
 * Variance at the ESTIMATED ratio, for independent returns; to be divided by n - 1.
 * @throws SluiceError `out_of_range` if the moments belong to no distribution
 * @source Bailey and Lopez de Prado 2012, "The Sharpe Ratio Efficient Frontier", eq. 8
 */
export function sharpeVariance2012(moments: SharpeMoments): number {
  const { sharpe, skew, kurtosis } = checkMoments(moments);
  return positive(1 - skew * sharpe + ((kurtosis - 1) / 4) * sharpe * sharpe, moments);
}

/**
 * Variance at the ratio of the NULL hypothesis, for returns with lag-1 autocorrelation; to be divided by n.
 * @throws SluiceError `out_of_range` if the moments belong to no distribution
 * @source Lopez de Prado, Lipton and Zoonekynd 2025, "How to use the Sharpe ratio"
 */
export function sharpeVariance2025(moments: SharpeMoments, nullSharpe: number): number {
  const { skew, kurtosis, autocorrelation: r } = checkMoments(moments);
  const first = (1 + r) / (1 - r);
  const mixed = 1 + r / (1 - r) + (r * r) / (1 - r * r);
  const second = (1 + r * r) / (1 - r * r);
  const variance =
    first - mixed * skew * nullSharpe + ((second * (kurtosis - 1)) / 4) * nullSharpe * nullSharpe;
  return positive(variance, moments);
}

function checkMoments(moments: SharpeMoments): SharpeMoments {
  const { n, sharpe, skew, kurtosis, autocorrelation } = moments;
  if (![n, sharpe, skew, kurtosis, autocorrelation].every(Number.isFinite)) {
    throw new SluiceError('non_finite', 'Moments of returns must be finite.', { moments });
  }
  if (n < 2 || kurtosis < 1 || Math.abs(autocorrelation) >= 1) {
    throw new SluiceError(
      'out_of_range',
      `Moments need n >= 2, kurtosis >= 1 (a normal has 3) and |autocorrelation| < 1; found ${n}, ${kurtosis}, ${autocorrelation}.`,
      { moments },
    );
  }
  return moments;
}

function positive(variance: number, moments: SharpeMoments): number {
  if (variance > 0) return variance;
  throw new SluiceError(
    'out_of_range',
    `The variance of the Sharpe ratio must be positive; these moments give ${variance}.`,
    { moments },
  );
}
