// What is read off trials between stages: which go on, how far around them the next stage looks, why some failed.

import {
  type Distribution,
  type FrozenTrial,
  floatDistribution,
  intDistribution,
  isFeasible,
  type ParamValue,
  toExternal,
} from '../study/index.ts';

/** Feasible COMPLETE trials, the best first value first; of equals the earlier. */
export const ranked = (trials: readonly FrozenTrial[]): readonly FrozenTrial[] =>
  byValue(trials.filter(isFeasible));

/** COMPLETE trials, the best first value first; of equals the earlier. */
export const byValue = (trials: readonly FrozenTrial[]): readonly FrozenTrial[] =>
  trials
    .filter((trial) => trial.state === 'COMPLETE')
    .sort((a, b) => b.values![0]! - a.values![0]! || a.number - b.number);

/** Parameters as an objective sees them. */
export const paramsOf = (trial: FrozenTrial): Readonly<Record<string, ParamValue>> =>
  Object.fromEntries(
    [...trial.params].map(([name, { value, distribution }]) => [
      name,
      toExternal(distribution, value),
    ]),
  );

/** Why a trial failed, where that is known; Optuna keeps it under the same name. */
export function failReasonOf({ systemAttributes }: FrozenTrial): string | null {
  const reason = systemAttributes.get('fail_reason');
  return typeof reason === 'string' ? reason : null;
}

/**
 * The space around some trials: from their smallest to their largest value of each number, and a margin on both sides.
 * Choices stay as they are.
 * @param marginFrac share of the parameter's range, in the logarithm where that is uniform
 */
export function spaceAround(
  space: Readonly<Record<string, Distribution>>,
  trials: readonly FrozenTrial[],
  marginFrac: number,
): Readonly<Record<string, Distribution>> {
  return Object.fromEntries(
    Object.entries(space).map(([name, distribution]) => {
      const values = trials.flatMap((trial) => trial.params.get(name)?.value ?? []);
      return [name, values.length === 0 ? distribution : around(distribution, values, marginFrac)];
    }),
  );
}

function around(distribution: Distribution, values: readonly number[], marginFrac: number) {
  if (distribution.kind === 'categorical') return distribution;
  const { low, high, log, step } = distribution;
  const [scale, back] = log ? [Math.log, Math.exp] : [Number, Number];
  const margin = marginFrac * (scale(high) - scale(low));
  const least = Math.max(low, back(scale(Math.min(...values)) - margin));
  const most = Math.min(high, back(scale(Math.max(...values)) + margin));
  if (distribution.kind === 'int') {
    const onStep = (value: number) => low + Math.round((value - low) / step!) * step!;
    return intDistribution(onStep(least), onStep(most), log ? { log } : { step: step! });
  }
  if (step === null) return floatDistribution(least, most, { log });
  const from = low + Math.floor((least - low) / step) * step;
  return floatDistribution(from, most, { step });
}
