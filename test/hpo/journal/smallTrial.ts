// A trial by hand; apart from the arbitrary ones, since writers that are killed should start quickly.

import type { FrozenTrial } from '../../../hpo/study/index.ts';

/** A small finished trial. */
export const smallTrial = (number: number): FrozenTrial => ({
  id: number + 10,
  number,
  state: 'COMPLETE',
  values: [number / 3],
  params: new Map([
    ['é', { value: 0.1, distribution: { kind: 'float', low: 0, high: 1, step: null, log: false } }],
  ]),
  reports: new Map([[0, Number.NaN]]),
  userAttributes: new Map([['note', 'two\nlines']]),
  systemAttributes: new Map(),
  startedAt: 1,
  completedAt: 2,
});
