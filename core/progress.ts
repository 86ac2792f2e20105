// How long work speaks: a stage name and the share done. Who draws it is not the worker's business.

/** Receives progress; the default receiver is {@link silent}. */
export interface Progress {
  /** @param stage short name, e.g. `fold 2/5`  @param doneFrac share done in [0, 1]  @param note short figure to show */
  update(stage: string, doneFrac: number, note?: string): void;
}

/** Says nothing. */
export const silent: Progress = { update() {} };
