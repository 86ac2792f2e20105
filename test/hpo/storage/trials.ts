// Trials and samplers for the tests of storages and studies.

import {
  categoricalDistribution,
  type FrozenTrial,
  floatDistribution,
  intDistribution,
  type Json,
  type Sampler,
  type TrialChanges,
  type TrialDraft,
} from '../../../hpo/study/index.ts';

/** Chooses the middle of a range, or the last choice: enough where the choice is not what is tested. */
export const middle: Sampler = {
  relative: () => new Map(),
  independent: (_study, _trial, _name, distribution) => {
    if (distribution.kind === 'categorical') return distribution.choices.length - 1;
    const { low, high, step } = distribution;
    const width = step ?? 0;
    return width === 0 ? (low + high) / 2 : low + Math.floor((high - low) / width / 2) * width;
  },
};

export const noChanges: TrialChanges = {
  params: new Map(),
  reports: new Map(),
  userAttributes: new Map(),
  systemAttributes: new Map(),
};

/** Every kind of parameter, report and attribute that a trial can have. */
export const everything: TrialChanges = {
  params: new Map([
    ['zeta', { value: 0.1 + 0.2, distribution: floatDistribution(0, 1) }],
    ['rate', { value: 1e-5, distribution: floatDistribution(1e-7, 0.1, { log: true }) }],
    ['stepped', { value: 0.3, distribution: floatDistribution(0, 0.95, { step: 0.1 }) }],
    ['depth', { value: 7, distribution: intDistribution(1, 10, { step: 2 }) }],
    ['leaves', { value: 31, distribution: intDistribution(2, 256, { log: true }) }],
    ['mix', { value: 3, distribution: categoricalDistribution(['a', null, true, 1.5, 3]) }],
    ['alone', { value: 5e-324, distribution: floatDistribution(-1.7e308, 1.7e308) }],
  ]),
  reports: new Map([
    [0, Number.NaN],
    [1, Number.POSITIVE_INFINITY],
    [2, Number.NEGATIVE_INFINITY],
    [10, -0.1],
    [9, 1e-300],
  ]),
  userAttributes: new Map<string, Json>([
    ['note', 'naïve "quotes" \\ and NaN, Infinity \n 🙂'],
    ['nested', { list: [1, 2.5, null, true], empty: {} }],
  ]),
  systemAttributes: new Map<string, Json>([['constraints', [-1, 0.5]]]),
};

/** A trial that waits with these parameters. */
export const waiting = (fixed: Readonly<Record<string, Json>>): TrialDraft => ({
  ...noChanges,
  systemAttributes: new Map([['fixed_params', fixed]]),
  state: 'WAITING',
  values: null,
  startedAt: null,
  completedAt: null,
});

/** A trial in a form that can be compared: maps as lists in their order. */
export const plain = (trial: FrozenTrial) => ({
  ...trial,
  params: [...trial.params],
  reports: [...trial.reports],
  userAttributes: [...trial.userAttributes].sort(([a], [b]) => (a < b ? -1 : 1)),
  systemAttributes: [...trial.systemAttributes].sort(([a], [b]) => (a < b ? -1 : 1)),
});
