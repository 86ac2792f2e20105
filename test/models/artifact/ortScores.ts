// Scores of an ONNX model by ONNX Runtime itself.

import { expect } from 'chai';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import {
  networkInput,
  networkOutput,
  tabularInput,
  tabularOutput,
} from '../../../models/artifact/index.ts';
import { type TsmixerShape, tsmixerOutputs } from '../../../models/score/index.ts';

/** Scores rows through ONNX Runtime, `batch` rows a call. */
export async function ortScores(
  bytes: Uint8Array,
  features: Float32Array,
  rows: number,
  { threads = 1, batch = rows }: { threads?: number; batch?: number } = {},
): Promise<Float64Array> {
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: threads });
  const width = features.length / rows;
  const scores = new Float64Array(rows);
  for (let from = 0; from < rows; from += batch) {
    const to = Math.min(rows, from + batch);
    const values = Float64Array.from(features.subarray(from * width, to * width));
    const input = new Tensor('float64', values, [to - from, width]);
    const output = (await session.run({ [tabularInput]: input }))[tabularOutput]!;
    expect(output.dims).to.deep.equal([to - from, 1]);
    scores.set(output.data as Float64Array, from);
  }
  await session.release();
  return scores;
}

/** Number of rows that are not the same float64. */
export const differing = (a: Float64Array, b: Float64Array): number =>
  a.reduce((count, x, i) => count + (x === b[i] ? 0 : 1), 0);

/** Outputs [rows*O] of a network's windows [rows*L*C] through ONNX Runtime. */
export async function ortNetworkScores(
  bytes: Uint8Array,
  shape: TsmixerShape,
  windows: Float32Array,
  rows: number,
  { threads = 1, batch = rows }: { threads?: number; batch?: number } = {},
): Promise<Float32Array> {
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: threads });
  const { nTokens, nChannels } = shape;
  const size = nTokens * nChannels;
  const outputs = tsmixerOutputs(shape);
  const scores = new Float32Array(rows * outputs);
  for (let from = 0; from < rows; from += batch) {
    const count = Math.min(batch, rows - from);
    const values = windows.slice(from * size, (from + count) * size);
    const input = new Tensor('float32', values, [count, nTokens, nChannels]);
    const output = (await session.run({ [networkInput]: input }))[networkOutput]!;
    expect(output.dims).to.deep.equal([count, outputs]);
    scores.set(output.data as Float32Array, from * outputs);
  }
  await session.release();
  return scores;
}
