// Samplers: what the next trial should try.

export { type Grid, type GridOptions, gridSampler } from './grid.ts';
export { randomSampler } from './random.ts';
export type { Seeding } from './streams.ts';
export { type TpeOptions, tpeSampler } from './tpe.ts';
