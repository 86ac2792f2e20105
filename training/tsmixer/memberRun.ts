// What is remembered of a member while it trains: its losses, its best epoch, and whether it goes on.

import type { TsmixerEpoch } from './types.ts';

/** A member between two epochs. */
export interface MemberRun {
  readonly history: readonly TsmixerEpoch[];
  /** 0 = none yet */
  readonly bestEpoch: number;
  /** [P] parameters after the best epoch; null = none yet */
  readonly best: Float32Array | null;
  /** false once patience has run out */
  readonly active: boolean;
}

/** A member before its first epoch. */
export const newMemberRun: MemberRun = { history: [], bestEpoch: 0, best: null, active: true };

/**
 * The member after one more epoch. The best epoch has the smallest stopping loss, the earliest of equals; without
 * stopping samples it is the last one.
 * @param parameters reads the member's parameters, asked only if the epoch is the best so far
 */
export function afterEpoch(
  run: MemberRun,
  losses: Omit<TsmixerEpoch, 'epoch'>,
  patience: number,
  parameters: () => Float32Array,
): MemberRun {
  const epoch = run.history.length + 1;
  const history = [...run.history, { epoch, ...losses }];
  const least = run.history[run.bestEpoch - 1]?.stop ?? null;
  const better = losses.stop === null || least === null || losses.stop < least;
  if (better) return { history, bestEpoch: epoch, best: parameters(), active: true };
  const active = patience === 0 || epoch - run.bestEpoch < patience;
  return { ...run, history, active };
}
