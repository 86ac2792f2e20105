// Which runs a gate may read: finished runs of `prod`, scored by the `model`, on `prod_live` data, of one
// policy. Specification, track A. Anything else is for monitoring, and such a verdict is never `pass`.

import { z } from 'zod';
import {
  type DataRegime,
  dataRegimeSchema,
  type Policy,
  parseStrict,
  policySchema,
  type RunSource,
  runSourceSchema,
} from '../../core/index.ts';

/** The filters of a verdict, stored with it. */
export const gateFiltersSchema = z.strictObject({
  include_sources: z.array(runSourceSchema).min(1),
  exclude_sources: z.array(runSourceSchema),
  score_source: z.literal('model'),
  data_regime: dataRegimeSchema,
  policy: policySchema,
  /** null: the track record of the policy, over all its artifacts */
  artifact_digest: z.string().min(1).nullable(),
});

/** What {@link gateFiltersSchema} lets through. */
export type GateFilters = z.infer<typeof gateFiltersSchema>;

/** What a caller may choose; the last two are for monitoring only. */
export interface FilterChoice {
  readonly policy: Policy;
  readonly artifactDigest?: string | undefined;
  readonly includeSources?: readonly RunSource[] | undefined;
  readonly dataRegime?: DataRegime | undefined;
}

/**
 * The effective filters.
 * @throws SluiceError `config_invalid`
 */
export function gateFilters(choice: FilterChoice): GateFilters {
  const include = choice.includeSources ?? ['prod'];
  const rest = (['smoke', 'async_test', 'maintenance', 'prod'] as const).filter(
    (source) => !include.includes(source),
  );
  return parseStrict(
    gateFiltersSchema,
    {
      include_sources: [...new Set(include)],
      exclude_sources: rest,
      score_source: 'model',
      data_regime: choice.dataRegime ?? 'prod_live',
      policy: choice.policy,
      artifact_digest: choice.artifactDigest ?? null,
    },
    'gate filters',
  );
}

/** True unless the filters are those of a release: such a verdict is never `pass`. */
export function isMonitoring({ include_sources, data_regime }: GateFilters): boolean {
  return data_regime !== 'prod_live' || include_sources.some((source) => source !== 'prod');
}

/** The labels by which a run is chosen, of one run or of a group of equal ones. */
export interface RunLabels {
  readonly run_source: string;
  readonly score_source: string;
  readonly data_regime: string;
  readonly status: string;
  readonly policy: string;
  readonly artifact_digest: string | null;
}

/** Why a run is no evidence; in this order, the first that applies. */
export const setAsideReasons = [
  'not_completed',
  'run_source',
  'score_source',
  'data_regime',
  'policy',
  'artifact',
  'duplicate',
] as const;

/** Why a run is no evidence. */
export type SetAsideReason = (typeof setAsideReasons)[number];

/** Why these labels are no evidence under the filters, or undefined if they are. */
export function whySetAside(labels: RunLabels, filters: GateFilters): SetAsideReason | undefined {
  const { include_sources, artifact_digest } = filters;
  if (labels.status !== 'completed') return 'not_completed';
  if (!include_sources.some((source) => source === labels.run_source)) return 'run_source';
  if (labels.score_source !== filters.score_source) return 'score_source';
  if (labels.data_regime !== filters.data_regime) return 'data_regime';
  if (labels.policy !== filters.policy) return 'policy';
  if (labels.artifact_digest === null) return 'artifact';
  if (artifact_digest !== null && labels.artifact_digest !== artifact_digest) return 'artifact';
  return undefined;
}
