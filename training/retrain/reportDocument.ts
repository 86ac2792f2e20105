// The report of a run as a document, and its files.

import { join } from 'node:path';
import { readJson, SluiceError, writeFileAtomic } from '../../core/index.ts';
import { type GateReport, type RetrainReport, renderReport } from '../report/index.ts';
import type { Experiment } from './experiment.ts';
import type { Market } from './market.ts';
import type { RunIdentity } from './modelArtifact.ts';
import { windowsOf } from './samples.ts';

/** What the report is made of. */
export interface ReportParts {
  readonly identity: RunIdentity;
  readonly market: Market;
  readonly experiment: Experiment;
  readonly runSource: string;
  readonly runId: string;
  readonly gate: GateReport;
  readonly oosTouches: number;
  readonly artifact: { readonly path: string; readonly digest: string };
  readonly baselineDigest: string;
  readonly startedAt: number;
  readonly finishedAt: number;
}

/** Puts the parts into the report's shape. */
export function reportOf(parts: ReportParts): RetrainReport {
  const { identity, experiment } = parts;
  const { samples, validation } = experiment;
  return {
    report_version: 'report_v1',
    run_id: parts.runId,
    name: identity.config.name,
    as_of: identity.asOf,
    finished_at: parts.finishedAt,
    run_source: parts.runSource,
    data_version: samples.dataset.panel.dataVersion,
    feature_version: samples.dataset.featureVersion,
    code_version: `${identity.code.commit}${identity.code.dirty ? '-dirty' : ''}`,
    config_digest: identity.configDigest,
    dataset_digest: experiment.datasetDigest,
    lineage_id: identity.lineageId,
    seed: identity.config.seed,
    data: dataOf(parts),
    windows: windowsOf(samples),
    oos_touches: parts.oosTouches,
    folds: validation.folds,
    cpcv_paths: validation.cpcvPaths,
    arms: experiment.arms,
    neural: experiment.neural?.report ?? null,
    ensemble: experiment.ensemble,
    calibration: experiment.calibration,
    importance: experiment.importance,
    promoted_policy: experiment.promotedPolicy,
    gate: parts.gate,
    artifact: parts.artifact,
    baseline_digest: parts.baselineDigest,
    seconds: (parts.finishedAt - parts.startedAt) / 1000,
  };
}

function dataOf({ market, identity, experiment }: ReportParts): RetrainReport['data'] {
  const { panel } = market;
  const missing = panel.close.reduce((count, close) => count + (Number.isNaN(close) ? 1 : 0), 0);
  return {
    origin: market.origin,
    from: panel.openMs[0]!,
    to: panel.openMs.at(-1)! + panel.timeframeMs,
    timeframe: identity.config.data.timeframe,
    symbols: panel.symbols,
    bars: panel.close.length - missing,
    missing_bars: missing,
    rows: experiment.samples.dataset.rows,
    sources: panel.sources.map(({ file, sha256, venue }) => ({ file, sha256, venue })),
  };
}

/** Writes `reports/<run_id>.json` and `.html`. @returns path of the HTML */
export function writeReport(out: string, report: RetrainReport): string {
  const base = join(out, 'reports', report.run_id);
  writeFileAtomic(`${base}.json`, `${JSON.stringify(report, null, 2)}\n`);
  return writeHtml(base, report);
}

/** Draws the HTML of a stored report again. @throws SluiceError `input_missing` | `input_invalid` */
export function redrawReport(out: string, runId: string): string {
  const base = join(out, 'reports', runId);
  const stored = readJson(`${base}.json`) as RetrainReport;
  if (stored.report_version === 'report_v1') return writeHtml(base, stored);
  throw new SluiceError(
    'input_invalid',
    `${base}.json has report_version ${String(stored.report_version)}, this version reads report_v1.`,
  );
}

function writeHtml(base: string, report: RetrainReport): string {
  const path = `${base}.html`;
  writeFileAtomic(path, renderReport(report));
  return path;
}
