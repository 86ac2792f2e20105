// How long the blocks of a bootstrap should be, from the autocovariances of the series itself.
// Politis and White 2004, "Automatic block-length selection for the dependent bootstrap", with the
// correction of Patton, Politis and White 2009.

/**
 * Mean block length for the stationary bootstrap, in observations, within [1, min(3 sqrt n, n / 3)].
 * @param values [n] finite
 * @returns 1 for fewer than 10 values and for a series without variation
 */
export function automaticBlockLength(values: Float64Array): number {
  const n = values.length;
  if (n < 10 || values.every((value) => value === values[0])) return 1;
  const quiet = Math.max(5, Math.floor(Math.sqrt(Math.log10(n))));
  const lags = Math.min(n - 1, Math.ceil(Math.sqrt(n)) + quiet);
  const covariance = autocovariance(values, lags);
  const bandwidth = Math.min(2 * Math.max(1, lastLoudLag(covariance, n, quiet)), lags);
  let weighted = 0;
  let longRun = covariance[0]!;
  for (let k = 1; k <= bandwidth; k += 1) {
    const weight = Math.min(1, 2 * (1 - k / bandwidth));
    weighted += 2 * weight * k * covariance[k]!;
    longRun += 2 * weight * covariance[k]!;
  }
  if (longRun <= 0) return 1;
  const length = Math.cbrt((weighted / longRun) ** 2 * n);
  return Math.min(Math.max(1, length), Math.ceil(Math.min(3 * Math.sqrt(n), n / 3)));
}

/** Lags 0..lags, divided by n. */
function autocovariance(values: Float64Array, lags: number): Float64Array {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  return Float64Array.from({ length: lags + 1 }, (_, lag) => {
    let sum = 0;
    for (let i = lag; i < n; i += 1) sum += (values[i]! - mean) * (values[i - lag]! - mean);
    return sum / n;
  });
}

/** The lag after which `quiet` autocorrelations in a row are insignificant; the last lag if none is. */
function lastLoudLag(covariance: Float64Array, n: number, quiet: number): number {
  const limit = 2 * Math.sqrt(Math.log10(n) / n);
  let run = 0;
  for (let lag = 1; lag < covariance.length; lag += 1) {
    run = Math.abs(covariance[lag]! / covariance[0]!) < limit ? run + 1 : 0;
    if (run === quiet) return lag - quiet;
  }
  return covariance.length - 1;
}
