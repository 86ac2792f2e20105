export type { Dataset, LabelSpec } from './types.ts';
