// What a run leaves in the tables: dataset, models, run records, the look at forward OOS and the gate's verdict,
// in one transaction.

import { type Clock, digestOf, type Policy, type RunRecord } from '../../core/index.ts';
import { datasetRow } from '../../data/market/index.ts';
import {
  countOosTouches,
  countSearchTrials,
  type Database,
  finishedRuns,
  type ModelRow,
  recordRetrain,
} from '../../data/store/index.ts';
import type { GateReport } from '../report/index.ts';
import { candidateCount, configDigest, type RetrainConfig } from './config.ts';
import type { Market } from './market.ts';
import type { PlacedArtifact, RunIdentity } from './modelArtifact.ts';
import { marketKey } from './runRecords.ts';

/** What is asked of the gate: the finished runs of one artifact under one policy. */
export interface GateQuestion {
  readonly policy: Policy;
  readonly artifactDigest: string;
  readonly minCompletedRuns: number;
  readonly minObservationDays: number;
}

/** The gate, handed in: training may not import serving (docs/decisions/001). */
export type Judge = (runs: readonly RunRecord[], question: GateQuestion) => GateReport;

/** All that is to be stored. */
export interface RunToStore {
  readonly db: Database;
  readonly clock: Clock;
  readonly judge: Judge;
  readonly identity: RunIdentity;
  readonly market: Market;
  readonly runId: string;
  readonly records: readonly RunRecord[];
  readonly model: PlacedArtifact;
  readonly promotedPolicy: Policy | null;
  /** a baseline that this run froze */
  readonly newBaseline: PlacedArtifact | null;
  readonly forwardOos: { readonly from: number; readonly to: number };
}

/**
 * Policies ever compared on this market, this run's among them: {@link candidateCount} of each distinct config, and every
 * trial of every search.
 */
export async function countTrials(db: Database, config: RetrainConfig): Promise<number> {
  const runs = await finishedRuns(db, { policies: ['tabular_only'] });
  const tried = runs
    .filter((run) => run.config.market === marketKey(config))
    .map((run) => [String(run.config.config_digest), Number(run.config.candidates ?? 1)] as const);
  const counts = new Map([...tried, [configDigest(config), candidateCount(config)]]);
  const searched = await countSearchTrials(db, marketKey(config));
  return [...counts.values()].reduce((sum, count) => sum + count, searched);
}

/** Stores a run; one that was recorded before is not recorded twice, but its look at forward OOS is. */
export async function storeRun(run: RunToStore): Promise<{ gate: GateReport; oosTouches: number }> {
  const { db, clock, identity, market, runId, model } = run;
  const policy = run.promotedPolicy ?? 'tabular_only';
  const known = await finishedRuns(db, { policies: [policy] });
  const knownIds = new Set(known.map(({ run_id }) => run_id));
  const fresh = run.records.some(({ run_id }) => knownIds.has(run_id)) ? [] : run.records;
  const { min_completed_runs, min_observation_days } = identity.config.gate;
  const gate = run.judge([...known, ...fresh], {
    policy,
    artifactDigest: model.digest,
    minCompletedRuns: min_completed_runs,
    minObservationDays: min_observation_days,
  });
  const dataVersion = market.panel.dataVersion;
  const candidate = digestOf({ config_digest: identity.configDigest, data_version: dataVersion });
  const baselines = run.newBaseline === null ? [] : [run.newBaseline];
  const at = clock();
  await recordRetrain(db, {
    dataset: datasetRow(market.stored, at),
    models: [
      ...baselines.map((baseline) => modelRow(identity, baseline, 'frozen_baseline')),
      modelRow(identity, model, run.promotedPolicy !== null ? 'promoted' : 'candidate'),
    ],
    runs: fresh,
    oosTouches: [
      {
        candidate,
        data_version: dataVersion,
        window: run.forwardOos,
        run_id: runId,
        touched_at: at,
      },
    ],
    verdict: { value: gate, at },
  });
  return { gate, oosTouches: await countOosTouches(db, candidate, run.forwardOos) };
}

function modelRow(identity: RunIdentity, placed: PlacedArtifact, role: ModelRow['role']): ModelRow {
  const { manifest } = placed;
  return {
    artifact_digest: placed.digest,
    model_name: manifest.model_name,
    model_version: manifest.model_version,
    type: manifest.type,
    role,
    lineage_id: manifest.lineage_id,
    path: placed.path,
    manifest: { ...manifest },
    created_at: identity.asOf,
  };
}
