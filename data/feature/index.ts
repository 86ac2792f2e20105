// Features: declared as data, versioned, computed by one stream.
export { type BarFeatureOptions, barFeaturesBaseline, barFeaturesV1 } from './barFeatures.ts';
export { featureSeries, pickFeatures } from './featureSeries.ts';
export { featureSpecJson, featureVersion, parseFeatureSpec } from './featureSpec.ts';
export { computeLastRows, createFeatureStream } from './featureStream.ts';
export type { FeatureEntry, FeatureSpec, FeatureStream } from './types.ts';
