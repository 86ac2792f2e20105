// What a verdict may rest on. Only `selectEvidence` makes an Evidence, so nothing can reach a judgement
// that did not pass the filters.

import { digestOf, type RunMetrics, type RunRecord } from '../../core/index.ts';
import {
  type GateFilters,
  type RunLabels,
  type SetAsideReason,
  setAsideReasons,
  whySetAside,
} from './filters.ts';

declare const brand: unique symbol;

/** What {@link selectEvidence} made: a cast or a changed copy is not among it. */
const genuine = new WeakSet<object>();

/** A completed run that passed the filters. */
export type EvidenceRun = RunRecord & {
  readonly metrics: RunMetrics;
  readonly artifact_digest: string;
};

/** Runs that passed the filters, each once, ordered by run_id; and how many were set aside. */
export interface Evidence {
  readonly [brand]: true;
  readonly filters: GateFilters;
  readonly runs: readonly EvidenceRun[];
  readonly setAside: Readonly<Record<SetAsideReason, number>>;
}

/** Runs that were counted but not read: they count as set aside, and are nothing else. */
export type UnreadRuns = readonly (RunLabels & { readonly runs: number })[];

/**
 * Chooses the runs that a verdict may rest on.
 *
 * Two runs with the same config (its `trial_count` apart), data and artifact are one run, done twice: the
 * less favourable one speaks.
 * @param unread counts by labels of runs that a store did not hand over; groups that pass the filters
 *   are taken to be among the records
 */
export function selectEvidence(
  records: readonly RunRecord[],
  filters: GateFilters,
  unread: UnreadRuns = [],
): Evidence {
  const setAside = Object.fromEntries(setAsideReasons.map((reason) => [reason, 0])) as Record<
    SetAsideReason,
    number
  >;
  const chosen = new Map<string, EvidenceRun>();
  for (const group of unread) {
    const reason = whySetAside(group, filters);
    if (reason !== undefined) setAside[reason] += group.runs;
  }
  for (const record of records) {
    const reason = whySetAside({ ...record, policy: record.config.policy }, filters);
    if (reason !== undefined || !isEvidenceRun(record)) {
      setAside[reason ?? 'not_completed'] += 1;
      continue;
    }
    const identity = identityOf(record);
    const twin = chosen.get(identity);
    if (twin !== undefined) setAside.duplicate += 1;
    if (twin === undefined || speaksBefore(record, twin)) chosen.set(identity, record);
  }
  const runs = [...chosen.values()].sort((a, b) => (a.run_id < b.run_id ? -1 : 1));
  const evidence = Object.freeze({ filters, runs, setAside }) as unknown as Evidence;
  genuine.add(evidence);
  return evidence;
}

/** True for what {@link selectEvidence} made, and for nothing else. */
export const isEvidence = (value: object): value is Evidence => genuine.has(value);

const isEvidenceRun = (record: RunRecord): record is EvidenceRun =>
  record.metrics !== null && record.artifact_digest !== null;

/** Same config, data (its version and window are in the config) and artifact. */
function identityOf({ config: { trial_count: _, ...config }, artifact_digest }: RunRecord): string {
  return digestOf({ config, artifact_digest });
}

/** Lower Sharpe, then more trials, then earlier, then by id: the same choice in any order of the rows. */
function speaksBefore(a: EvidenceRun, b: EvidenceRun): boolean {
  const order =
    a.metrics.sharpe_daily - b.metrics.sharpe_daily ||
    b.config.trial_count - a.config.trial_count ||
    (a.finished_at ?? 0) - (b.finished_at ?? 0);
  return order === 0 ? a.run_id < b.run_id : order < 0;
}
