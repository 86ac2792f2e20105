// The messages between a run and its processes, beside those of worker-farm, which leaves alone what has another owner.

import type { TrialOrder } from './types.ts';

/** What a process is called with. */
export interface Request {
  /** path of the objectives' module */
  readonly module: string;
  readonly isBatch: boolean;
  /** told back when the process begins */
  readonly call: number;
  readonly orders: readonly TrialOrder[];
}

/** Marks our messages. */
export const owner = 'sluice';

/** From a process: it begins with its orders, or a trial reports a value and asks whether to give up. */
export type FromWorker =
  | { readonly owner: typeof owner; readonly kind: 'began'; readonly call: number }
  | {
      readonly owner: typeof owner;
      readonly kind: 'report';
      readonly ask: number;
      readonly number: number;
      readonly step: number;
      readonly value: number;
    };

/** To a process: the answer to a report. */
export interface ToWorker {
  readonly owner: typeof owner;
  readonly ask: number;
  readonly prune: boolean;
  /** what is wrong with the report; null = nothing */
  readonly fault: string | null;
}

/** What an evaluation of orders came to, as a process answers. */
export type Answer =
  /** still to be checked: the module's own */
  | { readonly kind: 'found'; readonly outcomes: readonly unknown[] }
  | { readonly kind: 'failed'; readonly reason: string }
  /** the module cannot be used for any trial */
  | { readonly kind: 'unusable'; readonly reason: string };
