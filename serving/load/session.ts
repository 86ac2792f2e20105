// The only file that knows onnxruntime-node. One thread and sequential execution: the answers do not depend on
// the batch, and the tail is the shortest. `run` of onnxruntime-node 1.30 blocks the event loop while it computes.

import { InferenceSession, Tensor } from 'onnxruntime-node';
import { asSluiceError, SluiceError } from '../../core/index.ts';

/** An opened graph: rows of numbers in, one number per row out. */
export interface OnnxSession {
  /**
   * Runs the graph.
   * @param values [rows, ...dims] row-major
   * @returns [rows]
   * @throws SluiceError `native_failed`
   */
  run(values: Float32Array, rows: number): Promise<Float64Array>;
  close(): Promise<void>;
}

/** The one input and the one output that the graph must have. */
export interface GraphShape {
  /** of both tensors */
  readonly type: 'float32' | 'float64';
  readonly input: string;
  /** size of one row of the input: [F] features, or [L, C] tokens and channels */
  readonly dims: readonly number[];
  /** its shape is [rows, 1] */
  readonly output: string;
}

/** Opens a graph from bytes in memory: {@link openSession}, or what a test puts in its place. */
export type OpenSession = (bytes: Uint8Array, shape: GraphShape) => Promise<OnnxSession>;

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
  const mismatch = shapeMismatch(session, shape);
  if (mismatch !== undefined) {
    await session.release();
    throw mismatch;
  }
  return {
    run: (values, rows) => native('score', () => runRows(session, shape, values, rows)),
    close: () => session.release(),
  };
}

async function runRows(
  session: InferenceSession,
  { type, input, dims, output }: GraphShape,
  values: Float32Array,
  rows: number,
): Promise<Float64Array> {
  const double = type === 'float64';
  const given = new Tensor(type, double ? Float64Array.from(values) : values, [rows, ...dims]);
  const scores = double ? new Float64Array(rows) : new Float32Array(rows);
  await session.run({ [input]: given }, { [output]: new Tensor(type, scores, [rows, 1]) });
  return scores instanceof Float64Array ? scores : Float64Array.from(scores);
}

function shapeMismatch(
  session: InferenceSession,
  { type, input, dims, output }: GraphShape,
): SluiceError | undefined {
  const described = (metadata: readonly InferenceSession.ValueMetadata[]): string =>
    metadata
      .map((value) =>
        value.isTensor ? `${value.name} ${value.type} [${value.shape.slice(1)}]` : value.name,
      )
      .join(', ');
  const found = `${described(session.inputMetadata)} -> ${described(session.outputMetadata)}`;
  const expected = `${input} ${type} [${dims}] -> ${output} ${type} [1]`;
  if (found === expected) return undefined;
  return new SluiceError('native_failed', `The graph computes ${found}; expected ${expected}.`);
}

async function native<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { message } = asSluiceError(error);
    throw new SluiceError('native_failed', `ONNX Runtime cannot ${what}: ${message}`, {}, error);
  }
}
