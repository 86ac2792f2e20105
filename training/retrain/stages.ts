// One bar for the whole job: each stage has its share of the time, and reports inside its share.

import type { Progress } from '../../core/index.ts';

/** Name of a stage and its share of the whole, measured on a typical run. */
export type Stage = readonly [name: string, share: number];

/** Gives the progress of each stage as a part of one progress. */
export function stagedProgress(
  whole: Progress,
  stages: readonly Stage[],
): (name: string) => Progress {
  const total = stages.reduce((sum, [, share]) => sum + share, 0);
  return (name) => {
    const at = stages.findIndex(([stage]) => stage === name);
    const before = stages.slice(0, at).reduce((sum, [, share]) => sum + share, 0);
    const share = stages[at]?.[1] ?? 0;
    return {
      update: (detail, doneFrac, note) =>
        whole.update(`${name}: ${detail}`, (before + share * doneFrac) / total, note),
    };
  };
}
