// A study in memory that drives samplers as Optuna's does, in rounds of several workers: the twin of optuna_studies.py.

import type {
  Direction,
  Distribution,
  FrozenTrial,
  Json,
  Sampler,
  StudySnapshot,
  TrialParam,
  TrialState,
} from '../../../hpo/study/index.ts';
import {
  categoricalDistribution,
  contains,
  floatDistribution,
  intDistribution,
  isSingle,
} from '../../../hpo/study/index.ts';

/** How a study is driven; the words of optuna_studies.py. */
export interface Case {
  readonly space: string;
  readonly trials: number;
  readonly workers: number;
  readonly directions: readonly string[];
  readonly prune: boolean;
  readonly constraints: boolean;
  readonly fail: boolean;
}

/** Asks for a parameter: its internal value. */
export type Ask = (name: string, distribution: Distribution) => number;

const [float, int, choice] = [floatDistribution, intDistribution, categoricalDistribution];

/** The parameters of a search space, as numbers. */
const spaces: Readonly<Record<string, (ask: Ask, number: number) => number[]>> = {
  floats: (ask) => [ask('x', float(-5, 5)), ask('y', float(0, 1)), ask('z', float(-1e-3, 1e3))],
  steps: (ask) => [
    ask('s', float(0, 2, { step: 0.25 })),
    ask('n', int(1, 40, { step: 3 })),
    ask('m', int(0, 4)),
  ],
  moving: (ask, number) => {
    const k = Math.floor(number / 30);
    return [
      ask('x', float(3 * k - 5, 3 * k + 5)),
      ask('n', int(1 + 20 * k, 40 + 20 * k)),
      ask('lr', float(2 ** (3 * k - 9), 2 ** (3 * k), { log: true })),
    ];
  },
  choices: (ask) => [
    ask('a', choice([0, 1, 2])),
    ask('b', choice([0, 1])),
    ask('c', choice([0, 1, 2, 3, 4, 5, 6, 7, 8])),
  ],
  conditional: (ask, number) => {
    const kind = ask('kind', choice(['a', 'b', null, 2.5]));
    const x = ask('x', float(-5, 5));
    const rest = kind < 2 ? ask('n', int(1, 9)) : ask('only', float(0, 5 + (number % 2)));
    return [x, kind, rest, ask('single', int(3, 3))];
  },
  mixed: (ask) => [
    ask('x', float(-5, 5)),
    ask('lr', float(1e-5, 1e-1, { log: true })),
    ask('step', float(0, 2, { step: 0.25 })),
    ask('n', int(1, 40)),
    ask('leaves', int(4, 512, { log: true })),
    ask('kind', choice(['a', 'b', 'c'])),
  ],
};

function objective(values: readonly number[], i: number): number {
  let total = 0;
  values.forEach((x, j) => {
    const d = x - ((j + 1) * (1 + i)) / 4;
    total += (d * d) / (1 + ((j * 7 + i * 3) % 5));
  });
  return total;
}

/** A trial that runs. */
export interface RunningTrial extends FrozenTrial {
  readonly params: Map<string, TrialParam>;
  readonly systemAttributes: Map<string, Json>;
}

/** A trial before anything is known of it. */
export const newTrial = (number: number): RunningTrial => ({
  id: number + 1,
  number,
  state: 'RUNNING',
  values: null,
  params: new Map(),
  reports: new Map(),
  userAttributes: new Map(),
  systemAttributes: new Map(),
  startedAt: 0,
  completedAt: null,
});

/** What a trial asks its sampler, as Optuna's `Trial._suggest`. */
export function askOf(sampler: Sampler, snapshot: () => StudySnapshot, trial: RunningTrial): Ask {
  let relative: ReadonlyMap<string, TrialParam> | null = null;
  return (name, distribution) => {
    const choose = () => {
      if (isSingle(distribution)) return distribution.kind === 'categorical' ? 0 : distribution.low;
      if (relative === null) {
        relative = sampler.relative(snapshot(), trial);
        const remembered = sampler.remember?.(snapshot(), trial, relative) ?? new Map();
        for (const [key, value] of remembered) trial.systemAttributes.set(key, value);
      }
      const known = relative.get(name)?.value;
      const isUsable = known !== undefined && contains(distribution, known);
      return isUsable ? known : sampler.independent(snapshot(), trial, name, distribution);
    };
    const value = choose();
    trial.params.set(name, { value, distribution });
    return value;
  };
}

/** Drives a study and returns what was suggested: internal values for each trial, in the order of asking. */
export function drive(sampler: Sampler, how: Case, trials = how.trials): number[][] {
  const directions = how.directions.map((name) => name.toUpperCase() as Direction);
  const all: FrozenTrial[] = [];
  const snapshot = (): StudySnapshot => ({ name: 's', directions, trials: all });
  while (all.length < trials) {
    const running = Array.from({ length: how.workers }, () => {
      const trial = newTrial(all.length);
      all.push(trial);
      const values = spaces[how.space]!(askOf(sampler, snapshot, trial), trial.number);
      return { trial, values };
    });
    for (const { trial, values } of running) all[trial.number] = told(trial, values, how);
  }
  return all.slice(0, trials).map((trial) => [...trial.params.values()].map(({ value }) => value));
}

function told(trial: RunningTrial, values: readonly number[], how: Case): FrozenTrial {
  const { number } = trial;
  if (how.constraints) {
    trial.systemAttributes.set('constraints', [values[0]! - 1.5, 0.25 - values[1]!]);
  }
  const results = how.directions.map((_, i) => objective(values, i));
  const end = (state: TrialState, rest: Partial<FrozenTrial>) => ({ ...trial, state, ...rest });
  if (how.fail && number % 7 === 3) return end('FAIL', {});
  if (!how.prune || number % 3 !== 1) return end('COMPLETE', { values: results });
  const reports = Array.from({ length: number % 4 }, (_, step): [number, number] => [
    step,
    number % 8 === 6 ? Number.NaN : results[0]! / (step + 1),
  ]);
  return end('PRUNED', { reports: new Map(reports) });
}
