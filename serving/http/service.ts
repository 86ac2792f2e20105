// The state behind the handlers: which model answers, in which phase of its life the process is, what is in flight.

import type { Clock } from '../../core/index.ts';
import type { LoadedModel } from '../load/index.ts';
import type { ServingMetrics } from '../monitor/index.ts';
import { type Answer, type Predict, type Refusal, refuse } from '../route/index.ts';

/** Bounds of what a caller may cost. */
export interface ServiceLimits {
  /** largest body, bytes */
  readonly maxBodyBytes: number;
  /** most rows of one request */
  readonly maxRows: number;
  /** most predictions between arrival and answer; what comes beyond is answered 503 */
  readonly maxInFlight: number;
}

/** What a service is made of. */
export interface ServiceOptions {
  readonly limits: ServiceLimits;
  readonly metrics: ServingMetrics;
  readonly predict: Predict;
  /** Unix ms */
  readonly clock: Clock;
  /** monotonic milliseconds */
  readonly monotonicMs: () => number;
  /** told of faults: answers 500 */
  readonly onFault: (error: unknown) => void;
}

/** loading: no model yet; ready; draining: answers what it has taken, takes nothing more. */
export type Phase = 'loading' | 'ready' | 'draining';

/** The living state of one serving process. */
export interface Service extends ServiceOptions {
  readonly phase: () => Phase;
  /** the model that answers, undefined before the first one is installed */
  readonly model: () => LoadedModel | undefined;
  /** Makes a verified model the one that answers. */
  readonly install: (model: LoadedModel) => void;
  /** Takes no more predictions. */
  readonly drain: () => void;
  /** Takes a place in flight, or says why there is none; a taken place is given back with {@link leave}. */
  readonly enter: () => Refusal | undefined;
  readonly leave: () => void;
}

/** A service without a model: live, not ready. */
export function createService(options: ServiceOptions): Service {
  const { metrics, limits } = options;
  let phase: Phase = 'loading';
  let current: LoadedModel | undefined;
  let inFlight = 0;
  metrics.watchInFlight(() => inFlight);
  return {
    ...options,
    phase: () => phase,
    model: () => current,
    install(model) {
      current = model;
      if (phase === 'loading') phase = 'ready';
      metrics.serves(model);
    },
    drain() {
      phase = 'draining';
    },
    enter() {
      if (phase !== 'ready') return notReady(phase);
      if (inFlight >= limits.maxInFlight) {
        return refuse(
          'overloaded',
          `${inFlight} predictions are in flight, no more are taken; retry.`,
        );
      }
      inFlight += 1;
      return undefined;
    },
    leave() {
      inFlight -= 1;
    },
  };
}

/** Counts the rows of an answer, by the policy that gave it and by why it was not another. */
export function countAnswer({ metrics }: Service, { policy, fallback, scores }: Answer): void {
  metrics.predicted(policy, scores.length);
  if (fallback !== null) metrics.fellBack(fallback.reason, scores.length);
}

/** The refusal of a process that cannot answer now. */
export const notReady = (phase: Phase): Refusal =>
  refuse(
    'not_ready',
    phase === 'draining' ? 'The server is shutting down.' : 'The model is not loaded yet.',
  );
