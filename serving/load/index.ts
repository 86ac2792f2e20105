// From a signed folder to a model that may answer.
export { type LoadOptions, loadModel } from './loadModel.ts';
export type { LoadedModel, LoadedNetwork, LoadedTrees, ServedManifest } from './types.ts';
