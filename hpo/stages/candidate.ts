// The registry's door for searches: a trial becomes a gate candidate if it came through all three stages on live data, and
// in no other way. The trials that it was chosen from count for good.

import { type Clock, digestOf, SluiceError } from '../../core/index.ts';
import {
  countSearchTrials,
  type Database,
  type GateCandidate,
  type Queryable,
  recordGateCandidate,
  recordSearchTrials,
} from '../../data/store/index.ts';
import { deflatedSharpe, sharpeMoments } from '../../models/evaluate/index.ts';
import { configDigest } from '../../training/retrain/index.ts';
import { applyParams } from '../objective/index.ts';
import { type FrozenTrial, isFeasible, type Json, type Storage } from '../study/index.ts';
import { findPlan, type Plan } from './plan.ts';
import { paramsOf } from './ranking.ts';

/** A trial of the last stage, and where it is put forward. */
export interface CandidateRequest {
  readonly db: Database;
  readonly storage: Storage;
  readonly studyName: string;
  readonly number: number;
  readonly clock: Clock;
}

/**
 * Registers a trial of stage 3 as a gate candidate.
 * @returns the row; registering it again changes nothing
 * @throws SluiceError `database_refused` with every reason at once: it skipped a stage, was pruned or failed in one, is not
 *   feasible, has other parameters there, or its data are not live | `input_missing` (study)
 */
export async function registerCandidate(request: CandidateRequest): Promise<GateCandidate> {
  const { db, storage, studyName, number, clock } = request;
  const { links, violations } = await chainOf(storage, studyName, number);
  const [last] = links;
  if (violations.length > 0 || last === undefined) {
    throw new SluiceError(
      'database_refused',
      `Trial ${number} of ${studyName} cannot become a gate candidate: ${violations.join('; ')}. Only a trial that came through coarse, refine and confirm on live data can.`,
      { study: studyName, number, violations },
    );
  }
  const plan = await findPlan(storage, studyName);
  const config = applyParams(plan.base, paramsOf(last.trial));
  const lineageId = plan.lineage_id;
  return db.transaction(async (tx) => {
    const trialCount = await recordTrials(tx, storage, plan);
    const row: GateCandidate = {
      candidate: candidateId(plan, config),
      market: plan.market,
      data_version: plan.data_version,
      data_regime: 'prod_live',
      config,
      stages: links.toReversed().map(({ study, trial }) => ({
        study_name: study,
        number: trial.number,
        value: trial.values![0]!,
      })),
      lineage_id: lineageId,
      trial_count: trialCount,
      evidence: evidenceOf(plan, last.trial, trialCount),
      registered_at: clock(),
    };
    await recordGateCandidate(tx, row);
    return row;
  });
}

/** What a candidate is known by: its config and its data, as the looks at forward OOS know it. */
export const candidateId = (plan: Plan, config: Parameters<typeof configDigest>[0]): string =>
  digestOf({ config_digest: configDigest(config), data_version: plan.data_version });

/**
 * Raises the counts of all studies of the plan's lineage, deleted ones included.
 * @returns trials ever made in searches on this market
 */
export async function recordTrials(db: Queryable, storage: Storage, plan: Plan): Promise<number> {
  for (const { studyName, trialCount } of await storage.readLineage(plan.lineage_id)) {
    await recordSearchTrials(db, plan.market, studyName, trialCount);
  }
  return countSearchTrials(db, plan.market);
}

/** A trial in one stage. */
interface Link {
  readonly study: string;
  readonly trial: FrozenTrial;
}

/** The trial in its last stage, then in the ones before, and all that speaks against it. */
async function chainOf(storage: Storage, study: string, number: number) {
  const links: Link[] = [];
  const violations: string[] = [];
  let at: { readonly studyName: string; readonly number: number } | null = {
    studyName: study,
    number,
  };
  let lineageId: string | null = null;
  for (let stage = 3; stage >= 1 && at !== null; stage -= 1) {
    const found = await linkOf(storage, at);
    if (found === null) {
      violations.push(`stage ${stage}: trial ${at.number} of ${at.studyName} is not there`);
      break;
    }
    lineageId ??= found.lineageId;
    violations.push(...objections(found, stage, lineageId, links[0]));
    links.push(found);
    if (stage > 1 && found.parent === null) {
      violations.push(`it skipped stage ${stage - 1}: it takes up no trial of it`);
    }
    at = found.parent;
  }
  return { links, violations };
}

type Found = Link & {
  readonly stage: number | null;
  readonly lineageId: string | null;
  readonly parent: { readonly studyName: string; readonly number: number } | null;
};

async function linkOf(
  storage: Storage,
  { studyName, number }: { readonly studyName: string; readonly number: number },
): Promise<Found | null> {
  const study = await storage.findStudy(studyName);
  if (study === null) return null;
  const trial = (await storage.readTrials(study.id, -1, [])).find((one) => one.number === number);
  if (trial === undefined) return null;
  const lineage = await storage.findLineage(study.id);
  const provenance = lineage && (await storage.findProvenance(study.id, number));
  return {
    study: studyName,
    trial,
    stage: lineage?.stage ?? null,
    lineageId: lineage?.lineageId ?? null,
    parent: provenance?.parent ?? null,
  };
}

function objections(
  { study, trial, ...found }: Found,
  stage: number,
  lineageId: string | null,
  last: Link | undefined,
): string[] {
  const where = `stage ${stage} (trial ${trial.number} of ${study})`;
  const regime = trial.userAttributes.get('data_regime');
  return [
    found.stage !== stage &&
      `${where} is of ${found.stage === null ? 'no stage' : `stage ${found.stage}`}`,
    found.lineageId !== lineageId && `${where} is of another lineage`,
    trial.state !== 'COMPLETE' && `${where} is ${trial.state}, not COMPLETE`,
    !isFeasible(trial) && `${where} breaks a constraint`,
    last !== undefined &&
      digestOf(paramsOf(last.trial)) !== digestOf(paramsOf(trial)) &&
      `${where} has other parameters`,
    stage === 3 &&
      regime !== 'prod_live' &&
      `${where} rests on data of the regime ${regime ?? 'unknown'}, not prod_live`,
  ].filter((objection) => objection !== false);
}

/** What is known of a confirmed trial, with the Sharpe ratio deflated by every trial ever made. */
function evidenceOf(plan: Plan, { userAttributes }: FrozenTrial, trialCount: number) {
  const forward = userAttributes.get('forward_oos') as
    | { readonly daily_returns: readonly number[] }
    | undefined;
  return {
    search_digest: plan.search_digest,
    seed: plan.seed,
    windows: plan.windows,
    dsr_2014_v1: deflatedSharpeOf(forward?.daily_returns ?? [], trialCount),
    ...Object.fromEntries<Json>(userAttributes),
  };
}

/**
 * DSR of daily returns after so many trials, whose spread is taken to be that of skill-less ones over as many days, as in
 * promotion and gate; null where no Sharpe ratio exists.
 */
export function deflatedSharpeOf(daily: readonly number[], trialCount: number): number | null {
  const moments = sharpeMoments(Float64Array.from(daily));
  if (moments === null) return null;
  return deflatedSharpe(moments, { count: trialCount, sharpeVariance: 1 / (moments.n - 1) })
    .probability;
}
