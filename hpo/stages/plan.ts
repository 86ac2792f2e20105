// The plan of a search: bars, windows, studies, all of it decided before the first trial and kept with the first study,
// so that a resumed search asks nobody.

import { z } from 'zod';
import { dayMs, digestOf, parseStrict, SluiceError } from '../../core/index.ts';
import {
  configDigest,
  retrainConfigSchema,
  type TrialMarket,
} from '../../training/retrain/index.ts';
import type { Task } from '../objective/index.ts';
import type { Json, Storage } from '../study/index.ts';
import { type SearchConfig, searchConfigSchema } from './config.ts';

/** The stages, in their order. */
export const stageNames = ['coarse', 'refine', 'confirm'] as const;
/** Name of a stage. */
export type StageName = (typeof stageNames)[number];

const spanSchema = z.strictObject({ from: z.number(), to: z.number() });

const planSchema = z.strictObject({
  plan_version: z.literal('hpo_plan_v1'),
  config: searchConfigSchema,
  /** as it takes effect on these bars */
  base: retrainConfigSchema,
  seed: z.int().min(0).max(0xffff_ffff),
  deterministic: z.boolean(),
  store: z.string(),
  symbols: z.array(z.string()).min(1),
  data_version: z.string(),
  /** trials on it count together */
  market: z.string(),
  lineage_id: z.string(),
  /** decides all results, with the code */
  search_digest: z.string(),
  /** labels, closed; each begins after the one before it has ended, embargo included */
  windows: z.strictObject({ coarse: spanSchema, refine: spanSchema, forward_oos: spanSchema }),
});

/** What {@link planSchema} lets through. */
export type Plan = z.infer<typeof planSchema>;

/** What decides a plan. */
export interface PlanRequest {
  readonly config: SearchConfig;
  readonly market: TrialMarket;
  readonly seed: number;
  readonly deterministic: boolean;
}

/**
 * Cuts the windows: refine is the end of the search span and coarse lies before it, so that a trial that is taken up is
 * judged on days that it was not chosen by. Validation and forward OOS are left to the confirm stage.
 * @throws SluiceError `out_of_range` if the search span is too short for both
 */
export function planSearch({ config, market, seed, deterministic }: PlanRequest): Plan {
  const { search, forward_oos } = market.windows;
  const lengthMs = (frac: number) => Math.round(frac * (search.to - search.from));
  const refine = { from: search.to - lengthMs(config.refine.span_frac), to: search.to };
  const to = refine.from - market.embargoMs - 1;
  const coarse = { from: to - lengthMs(config.coarse.span_frac), to };
  if (coarse.from < search.from) throw tooShort(config, market);
  const decides = {
    config,
    base_digest: configDigest(market.config),
    data_version: market.dataVersion,
    ...{ seed, deterministic },
  };
  return {
    plan_version: 'hpo_plan_v1',
    config,
    base: market.config,
    seed,
    deterministic,
    store: market.bars.store,
    symbols: [...market.bars.symbols],
    data_version: market.dataVersion,
    market: market.market,
    lineage_id: lineageOf(market.market),
    search_digest: digestOf(decides),
    windows: { coarse, refine, forward_oos: { from: forward_oos.from, to: forward_oos.to } },
  };
}

/** All searches on one market and label are one lineage: that is how often its data were looked at. */
export const lineageOf = (market: string): string => digestOf({ market });

function tooShort({ coarse, refine }: SearchConfig, { windows, embargoMs }: TrialMarket) {
  const days = Math.floor((windows.search.to - windows.search.from) / dayMs);
  return new SluiceError(
    'out_of_range',
    `The windows of coarse and refine, ${coarse.span_frac} and ${refine.span_frac} of a search span of ${days} days, leave no room for the embargo of ${embargoMs / dayMs} days between them: make one of them shorter.`,
    { days, embargo_days: embargoMs / dayMs },
  );
}

/** Name of the study of a stage. */
export const studyName = ({ config, search_digest }: Plan, stage: StageName): string =>
  `${config.name}-${search_digest.slice(0, 8)}-${stageNames.indexOf(stage) + 1}-${stage}`;

/** What all trials of a stage are told. */
export function taskOf(plan: Plan, stage: StageName): Task {
  const { base, store, symbols, config } = plan;
  const common = { policy: config.policy, base, store, weights: config.weights };
  if (stage === 'confirm') return { kind: 'confirm', ...common, symbols };
  const { symbols: count, folds } = config[stage];
  const first = symbols.slice(0, count);
  return { kind: 'walk_forward', ...common, symbols: first, window: plan.windows[stage], folds };
}

/** User attribute of the first study that holds the plan. */
const planKey = 'sluice:plan';

/** Keeps a plan with the study of its first stage. */
export async function keepPlan(storage: Storage, studyId: number, plan: Plan): Promise<void> {
  await storage.setStudyAttributes(studyId, 'user', new Map([[planKey, plan as unknown as Json]]));
}

/** Plans of all searches in a storage, oldest first. */
export async function readPlans(storage: Storage): Promise<readonly Plan[]> {
  const plans: Plan[] = [];
  for (const { id, name } of await storage.listStudies()) {
    const kept = (await storage.readStudyAttributes(id, 'user')).get(planKey);
    if (kept !== undefined) plans.push(parseStrict(planSchema, kept, `plan of ${name}`));
  }
  return plans;
}

/**
 * The search that a name means: that of any of its studies, or of the newest search where there is no name.
 * @throws SluiceError `input_missing`
 */
export async function findPlan(storage: Storage, name?: string): Promise<Plan> {
  const plans = await readPlans(storage);
  const found = plans.findLast(
    (plan) => name === undefined || stageNames.some((stage) => studyName(plan, stage) === name),
  );
  if (found !== undefined) return found;
  const names = plans.flatMap((plan) => stageNames.map((stage) => studyName(plan, stage)));
  throw new SluiceError(
    'input_missing',
    `The storage holds no search${name === undefined ? '' : ` with the study ${name}`}; it holds ${names.join(', ') || 'none'}. Begin with: npx sluice hpo run.`,
    { name: name ?? null, names },
  );
}
