// Studies in the memory of this process, for tests and for searches that need no record.

import { isDeepStrictEqual } from 'node:util';
import { canonicalJson } from '../../core/index.ts';
import {
  type AttributeKind,
  type FrozenTrial,
  type Json,
  type Lease,
  type Lineage,
  type Provenance,
  type Storage,
  type StoredStudy,
  type TrialChanges,
  type TrialClaim,
  type TrialDraft,
  unstarted,
} from '../study/index.ts';
import {
  duplicateStudy,
  lineageTaken,
  missingStudy,
  noLineage,
  retriesKey,
  sameLineage,
  tellingValue,
} from './rules.ts';

interface MemoryStudy extends StoredStudy {
  readonly attributes: Readonly<Record<AttributeKind, Map<string, Json>>>;
  readonly trials: FrozenTrial[];
}

interface MemoryLineage extends Lineage {
  readonly studyId: number;
  readonly studyName: string;
  deleted: boolean;
  trialCount: number;
  readonly provenance: Map<number, Provenance>;
}

/** An empty storage that ends with its process. */
export function openMemoryStorage(): Storage {
  const studies = new Map<number, MemoryStudy>();
  const places = new Map<number, { readonly study: MemoryStudy; readonly number: number }>();
  const heartbeats = new Map<number, number>();
  const lineages: MemoryLineage[] = [];
  let studiesMade = 0;
  let trialsMade = 0;

  const studyOf = (studyId: number): MemoryStudy => {
    const study = studies.get(studyId);
    if (study === undefined) throw missingStudy(studyId);
    return study;
  };
  const lineageOf = (studyId: number) =>
    lineages.find((lineage) => lineage.studyId === studyId && !lineage.deleted);

  const add = (studyId: number, draft: TrialDraft): FrozenTrial => {
    const study = studyOf(studyId);
    trialsMade += 1;
    const trial = { ...copied(draft), id: trialsMade, number: study.trials.length };
    study.trials.push(trial);
    places.set(trial.id, { study, number: trial.number });
    const lineage = lineageOf(studyId);
    if (lineage !== undefined) lineage.trialCount += 1;
    return trial;
  };
  const replace = (trial: FrozenTrial, fields: Partial<FrozenTrial>): FrozenTrial => {
    const changed = { ...trial, ...fields };
    places.get(trial.id)!.study.trials[trial.number] = changed;
    return changed;
  };
  const running = (id: number): FrozenTrial | undefined => {
    const place = places.get(id);
    const trial = place?.study.trials[place.number];
    return trial?.state === 'RUNNING' ? trial : undefined;
  };
  /** The trial of a claim that still holds. */
  const held = ({ id, startedAt }: TrialClaim): FrozenTrial | undefined => {
    const trial = running(id);
    return trial?.startedAt === startedAt ? trial : undefined;
  };

  const takeBack = (trial: FrozenTrial, now: number, lease: Lease): void => {
    heartbeats.delete(trial.id);
    const retries = Number(trial.systemAttributes.get(retriesKey) ?? 0);
    if (retries >= lease.maxRetries) {
      replace(trial, { state: 'FAIL', completedAt: now });
      return;
    }
    const fixed = trial.systemAttributes.get('fixed_params');
    replace(trial, {
      state: 'WAITING',
      startedAt: null,
      params: new Map(),
      reports: new Map(),
      systemAttributes: new Map<string, Json>([
        ...(fixed === undefined ? [] : [['fixed_params', fixed] as const]),
        [retriesKey, retries + 1],
      ]),
    });
  };
  const reclaim = (studyId: number, now: number, lease: Lease): readonly number[] => {
    const stale = studyOf(studyId).trials.filter(
      ({ state, id }) =>
        state === 'RUNNING' && (heartbeats.get(id) ?? Number.POSITIVE_INFINITY) < lease.staleBefore,
    );
    for (const trial of stale) takeBack(trial, now, lease);
    return stale.map((trial) => trial.number);
  };

  const storage: Storage = {
    createStudy: async (name, directions) => {
      for (const study of studies.values()) if (study.name === name) throw duplicateStudy(name);
      studiesMade += 1;
      const stored = { id: studiesMade, name, directions: [...directions] };
      studies.set(stored.id, {
        ...stored,
        attributes: { user: new Map(), system: new Map() },
        trials: [],
      });
      return stored;
    },
    findStudy: async (name) => described([...studies.values()].find((s) => s.name === name)),
    listStudies: async () => [...studies.values()].map((study) => described(study)!),
    deleteStudy: async (studyId) => {
      for (const { id } of studyOf(studyId).trials) {
        places.delete(id);
        heartbeats.delete(id);
      }
      const lineage = lineageOf(studyId);
      if (lineage !== undefined) lineage.deleted = true;
      studies.delete(studyId);
    },
    setStudyAttributes: async (studyId, kind, attributes) => {
      merge(studyOf(studyId).attributes[kind], attributes);
    },
    readStudyAttributes: async (studyId, kind) => new Map(studyOf(studyId).attributes[kind]),

    ask: async (studyId, now, lease) => {
      if (lease !== null) reclaim(studyId, now, lease);
      const waiting = studyOf(studyId).trials.find((trial) => trial.state === 'WAITING');
      const running = { state: 'RUNNING', startedAt: now } as const;
      const trial = replace(waiting ?? add(studyId, unstarted), running);
      if (lease !== null) heartbeats.set(trial.id, now);
      return trial;
    },
    addTrial: async (studyId, draft) => add(studyId, draft),
    addTrialOnce: async (studyId, draft, key) => {
      const value = tellingValue(draft, key);
      const isThere = studyOf(studyId).trials.some(({ userAttributes }) =>
        isDeepStrictEqual(userAttributes.get(key), value),
      );
      return isThere ? null : add(studyId, draft);
    },
    write: async (claim, changes) => {
      const trial = held(claim);
      if (trial === undefined) return false;
      replace(trial, changed(trial, changes));
      return true;
    },
    finish: async (claim, changes, end) => {
      const trial = held(claim);
      if (trial === undefined) return false;
      replace(trial, { ...changed(trial, changes), ...end });
      heartbeats.delete(trial.id);
      return true;
    },
    heartbeat: async (trialIds, now) => {
      for (const id of trialIds) if (running(id) !== undefined) heartbeats.set(id, now);
    },
    reclaim: async (studyId, now, lease) => reclaim(studyId, now, lease),
    readTrials: async (studyId, afterId, openIds) => {
      const open = new Set(openIds);
      return studyOf(studyId).trials.filter(({ id }) => id > afterId || open.has(id));
    },

    setLineage: async (studyId, lineage) => {
      const { name, trials } = studyOf(studyId);
      const known = lineageOf(studyId);
      if (known !== undefined) {
        if (sameLineage(known, lineage)) return;
        throw lineageTaken(name, known);
      }
      lineages.push({
        ...lineage,
        studyId,
        studyName: name,
        deleted: false,
        trialCount: trials.length,
        provenance: new Map(),
      });
    },
    readLineage: async (lineageId) =>
      lineages.filter((lineage) => lineage.lineageId === lineageId).map(shown),
    findLineage: async (studyId) => {
      const lineage = lineageOf(studyId);
      return lineage === undefined ? null : shown(lineage);
    },
    setProvenance: async (studyId, number, provenance) => {
      const lineage = lineageOf(studyId);
      if (lineage === undefined) throw noLineage(studyId);
      canonicalJson(provenance.evidence);
      lineage.provenance.set(number, structuredClone(provenance));
    },
    findProvenance: async (studyId, number) => lineageOf(studyId)?.provenance.get(number) ?? null,
    close: async () => {},
  };
  return storage;
}

const described = (study: MemoryStudy | undefined): StoredStudy | null =>
  study === undefined ? null : { id: study.id, name: study.name, directions: study.directions };

const shown = ({ studyId: _id, provenance: _all, ...lineage }: MemoryLineage) => lineage;

/** Adds what JSON can say; a later change of the caller's objects changes nothing here. */
function merge(to: Map<string, Json>, attributes: ReadonlyMap<string, Json>): Map<string, Json> {
  for (const [key, value] of attributes) to.set(key, JSON.parse(canonicalJson(value)));
  return to;
}

const changed = (trial: FrozenTrial, changes: TrialChanges): Partial<FrozenTrial> => ({
  params: new Map([...trial.params, ...changes.params]),
  reports: byStep(new Map([...trial.reports, ...changes.reports])),
  userAttributes: merge(new Map(trial.userAttributes), changes.userAttributes),
  systemAttributes: merge(new Map(trial.systemAttributes), changes.systemAttributes),
});

const copied = (draft: TrialDraft): TrialDraft => ({
  ...draft,
  params: new Map(draft.params),
  reports: byStep(draft.reports),
  userAttributes: merge(new Map(), draft.userAttributes),
  systemAttributes: merge(new Map(), draft.systemAttributes),
});

const byStep = (reports: ReadonlyMap<number, number>): ReadonlyMap<number, number> =>
  new Map([...reports].sort(([a], [b]) => a - b));
