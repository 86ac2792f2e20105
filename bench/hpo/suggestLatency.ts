// How long TPE takes to suggest ten parameters after a thousand trials. Both samplers see the same history and are timed
// alone, without storage; where no two values are equal their suggestions must agree, or the times mean nothing.

import { randomSampler, tpeSampler } from '../../hpo/sample/index.ts';
import {
  categoricalDistribution,
  type Distribution,
  type FrozenTrial,
  floatDistribution,
  intDistribution,
  type Sampler,
  type StudySnapshot,
  type TrialParam,
  unstarted,
} from '../../hpo/study/index.ts';
import { summarise } from '../harness.ts';
import { askOptuna } from './optuna.ts';

const wantedMs = 1;

const floats = Array.from({ length: 10 }, () => floatDistribution(-5, 5));
const mixed = [
  ...floats.slice(0, 4),
  floatDistribution(1e-5, 0.1, { log: true }),
  floatDistribution(1e-8, 1, { log: true }),
  floatDistribution(0, 2, { step: 0.25 }),
  intDistribution(1, 40),
  intDistribution(4, 512, { log: true }),
  categoricalDistribution(['a', 'b', 'c']),
];

/** The words that the peer knows these by. */
const cases = [
  { space: 'floats', distributions: floats, multivariate: true },
  { space: 'mixed', distributions: mixed, multivariate: true },
  { space: 'mixed', distributions: mixed, multivariate: false },
] as const;

/** Measures each case; the bar is the default: parameters chosen together. */
export function measureSuggestLatency(trials: number, suggestions: number) {
  return cases.map(({ space, distributions, multivariate }) => {
    const ours = suggest(distributions, multivariate, trials, suggestions);
    const ourMs = summarise(ours.map(({ ms }) => ms)).median_s;
    const peer = askOptuna('suggest', space, Number(multivariate), trials, suggestions);
    const theirs = (peer?.suggestions ?? []) as { ms: number; values: number[] }[];
    if (space === 'floats') requireEqual(ours, theirs);
    const theirMs = peer === null ? null : summarise(theirs.map(({ ms }) => ms)).median_s;
    return {
      space,
      chosen: multivariate ? 'together' : 'one by one',
      parameters: distributions.length,
      after_trials: trials,
      suggestions,
      ms: ourMs,
      optuna_ms: theirMs,
      speed_ratio: theirMs === null ? null : theirMs / ourMs,
      wanted_ms: multivariate ? wantedMs : null,
      reached: multivariate ? ourMs <= wantedMs : null,
    };
  });
}

interface Suggestion {
  readonly ms: number;
  readonly values: readonly number[];
}

function suggest(
  distributions: readonly Distribution[],
  multivariate: boolean,
  trials: number,
  suggestions: number,
): Suggestion[] {
  const all: FrozenTrial[] = [];
  const study: StudySnapshot = { name: 'bench', directions: ['MINIMIZE'], trials: all };
  const next = (sampler: Sampler): Suggestion => {
    const trial = {
      ...unstarted,
      state: 'RUNNING' as const,
      startedAt: 0,
      id: all.length,
      number: all.length,
    };
    all.push(trial);
    const begin = process.hrtime.bigint();
    const relative = sampler.relative(study, trial);
    const params = distributions.map((distribution, i): [string, TrialParam] => {
      const name = `p${i}`;
      const known = relative.get(name);
      const value = known?.value ?? sampler.independent(study, trial, name, distribution);
      return [name, { value, distribution }];
    });
    const ms = Number(process.hrtime.bigint() - begin) / 1e6;
    const values = params.map(([, { value }]) => value);
    const loss = values.reduce((sum, x) => sum + x * x, 0);
    all[trial.number] = { ...trial, params: new Map(params), state: 'COMPLETE', values: [loss] };
    return { ms, values };
  };
  const random = randomSampler({ seed: 1 });
  for (let i = 0; i < trials; i += 1) next(random);
  const tpe = tpeSampler({ seed: 2, multivariate });
  return Array.from({ length: suggestions }, () => next(tpe));
}

function requireEqual(ours: readonly Suggestion[], theirs: readonly Suggestion[]): void {
  theirs.forEach(({ values }, i) => {
    const isEqual = values.every((x, j) => Math.abs(x - ours[i]!.values[j]!) <= 1e-9 * Math.abs(x));
    if (!isEqual) throw new Error(`Suggestion ${i} differs: ${ours[i]!.values}, not ${values}.`);
  });
}
