export type { FeatureEntry, FeatureSpec, FeatureStream } from './types.ts';
