// How far a training is and how fast it goes, for people. Reads a clock; nothing that is computed depends on it.

import type { Progress } from '../../core/index.ts';

/** Tells how far a training is. */
export interface Meter {
  /**
   * @param epoch the one at work, counted from 1
   * @param steps made by each member that still trains, since the start of the training; may be a fraction
   * @param loss the least one after the last epoch; null = none yet
   */
  update(epoch: number, steps: number, loss: number | null): void;
}

/** A meter of `epochs` epochs that begins now, after `first` steps that were made earlier. */
export function startMeter(
  progress: Progress,
  { epochs, epochSteps, first }: { epochs: number; epochSteps: number; first: number },
): Meter {
  const startMs = performance.now();
  const total = epochs * epochSteps;
  return {
    update(epoch, steps, loss) {
      const rate = (1000 * (steps - first)) / Math.max(performance.now() - startMs, 1);
      const notes = [`epoch ${epoch}/${epochs}`];
      if (loss !== null) notes.push(`loss ${loss.toPrecision(4)}`);
      if (rate > 0)
        notes.push(`${shortNumber(rate)} steps/s, ${left((total - steps) / rate)} left`);
      progress.update('tsmixer', steps / total, notes.join(', '));
    },
  };
}

const shortNumber = (rate: number): string => (rate < 10 ? rate.toFixed(1) : rate.toFixed(0));

const left = (seconds: number): string =>
  seconds < 120 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
