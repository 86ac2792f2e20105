export {
  assemblePath,
  type CombinatorialSplit,
  combinatorialPurgedCv,
} from './combinatorialPurgedCv.ts';
export { liftFold, selectIntervals } from './intervals.ts';
export { auditFold, type LeakAudit } from './leakAudit.ts';
export { purgedKFold } from './purgedKFold.ts';
export { type Span, type SpanName, type SpanRule, type Spans, splitSpans } from './spans.ts';
export type { Fold, SampleIntervals, TestBlock } from './types.ts';
export { type WalkForwardRule, walkForward } from './walkForward.ts';
