// The inputs of a model, as a transport sees them: the trees read a row of features, the network a window of bars.

import type { LoadedModel } from '../load/index.ts';
import { putFeature } from './featureRow.ts';
import type { Refusal } from './refusal.ts';
import { putWindowValue } from './window.ts';

/** One input. */
export interface ModelInput {
  readonly name: 'features' | 'sequence';
  /** size of one row: [F] or [L, C] */
  readonly dims: readonly number[];
  /** false if the model can answer without it */
  readonly required: boolean;
  /** Writes a value at an index of [rows, ...dims]; null and NaN are missing. @returns a refusal `malformed` */
  put(into: Float32Array, at: number, value: unknown): Refusal | undefined;
}

/** The inputs that a model takes; without trees the features may be left out. */
export function modelInputs({ manifest, trees, network }: LoadedModel): readonly ModelInput[] {
  const columns = manifest.feature_schema;
  const features: ModelInput = {
    name: 'features',
    dims: [columns.length],
    required: trees !== null,
    put: (into, at, value) => putFeature(into, at, value, columns),
  };
  if (network === null) return [features];
  const sequence: ModelInput = {
    name: 'sequence',
    dims: [network.nTokens, network.channels.length],
    required: trees === null,
    put: (into, at, value) => putWindowValue(into, at, value, network),
  };
  return [features, sequence];
}
