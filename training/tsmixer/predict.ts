// What trained networks say of windows, by an engine's arithmetic (float32).

import { SluiceError } from '../../core/index.ts';
import { checkTsmixer, type TsmixerWeights, tsmixerOutputs } from '../../models/score/index.ts';
import type { TsmixerEngine } from './engine.ts';
import { checkIndices, checkSamples } from './requestCheck.ts';
import { freshState } from './state.ts';
import type { SequenceSamples } from './types.ts';

/** How a prediction runs. */
export interface PredictOptions {
  /** 0 = one per core; decides no byte */
  readonly threads: number;
  readonly signal: AbortSignal;
}

/** What matters to training only. */
const untrained = {
  seed: 0,
  learningRate: 0,
  weightDecay: 0,
  dropout: 0,
  teacherLambda: 0,
  clipNorm: 0,
} as const;

/**
 * Predicts rows with networks of one shape.
 * @param rows indices into `samples.windowEnds`
 * @returns per network [rows*O]
 * @throws SluiceError `out_of_range` | `length_mismatch` | `non_finite` | `cancelled` | `native_failed`
 */
export async function predictTsmixer(
  engine: TsmixerEngine,
  weights: readonly TsmixerWeights[],
  samples: Pick<SequenceSamples, 'series' | 'windowEnds'>,
  rows: Int32Array,
  { threads, signal }: PredictOptions,
): Promise<Float32Array[]> {
  const [first] = weights;
  if (first === undefined) return [];
  const { shape } = first;
  checkSameShape(weights);
  checkIndices('rows', rows, samples.windowEnds.length);
  const asked = {
    series: samples.series,
    windowEnds: rows.map((row) => samples.windowEnds[row]!),
    targets: new Float32Array(rows.length * tsmixerOutputs(shape)), // none: the newest windows have no rows after them
    teacher: null,
    weights: null,
  };
  checkSamples(shape, asked);
  if (rows.length === 0) return weights.map(() => new Float32Array(0));
  const members = weights.map(() => untrained);
  const loss = { kind: 'mse' } as const;
  const session = engine.open({ shape, members, batch: 256, loss, threads, samples: asked });
  try {
    weights.forEach(({ values }, member) => {
      session.writeState(member, freshState(values));
    });
    return await session.predict(
      rows.map((_, i) => i),
      { signal, onSteps() {} },
    );
  } finally {
    session.close();
  }
}

function checkSameShape(weights: readonly TsmixerWeights[]): void {
  const shapeText = ({ shape }: TsmixerWeights) => JSON.stringify(Object.entries(shape).sort());
  for (const network of weights) {
    checkTsmixer(network);
    if (shapeText(network) !== shapeText(weights[0]!))
      throw new SluiceError('length_mismatch', 'Networks that predict together have one shape.');
  }
}
