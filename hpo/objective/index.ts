// What a search tries and what it maximises: parameters of trees or networks and of sizing, profit after cost less penalties.

export { evaluate, evaluateBatch } from './evaluate.ts';
export { applyParams, distributionsOf, type Space, spaceSchema } from './space.ts';
export { type JudgedPolicy, judgedPolicySchema, type Task } from './task.ts';
export { type Judged, judgeRun, type Terms, type Weights, weightsSchema } from './terms.ts';
