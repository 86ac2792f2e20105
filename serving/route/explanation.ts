// Why the model gave a score: TreeSHAP contributions, the largest of them, and what was missing.

import type { LoadedModel } from '../load/index.ts';

/** An explanation of one score; `base` plus all contributions is the score, to 1e-6. */
export interface Explanation {
  readonly base: number;
  readonly contributions: Readonly<Record<string, number>>;
  /** the largest by absolute value, largest first */
  readonly top: readonly {
    readonly name: string;
    readonly contribution: number;
    readonly value: number | null;
  }[];
  /** features that were missing in the row */
  readonly missing: readonly string[];
  /** events behind the features, with their source tier; empty for a model that reads no events */
  readonly events: readonly never[];
}

const topCount = 5;

/**
 * Explains the scores of rows.
 * @param features [rows*F] row-major, NaN = missing
 * @returns [rows]
 */
export function explainRows(model: LoadedModel, features: Float32Array): Explanation[] {
  const width = model.manifest.feature_schema.length;
  return Array.from({ length: features.length / width }, (_, row) =>
    explain(model, features.subarray(row * width, (row + 1) * width)),
  );
}

function explain(model: LoadedModel, features: Float32Array): Explanation {
  const names = model.manifest.feature_schema.map(({ name }) => name);
  const { base, contributions } = model.contributions(features);
  const ranked = names
    .map((name, j) => ({ name, contribution: contributions[j]!, value: present(features[j]!) }))
    .sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
  return {
    base,
    contributions: Object.fromEntries(names.map((name, j) => [name, contributions[j]!])),
    top: ranked.slice(0, topCount),
    missing: names.filter((_, j) => Number.isNaN(features[j]!)),
    events: [],
  };
}

const present = (value: number): number | null => (Number.isNaN(value) ? null : value);
