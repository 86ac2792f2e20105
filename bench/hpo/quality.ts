// What a search finds in 100 trials: TPE on functions whose least value is known, over seeds, against Optuna with the same
// seeds; one trial at a time, and as in a deterministic run, where a trial learns nothing from the last few.

import { fixedSampler } from '../../hpo/run/fixedView.ts';
import { tpeSampler } from '../../hpo/sample/index.ts';
import { openMemoryStorage } from '../../hpo/storage/index.ts';
import {
  bestTrial,
  createStudy,
  optimize,
  type Sampler,
  type Trial,
} from '../../hpo/study/index.ts';
import { askOptuna } from './optuna.ts';

interface TestFunction {
  readonly dims: number;
  readonly low: number;
  readonly high: number;
  readonly least: number;
  readonly at: (x: readonly number[]) => number;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** As in Surjanovic and Bingham, "Virtual library of simulation experiments"; ranges moved off the middle of the optimum. */
const functions: Readonly<Record<string, TestFunction>> = {
  sphere: { dims: 5, low: -4, high: 6, least: 0, at: (x) => sum(x.map((v) => v * v)) },
  rosenbrock: {
    dims: 4,
    low: -2,
    high: 3,
    least: 0,
    at: (x) => sum(x.slice(1).map((v, i) => 100 * (v - x[i]! ** 2) ** 2 + (1 - x[i]!) ** 2)),
  },
  ackley: {
    dims: 5,
    low: -12,
    high: 20,
    least: 0,
    at: (x) =>
      -20 * Math.exp(-0.2 * Math.sqrt(sum(x.map((v) => v * v)) / x.length)) -
      Math.exp(sum(x.map((v) => Math.cos(2 * Math.PI * v))) / x.length) +
      20 +
      Math.E,
  },
  styblinski_tang: {
    dims: 5,
    low: -5,
    high: 5,
    least: -39.16616570377142 * 5,
    at: (x) => sum(x.map((v) => v ** 4 - 16 * v ** 2 + 5 * v)) / 2,
  },
};

const window = 8;

/** Compares regrets (best value less the least there is) seed by seed. */
export async function compareQuality(seeds: number, trials: number) {
  const theirs = askOptuna('quality', seeds, trials) as Record<string, number[]> | null;
  const results: Record<string, unknown> = {};
  for (const [name, test] of Object.entries(functions)) {
    const plain = await regrets(test, seeds, trials, (seed) => tpeSampler({ seed }));
    const fixed = await regrets(test, seeds, trials, (seed) =>
      fixedSampler(tpeSampler({ seed, perTrial: true }), window),
    );
    const peer = theirs?.[name]?.map((best) => best - test.least);
    results[name] = {
      ours: summary(plain),
      deterministic: summary(fixed),
      ...(peer && {
        optuna: summary(peer),
        ours_worse_p: worseP(plain, peer),
        deterministic_worse_p: worseP(fixed, peer),
      }),
    };
  }
  return { seeds, trials, window, functions: results };
}

async function regrets(
  test: TestFunction,
  seeds: number,
  trials: number,
  samplerOf: (seed: number) => Sampler,
): Promise<number[]> {
  const found: number[] = [];
  for (let seed = 0; seed < seeds; seed += 1) {
    const study = await createStudy({
      storage: openMemoryStorage(),
      name: 'bench',
      directions: ['MINIMIZE'],
      sampler: samplerOf(seed),
      clock: () => 0,
    });
    const objective = (trial: Trial) => {
      const x = Array.from({ length: test.dims }, (_, i) =>
        trial.suggestFloat(`x${i}`, test.low, test.high),
      );
      return test.at(x);
    };
    await optimize(study, objective, { trials });
    found.push(bestTrial(await study.snapshot())!.values![0]! - test.least);
  }
  return found;
}

function summary(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b);
  return { median_regret: sorted[sorted.length >> 1], worst_regret: sorted.at(-1) };
}

/**
 * Chance of ranks as bad for us as these if neither were better: Wilcoxon's signed-rank test, one-sided, exact. Regrets that
 * are equal to 1e-6 count as equal.
 */
export function worseP(ours: readonly number[], theirs: readonly number[]): number {
  const differences = ours
    .map((value, i) => Math.log(value / theirs[i]!))
    .filter((difference) => Math.abs(difference) > 1e-6)
    .sort((a, b) => Math.abs(a) - Math.abs(b));
  const worse = sum(differences.map((difference, i) => (difference > 0 ? i + 1 : 0)));
  // ways to reach each rank sum
  let ways = [1];
  for (let rank = 1; rank <= differences.length; rank += 1) {
    const next = Array<number>(ways.length + rank).fill(0);
    ways.forEach((count, total) => {
      next[total]! += count;
      next[total + rank]! += count;
    });
    ways = next;
  }
  return sum(ways.slice(worse)) / 2 ** differences.length;
}
