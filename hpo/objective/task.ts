// What all trials of a stage have in common; it crosses processes as JSON.

import { z } from 'zod';
import { parseStrict } from '../../core/index.ts';
import { retrainConfigSchema } from '../../training/retrain/index.ts';
import type { Json } from '../study/index.ts';
import { weightsSchema } from './terms.ts';

/** What a search judges, and so what it can vary: trees, or networks taught by trees that stay as the config has them. */
export const judgedPolicySchema = z.enum(['tabular_only', 'nn_only']);

/** What {@link judgedPolicySchema} lets through. */
export type JudgedPolicy = z.infer<typeof judgedPolicySchema>;

const common = {
  policy: judgedPolicySchema,
  /** effective config; a trial's parameters are put into it */
  base: retrainConfigSchema,
  /** folder of the stored bars */
  store: z.string().min(1),
  symbols: z.array(z.string()).min(1),
  weights: weightsSchema,
};

/** The task of a stage: walk-forward inside a window of the search span, or forward confirmation. */
export const taskSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('walk_forward'),
    ...common,
    /** of labels, closed, Unix ms */
    window: z.strictObject({ from: z.number(), to: z.number() }),
    folds: z.int().min(1),
  }),
  z.strictObject({ kind: z.literal('confirm'), ...common }),
]);

/** What {@link taskSchema} lets through. */
export type Task = z.infer<typeof taskSchema>;
/** A stage inside the search span. */
export type WalkForwardTask = Extract<Task, { kind: 'walk_forward' }>;
/** The last stage. */
export type ConfirmTask = Extract<Task, { kind: 'confirm' }>;

/** @throws SluiceError `input_invalid` */
export const parseTask = (task: Json): Task =>
  parseStrict(taskSchema, task, 'the task of a trial', 'input_invalid');
