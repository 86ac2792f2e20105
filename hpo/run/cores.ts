// How the cores of a machine are shared out to the processes of a search.

/** Processes by default: two cores are left to others, and one is used at least. */
export const defaultWorkers = (cores: number): number => Math.max(1, cores - 2);

/**
 * Native threads of each process: together they are the cores, so that none is idle and none is wanted twice; with more
 * processes than cores, one each.
 * @returns [workers]
 */
export function shareCores(cores: number, workers: number): readonly number[] {
  const each = Math.floor(cores / workers);
  const left = cores % workers;
  return Array.from({ length: workers }, (_, slot) => Math.max(1, each + (slot < left ? 1 : 0)));
}
