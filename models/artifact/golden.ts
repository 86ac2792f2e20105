// golden.json: rows with the scores that the trainer itself computed. Whoever opens the model must get the same bits.

import { z } from 'zod';
import type { Scorer } from '../score/index.ts';
import { type Violation, violation } from './violations.ts';

/** Fewest and most rows. */
export const goldenRows = { min: 32, max: 4096 } as const;

/** `null` = missing. Features are float32 values, scores float64. */
export const goldenSchema = z.strictObject({
  golden_version: z.literal(1),
  features: z.array(z.array(z.number().nullable()).min(1)).min(goldenRows.min).max(goldenRows.max),
  scores: z.strictObject({ tabular: z.array(z.number()) }),
});

/** What {@link goldenSchema} lets through. */
export type Golden = z.infer<typeof goldenSchema>;

/** Rows with the trainer's own scores. */
export interface GoldenScores {
  /** [n*F] row-major, NaN = missing; no infinities */
  readonly features: Float32Array;
  readonly rows: number;
  /** [n] what the trainer's library predicted */
  readonly tabular: Float64Array;
}

/** The document of golden rows. */
export function goldenDocument({ features, rows, tabular }: GoldenScores): Golden {
  const width = features.length / rows;
  return {
    golden_version: 1,
    features: Array.from({ length: rows }, (_, row) =>
      Array.from(features.subarray(row * width, (row + 1) * width), (x) =>
        Number.isNaN(x) ? null : x,
      ),
    ),
    scores: { tabular: Array.from(tabular) },
  };
}

/** The golden rows of a document that {@link goldenShapeViolations} has passed. */
export function goldenScores(golden: Golden): GoldenScores {
  const rows = golden.features.length;
  const flat = golden.features.flatMap((row) => row.map((x) => x ?? Number.NaN));
  return {
    features: Float32Array.from(flat),
    rows,
    tabular: Float64Array.from(golden.scores.tabular),
  };
}

/** Rows of different widths, another count of scores, or features that are no float32 values. */
export function goldenShapeViolations(golden: Golden): Violation[] {
  const found: string[] = [];
  const { features, scores } = golden;
  if (features.some((row) => row.length !== features[0]!.length)) {
    found.push('its rows differ in width');
  }
  if (features.some((row) => row.some((x) => x !== null && Math.fround(x) !== x))) {
    found.push('a feature is not a float32 value');
  }
  if (scores.tabular.length !== features.length) {
    found.push(`${features.length} rows have ${scores.tabular.length} scores`);
  }
  return found.map((message) => violation('golden_invalid', `golden.json: ${message}.`));
}

/** Replays the rows: every score must be the same float64. */
export function goldenMismatches(golden: GoldenScores, scorer: Scorer): Violation[] {
  const scores = scorer.score(golden.features, golden.rows);
  const wrong = Array.from(scores.keys()).filter((i) => scores[i] !== golden.tabular[i]);
  if (wrong.length === 0) return [];
  const first = wrong[0]!;
  return [
    violation(
      'golden_mismatch',
      `${wrong.length} of ${golden.rows} golden rows differ; row ${first}: expected ${golden.tabular[first]}, found ${scores[first]}.`,
    ),
  ];
}
