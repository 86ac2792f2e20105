// Predictions on their way to the store: a bounded queue beside the request path. A slow or failing store
// costs records, which are counted, never latency.

import type { Policy, ScoreSource } from '../../core/index.ts';
import type { Explanation } from './explanation.ts';
import type { Fallback, ScoreParts } from './scoring.ts';

/** One answered request, as it is kept. */
export interface PredictionRecord {
  readonly prediction_id: string;
  readonly lineage_id: string;
  readonly artifact_digest: string;
  readonly model_name: string;
  readonly model_version: string;
  /** the policy that answered: `tabular_only` in a fall-back */
  readonly policy: Policy;
  /** Unix ms at which the answer was made */
  readonly answered_at: number;
  /** per row, where the caller named them */
  readonly symbols: readonly string[] | null;
  /** Unix ms per row, where the caller named them */
  readonly times: readonly number[] | null;
  /** [rows*F] row-major, NaN = missing */
  readonly features: Float32Array;
  /** [rows*L*C] row-major, NaN = missing; null if the policy needs none or none was sent */
  readonly sequences: Float32Array | null;
  /** [rows] */
  readonly scores: Float64Array;
  readonly score_source: ScoreSource;
  readonly fallback: Fallback | null;
  /** null unless the network had a say */
  readonly parts: ScoreParts | null;
  /** `{rows: [...]}`, one per row, where one was asked for */
  readonly explanation: { readonly rows: readonly Explanation[] } | null;
}

/** Keeps a batch of records; a rejection loses the batch and is counted. */
export type RecordSink = (batch: readonly PredictionRecord[]) => Promise<void>;

/** Takes records without waiting. */
export interface Recorder {
  record(entry: PredictionRecord): void;
  /** Resolves when everything taken so far is kept or given up. */
  flush(): Promise<void>;
}

/** Settings of a {@link createRecorder}. */
export interface RecorderOptions {
  readonly sink: RecordSink;
  /** entries that may wait; what comes beyond is dropped */
  readonly capacity: number;
  /** told how many records were lost, and why */
  readonly onLost: (count: number, why: 'full' | 'failed', error?: unknown) => void;
}

/** A recorder that hands batches to the sink, one at a time, in order. */
export function createRecorder({ sink, capacity, onLost }: RecorderOptions): Recorder {
  let waiting: PredictionRecord[] = [];
  let writing: Promise<void> | undefined;

  async function write(): Promise<void> {
    // the request that starts a batch must not pay for it, and what comes in the same tick joins it
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await sink(batch);
      } catch (error) {
        onLost(batch.length, 'failed', error);
      }
    }
    writing = undefined;
  }

  return {
    record(entry) {
      if (waiting.length >= capacity) return onLost(1, 'full');
      waiting.push(entry);
      writing ??= write();
    },
    flush: async () => writing,
  };
}
