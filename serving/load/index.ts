// From a signed folder to a model that may answer.
export { type LoadOptions, loadModel } from './loadModel.ts';
export type { LoadedModel, ServedManifest } from './types.ts';
