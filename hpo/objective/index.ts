// What a search tries and what it maximises: parameters of trees and sizing, profit after cost less penalties.

export { evaluate } from './evaluate.ts';
export { applyParams, distributionsOf, type Space, spaceSchema } from './space.ts';
export type { Task } from './task.ts';
export { type Judged, judgeRun, type Terms, type Weights, weightsSchema } from './terms.ts';
