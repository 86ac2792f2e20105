// D0, the control arm for ever: an ordinary registered artifact, fitted once for a market and label, then only opened.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, type Progress, SluiceError } from '../../core/index.ts';
import { type Database, latestModel } from '../../data/store/index.ts';
import {
  artifactFile,
  type OpenedArtifact,
  openArtifact,
  publicKeyOf,
} from '../../models/artifact/index.ts';
import type { TimeSpan } from '../../models/backtest/index.ts';
import { type Scorer, treeScorer } from '../../models/score/index.ts';
import type { LightgbmLibrary } from '../native/index.ts';
import type { RetrainConfig } from './config.ts';
import { fitFinal, rowsOf } from './fit.ts';
import type { Market } from './market.ts';
import { type PlacedArtifact, type RunIdentity, signModel } from './modelArtifact.ts';
import { fittedSpan } from './runRecords.ts';
import { type Samples, windowsOf } from './samples.ts';
import { r2AgainstZero, rankCorrelation } from './skill.ts';

/** The control arm of a run. */
export interface FrozenBaseline {
  readonly scorer: Scorer;
  readonly digest: string;
  /** sha256 of its trees: equal trees, equal control arm, whenever they were signed */
  readonly treesDigest: string;
  /** time that its training and validation data cover */
  readonly fitted: TimeSpan;
  /** what is to be registered; null if it is registered */
  readonly placed: PlacedArtifact | null;
}

/** What finding or making the baseline needs. */
export interface BaselineRequest {
  readonly config: RetrainConfig;
  readonly market: Market;
  readonly samples: Samples;
  /** of the run, for as_of, code and engine */
  readonly origin: Omit<RunIdentity, 'lineageId' | 'configDigest'>;
  readonly db: Database;
  readonly out: string;
  readonly privateKeyPem: string;
  readonly library: LightgbmLibrary;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Opens the registered baseline, or fits one on the search rows and freezes it. */
export async function obtainBaseline(request: BaselineRequest): Promise<FrozenBaseline> {
  const name = baselineName(request.config, request.market);
  const row = await latestModel(request.db, name, 'frozen_baseline');
  if (row === undefined) return freeze(request, name);
  const artifact = open(request, row.path, row.created_at);
  if (artifact.digest !== row.artifact_digest) {
    throw notRegistered(
      row.path,
      `its digest is ${artifact.digest}, registered is ${row.artifact_digest}`,
    );
  }
  return { ...asBaseline(artifact), placed: null };
}

/** The name holds market and label but no parameters: once frozen, a baseline stays whatever the config says. */
function baselineName(config: RetrainConfig, market: Market): string {
  const { symbols, sources } = market.panel;
  const simulator = market.origin === 'simulator' ? config.data.simulator : null;
  const venues = [...new Set(sources.map(({ venue }) => venue))];
  const { timeframe } = config.data;
  const of = digestOf({ symbols, venues, simulator, timeframe, label: config.label });
  return `${config.name}_d0_${of.slice(0, 8)}`;
}

async function freeze(request: BaselineRequest, name: string): Promise<FrozenBaseline> {
  const { config, samples, origin, out } = request;
  const { baselineDataset: dataset, spans } = samples;
  const rowsIn = ({ from, to }: { from: number; to: number }) =>
    Int32Array.from({ length: dataset.rows }, (_, row) => row).filter(
      (row) => dataset.t0[row]! >= from && dataset.t1[row]! <= to,
    );
  const { rounds } = config.baseline;
  const model = await fitFinal(request, dataset, rowsIn(spans.search), config.baseline, rounds);
  try {
    const test = rowsOf(dataset, rowsIn(spans.validation));
    const scores = model.predict(test.features, test.rows);
    const { rounds: _, ...fixed } = config.baseline;
    const metrics = {
      rank_ic: rankCorrelation(scores, test.labels),
      r2: r2AgainstZero(scores, test.labels),
    };
    const made = {
      name,
      data_version: request.market.panel.dataVersion,
      params: { rounds, ...fixed, threads: 0 },
    };
    const config_digest = digestOf(made);
    const identity: RunIdentity = {
      ...origin,
      configDigest: config_digest,
      lineageId: digestOf({ config_digest, code: origin.code.digest }),
    };
    const placed = await signModel(
      out,
      identity,
      {
        name,
        trees: model,
        network: null,
        alpha: 1,
        dataset,
        windows: windowsOf(samples),
        foldMetrics: [{ fold: 0, from: spans.validation.from, to: spans.validation.to, metrics }],
        promotedPolicy: null,
        trialCount: 1,
        trainReport: {
          train_report_version: 1,
          ...made,
          windows: windowsOf(samples),
          validation: metrics,
        },
        validDays: foreverDays,
      },
      request.privateKeyPem,
    );
    return { ...asBaseline(open(request, placed.path, origin.asOf)), placed };
  } finally {
    model.close();
  }
}

/** A control arm does not expire within a lifetime. */
const foreverDays = 36_500;

const asBaseline = ({
  trees,
  digest,
  manifest,
}: OpenedArtifact): Omit<FrozenBaseline, 'placed'> => ({
  scorer: treeScorer(trees!), // a model of trees alone: `open` has looked
  digest,
  fitted: fittedSpan(manifest.windows),
  treesDigest: manifest.files.find(({ name }) => name === artifactFile.tabular)!.sha256,
});

function open(request: BaselineRequest, path: string, nowMs: number): OpenedArtifact {
  const folder = join(request.out, path);
  if (!existsSync(folder)) throw notRegistered(path, 'the folder is gone');
  const verdict = openArtifact(folder, {
    publicKeysPem: [publicKeyOf(request.privateKeyPem)],
    nowMs,
    expected: { feature_version: request.samples.baselineDataset.featureVersion },
  });
  if (verdict.ok && verdict.artifact.trees !== null) return verdict.artifact;
  if (verdict.ok) throw notRegistered(path, 'it holds no trees');
  throw notRegistered(path, verdict.violations.map(({ message }) => message).join(' '));
}

function notRegistered(path: string, why: string): SluiceError {
  return new SluiceError(
    'input_invalid',
    `The frozen baseline ${path} is not what was registered: ${why}. Restore the folder; a control arm is never refitted.`,
    { path },
  );
}
