export type { LoadedModel, ServedManifest } from './types.ts';
