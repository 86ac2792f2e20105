// Search, validation and forward out-of-sample: three spans of time that never touch, labels included.

import { SluiceError } from '../../core/index.ts';
import { checkEmbargo, checkIntervals } from './intervals.ts';
import type { SampleIntervals } from './types.ts';

/** The specification's names, in time order. */
const spanNames = ['search', 'validation', 'forward_oos'] as const;
/** Name of a span. */
export type SpanName = (typeof spanNames)[number];

/** One span: the time that its samples cover, closed (earliest start, latest label end), and its rows. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly rows: Int32Array;
}

/** The three spans and what was dropped between them. */
export type Spans = Readonly<Record<SpanName, Span>> & {
  /** rows whose label reaches into the next span */
  readonly purged: Int32Array;
  /** rows whose label ends less than, or exactly, the embargo before the next span */
  readonly embargoed: Int32Array;
};

/** Where to cut: shares of the time from the first to the last start, or two dates (Unix ms). */
export type SpanRule = { readonly embargoMs: number } & (
  | { readonly validationFrac: number; readonly forwardOosFrac: number }
  | { readonly validationFromMs: number; readonly forwardOosFromMs: number }
);

/**
 * Cuts the samples in two places. A row belongs to the span in which it starts; rows at the end of a
 * span give way (purge, then embargo), so that the next span begins exactly at its cut.
 * @throws SluiceError `out_of_range` if a cut is impossible or a span would be empty | what {@link checkIntervals} throws
 */
export function splitSpans(intervals: SampleIntervals, rule: SpanRule): Spans {
  checkIntervals(intervals);
  checkEmbargo(rule.embargoMs);
  const [validationFrom, forwardOosFrom] = cutsOf(intervals.start, rule);
  const nextFrom = [validationFrom, forwardOosFrom, Number.POSITIVE_INFINITY];
  const kept: number[][] = [[], [], []];
  const purged: number[] = [];
  const embargoed: number[] = [];
  intervals.start.forEach((start, row) => {
    const span = start < validationFrom ? 0 : start < forwardOosFrom ? 1 : 2;
    const gapMs = nextFrom[span]! - intervals.end[row]!;
    const place = gapMs <= 0 ? purged : gapMs <= rule.embargoMs ? embargoed : kept[span]!;
    place.push(row);
  });
  const [search, validation, forwardOos] = kept.map((rows, i) => spanOf(intervals, rows, i));
  return {
    search: search!,
    validation: validation!,
    forward_oos: forwardOos!,
    purged: Int32Array.from(purged),
    embargoed: Int32Array.from(embargoed),
  };
}

function cutsOf(start: Float64Array, rule: SpanRule): readonly [number, number] {
  if ('validationFromMs' in rule) {
    const { validationFromMs, forwardOosFromMs } = rule;
    if (validationFromMs < forwardOosFromMs) return [validationFromMs, forwardOosFromMs];
    throw new SluiceError(
      'out_of_range',
      `validationFromMs must lie before forwardOosFromMs; found ${validationFromMs} and ${forwardOosFromMs}.`,
    );
  }
  const { validationFrac, forwardOosFrac } = rule;
  if (!(validationFrac > 0 && forwardOosFrac > 0 && validationFrac + forwardOosFrac < 1)) {
    throw new SluiceError(
      'out_of_range',
      `validationFrac and forwardOosFrac must be > 0 and leave a share to search; found ${validationFrac} and ${forwardOosFrac}.`,
    );
  }
  const first = start[0]!;
  const last = start.at(-1)!;
  const cut = (share: number): number => last - Math.round(share * (last - first));
  return [cut(validationFrac + forwardOosFrac), cut(forwardOosFrac)];
}

function spanOf({ start, end }: SampleIntervals, rows: readonly number[], index: number): Span {
  if (rows.length === 0) {
    throw new SluiceError(
      'out_of_range',
      `The span ${spanNames[index]!} would be empty after purge and embargo; move the cuts or shorten labels or embargo.`,
      { span: spanNames[index]! },
    );
  }
  const to = rows.reduce((latest, row) => Math.max(latest, end[row]!), Number.NEGATIVE_INFINITY);
  return { from: start[rows[0]!]!, to, rows: Int32Array.from(rows) };
}
