// golden.json: rows and windows with the scores that the trainer itself computed. Whoever opens the model must get them:
// trees the same bits, a network the same within what rounding explains.

import { z } from 'zod';
import {
  normaliseSeries,
  type Scorer,
  sequenceScorer,
  type TsmixerNetwork,
  tsmixerTolerances,
} from '../score/index.ts';
import { type Violation, violation } from './violations.ts';

/** Fewest and most rows. */
export const goldenRows = { min: 32, max: 4096 } as const;

const values = z.array(z.number().nullable()).min(1);
const perRow = <T extends z.ZodType>(item: T) =>
  z.array(item).min(goldenRows.min).max(goldenRows.max).optional();

/**
 * `null` = missing. Inputs are float32 values, scores float64. Features with their scores belong to trees, sequences
 * [n][L][C] with theirs to a network.
 */
export const goldenSchema = z.strictObject({
  golden_version: z.literal(1),
  features: perRow(values),
  sequences: perRow(z.array(values).min(1)),
  scores: z.strictObject({
    tabular: z.array(z.number()).optional(),
    nn: z.array(z.number()).optional(),
  }),
});

/** What {@link goldenSchema} lets through. */
export type Golden = z.infer<typeof goldenSchema>;

/** Rows with the trainer's own scores; without trees no features count, without a network there are no sequences. */
export interface GoldenScores {
  readonly rows: number;
  /** [n*F] row-major, NaN = missing; no infinities */
  readonly features: Float32Array;
  /** [n] what the trainer's library predicted from the features; null without trees */
  readonly tabular: Float64Array | null;
  /** [n*L*C] raw windows, oldest token first, NaN = missing; no infinities; null without a network */
  readonly sequences: Float32Array | null;
  /** [n] what the trainer computed from the sequences; null without a network */
  readonly nn: Float64Array | null;
}

/** The document of golden rows. @param channels C of the sequences */
export function goldenDocument(golden: GoldenScores, channels: number): Golden {
  const { features, rows, tabular, sequences, nn } = golden;
  return {
    golden_version: 1,
    ...(tabular === null ? {} : { features: cut(jsonValues(features), features.length / rows) }),
    ...(sequences === null
      ? {}
      : {
          sequences: cut(cut(jsonValues(sequences), channels), sequences.length / rows / channels),
        }),
    scores: {
      ...(tabular === null ? {} : { tabular: Array.from(tabular) }),
      ...(nn === null ? {} : { nn: Array.from(nn) }),
    },
  };
}

const jsonValues = (numbers: Float32Array): (number | null)[] =>
  Array.from(numbers, (x) => (Number.isNaN(x) ? null : x));

/** Pieces of one width. */
const cut = <T>(items: readonly T[], width: number): T[][] =>
  Array.from({ length: items.length / width }, (_, i) => items.slice(i * width, (i + 1) * width));

/** The golden rows of a document that {@link goldenShapeViolations} has passed. */
export function goldenScores({ features, sequences, scores }: Golden): GoldenScores {
  const { tabular, nn } = scores;
  return {
    rows: (features ?? sequences ?? []).length,
    features: floats((features ?? []).flat()),
    tabular: tabular === undefined ? null : Float64Array.from(tabular),
    sequences: sequences === undefined ? null : floats(sequences.flat(2)),
    nn: nn === undefined ? null : Float64Array.from(nn),
  };
}

const floats = (numbers: readonly (number | null)[]): Float32Array =>
  Float32Array.from(numbers, (x) => x ?? Number.NaN);

/** Rows of different widths, other counts of scores, inputs that are no float32 values, inputs without scores. */
export function goldenShapeViolations({ features, sequences, scores }: Golden): Violation[] {
  const found = [
    ...partFaults('features', features, 'tabular', scores.tabular),
    ...partFaults('sequences', sequences, 'nn', scores.nn),
    ...valueFaults(features ?? []),
    ...valueFaults(sequences?.flat() ?? []),
  ];
  if (sequences?.some((window) => window.length !== sequences[0]!.length)) {
    found.push('its sequences differ in length');
  }
  if (features === undefined && sequences === undefined) found.push('it has no rows');
  if (features && sequences && features.length !== sequences.length) {
    found.push(`it has ${features.length} rows and ${sequences.length} sequences`);
  }
  return found.map((message) => violation('golden_invalid', `golden.json: ${message}.`));
}

/** Inputs of one kind come with a score each. */
function partFaults(
  name: string,
  inputs: readonly unknown[] | undefined,
  part: string,
  scores: readonly number[] | undefined,
): string[] {
  if (inputs === undefined && scores === undefined) return [];
  if (inputs === undefined || scores === undefined) {
    return [`${name} and scores.${part} come together or not at all`];
  }
  return scores.length === inputs.length
    ? []
    : [`${inputs.length} ${name} have ${scores.length} scores.${part}`];
}

/** Feature rows, or the tokens of all windows. */
function valueFaults(rows: readonly (readonly (number | null)[])[]): string[] {
  const found: string[] = [];
  if (rows.some((row) => row.length !== rows[0]!.length))
    found.push('rows or tokens differ in width');
  if (rows.some((row) => row.some((x) => x !== null && Math.fround(x) !== x))) {
    found.push('a value is not float32');
  }
  return found;
}

/** Replays the rows through trees: every score must be the same float64. */
export function goldenTreeMismatches(golden: GoldenScores, scorer: Scorer): Violation[] {
  const { features, rows, tabular } = golden;
  if (tabular === null) return [];
  return mismatches('tabular', scorer.score(features, rows), tabular, new Float64Array(rows));
}

/** Replays the windows through the float64 reference: every score must lie within the bound of float32. */
export function goldenNetworkMismatches(
  { rows, sequences, nn }: GoldenScores,
  network: TsmixerNetwork,
): Violation[] {
  if (sequences === null || nn === null) return [];
  const windows = normaliseSeries(sequences, network.channels);
  const tolerances = tsmixerTolerances(network.weights, windows, rows);
  return mismatches('nn', sequenceScorer(network).score(sequences, rows), nn, tolerances);
}

function mismatches(
  part: string,
  found: Float64Array,
  expected: Float64Array,
  tolerances: Float64Array,
): Violation[] {
  const near = (i: number) => Math.abs(found[i]! - expected[i]!) <= tolerances[i]!;
  const wrong = Array.from(found.keys()).filter((i) => !near(i));
  if (wrong.length === 0) return [];
  const first = wrong[0]!;
  return [
    violation(
      'golden_mismatch',
      `${wrong.length} of ${found.length} golden rows differ (${part}); row ${first}: expected ${expected[first]}, found ${found[first]}.`,
    ),
  ];
}
