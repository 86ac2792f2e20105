// What a splitter is given and what it gives back: label intervals in, row numbers out.

/**
 * Label intervals of n samples, closed: [start, end], Unix ms. Sorted by start; equal starts are
 * welcome (the symbols of a panel), ends may come in any order. To purge by what the features saw as
 * well, let `start` be the open of the oldest bar that a feature read.
 */
export interface SampleIntervals {
  /** [n] non-decreasing */
  readonly start: Float64Array;
  /** [n] end >= start */
  readonly end: Float64Array;
}

/** Time covered by one contiguous run of test rows, closed: earliest start, latest end, Unix ms. */
export interface TestBlock {
  readonly from: number;
  readonly to: number;
}

/** Row numbers of one fold, each array ascending, no row in two of them. */
export interface Fold {
  readonly train: Int32Array;
  readonly test: Int32Array;
  /** would train, but its interval meets a test block */
  readonly purged: Int32Array;
  /** would train, meets no test block, but starts too soon after one */
  readonly embargoed: Int32Array;
  /** in time order; runs of test rows with training rows between them are never merged */
  readonly testBlocks: readonly TestBlock[];
}
