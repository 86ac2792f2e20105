// Which trials run next, and when: one question at a time, so that numbers are given in order whoever asks.

import { setTimeout as delay } from 'node:timers/promises';
import {
  type Distribution,
  type FrozenTrial,
  isFinished,
  type Study,
  type Trial,
} from '../study/index.ts';

/** What decides what runs next. */
export interface DispatchOptions {
  readonly study: Study;
  readonly space: Readonly<Record<string, Distribution>>;
  /** trials that the study shall have */
  readonly trials: number;
  /** trials to give at once, if there are so many */
  readonly batch: number;
  /** a trial waits until those up to its number less this are finished; null = for none */
  readonly window: number | null;
  /** once it fires nothing is given any more */
  readonly stop: AbortSignal;
}

/** Gives trials to run. */
export interface Dispatcher {
  /** @returns trials that run now; null if there is nothing more to run */
  next(): Promise<readonly Trial[] | null>;
  /** Tells that trials have ended. */
  ended(trials: readonly Trial[]): void;
  /** trials that were given and have not ended, by number */
  readonly running: ReadonlyMap<number, Trial>;
  /** whether the sampler had nothing left */
  isExhausted(): boolean;
}

/** How often a run that has nothing more to run looks at the trials that others run. */
const lookMs = 500;

/** A dispatcher of a study. */
export function createDispatcher(options: DispatchOptions): Dispatcher {
  const { study, space, batch, window, stop } = options;
  const running = new Map<number, Trial>();
  let isExhausted = false;
  let changed = Promise.withResolvers<void>();
  const wake = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  stop.addEventListener('abort', wake, { once: true });

  /** Numbers that `ask` would give next: those that wait, then new ones. */
  const due = async (trials: readonly FrozenTrial[]): Promise<readonly number[]> => {
    const waiting = trials.filter(({ state }) => state === 'WAITING').slice(0, batch);
    const numbers = waiting.map(({ number }) => number);
    if (numbers.length === 0) {
      isExhausted = await study.isExhausted();
      if (isExhausted) return [];
    }
    for (let number = trials.length; number < options.trials; number += 1) {
      if (numbers.length === batch) break;
      numbers.push(number);
    }
    return numbers;
  };
  const mayStart = (trials: readonly FrozenTrial[], last: number): boolean =>
    window === null ||
    trials.slice(0, Math.max(0, last - window + 1)).every(({ state }) => isFinished(state));

  const next = async (): Promise<readonly Trial[] | null> => {
    for (let looks = 0; !stop.aborted; ) {
      const heard = changed.promise;
      const { trials } = await study.snapshot();
      const numbers = await due(trials);
      if (numbers.length === 0) {
        const others = trials.some((t) => t.state === 'RUNNING' && !running.has(t.number));
        // after a whole lease those that still run are alive
        if (study.leaseMs === null || !others || looks * lookMs > study.leaseMs) return null;
        looks += 1;
        await delay(lookMs, undefined, { signal: stop }).catch(() => {});
        await study.reclaim();
      } else if (mayStart(trials, numbers.at(-1)!)) {
        return await ask(numbers.length);
      } else {
        await heard;
      }
    }
    return null;
  };
  const ask = async (count: number): Promise<readonly Trial[]> => {
    const trials: Trial[] = [];
    while (trials.length < count) {
      const trial = await study.ask(space);
      running.set(trial.number, trial);
      trials.push(trial);
    }
    return trials;
  };

  let last: Promise<unknown> = Promise.resolve();
  return {
    next() {
      const turn = last.then(next);
      last = turn.catch(() => {});
      return turn;
    },
    ended(trials) {
      for (const { number } of trials) running.delete(number);
      wake();
    },
    running,
    isExhausted: () => isExhausted,
  };
}
