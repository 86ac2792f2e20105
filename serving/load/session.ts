// The only file that knows onnxruntime-node. One thread and sequential execution: the answers do not depend on
// the batch, and the tail is the shortest. `run` of onnxruntime-node 1.30 blocks the event loop while it computes.

import { InferenceSession, Tensor } from 'onnxruntime-node';
import { asSluiceError, SluiceError } from '../../core/index.ts';

/** An opened graph with one input, double [N, F], and one output, double [N, 1]. */
export interface OnnxSession {
  /**
   * Runs the graph.
   * @param features [rows*F] row-major, NaN = missing
   * @returns [rows]
   * @throws SluiceError `native_failed`
   */
  run(features: Float32Array, rows: number): Promise<Float64Array>;
  close(): Promise<void>;
}

/** The names and width that the graph must have. */
export interface GraphShape {
  readonly input: string;
  readonly output: string;
  readonly featureCount: number;
}

/**
 * Opens a graph from bytes in memory; nothing is read from disk.
 * @throws SluiceError `native_failed` if ONNX Runtime refuses the bytes or the graph has another shape
 */
export async function openSession(bytes: Uint8Array, shape: GraphShape): Promise<OnnxSession> {
  const session = await native('open the graph', () =>
    InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 3,
    }),
  );
  checkShape(session, shape);
  return {
    run: (features, rows) => native('score', () => runRows(session, shape, features, rows)),
    close: () => session.release(),
  };
}

async function runRows(
  session: InferenceSession,
  { input, output, featureCount }: GraphShape,
  features: Float32Array,
  rows: number,
): Promise<Float64Array> {
  const scores = new Float64Array(rows);
  const feeds = {
    [input]: new Tensor('float64', Float64Array.from(features), [rows, featureCount]),
  };
  await session.run(feeds, { [output]: new Tensor('float64', scores, [rows, 1]) });
  return scores;
}

function checkShape(session: InferenceSession, { input, output, featureCount }: GraphShape): void {
  const described = (metadata: readonly InferenceSession.ValueMetadata[]): string =>
    metadata
      .map((value) =>
        value.isTensor ? `${value.name} ${value.type} [${value.shape.slice(1)}]` : value.name,
      )
      .join(', ');
  const found = `${described(session.inputMetadata)} -> ${described(session.outputMetadata)}`;
  const expected = `${input} float64 [${featureCount}] -> ${output} float64 [1]`;
  if (found === expected) return;
  throw new SluiceError('native_failed', `The graph computes ${found}; expected ${expected}.`);
}

async function native<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { message } = asSluiceError(error);
    throw new SluiceError('native_failed', `ONNX Runtime cannot ${what}: ${message}`, {}, error);
  }
}
