// PSR: the probability that the true Sharpe ratio exceeds a benchmark. Two conventions, printed side
// by side; they differ a lot on short and skewed records.

import { normalCdf } from './normal.ts';
import type { SharpeMoments } from './sharpeMoments.ts';
import { sharpeVariance2012, sharpeVariance2025 } from './sharpeVariance.ts';

/** A probability, what it was asked of, and how it was computed; goes into reports as it is. */
export interface ProbabilisticSharpe {
  readonly version: 'psr_2012_v1' | 'psr_2025_v1';
  readonly probability: number;
  /** per day */
  readonly benchmark_sharpe: number;
}

/**
 * Phi((SR - benchmark) sqrt(n - 1) / sqrt(1 - skew SR + (kurtosis - 1)/4 SR^2)).
 * @param benchmarkSharpe per day
 * @throws SluiceError `out_of_range` | `non_finite`
 * @source Bailey and Lopez de Prado 2012
 */
export function probabilisticSharpe(
  moments: SharpeMoments,
  benchmarkSharpe = 0,
): ProbabilisticSharpe {
  const deviation = Math.sqrt(sharpeVariance2012(moments) / (moments.n - 1));
  return {
    version: 'psr_2012_v1',
    probability: normalCdf((moments.sharpe - benchmarkSharpe) / deviation),
    benchmark_sharpe: benchmarkSharpe,
  };
}

/**
 * The same question with the variance taken at the benchmark, divided by n, and aware of autocorrelation.
 * @param benchmarkSharpe per day
 * @throws SluiceError `out_of_range` | `non_finite`
 * @source Lopez de Prado, Lipton and Zoonekynd 2025
 */
export function probabilisticSharpe2025(
  moments: SharpeMoments,
  benchmarkSharpe = 0,
): ProbabilisticSharpe {
  const deviation = Math.sqrt(sharpeVariance2025(moments, benchmarkSharpe) / moments.n);
  return {
    version: 'psr_2025_v1',
    probability: normalCdf((moments.sharpe - benchmarkSharpe) / deviation),
    benchmark_sharpe: benchmarkSharpe,
  };
}
