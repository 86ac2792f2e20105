// What every storage says and does alike.

import { canonicalJson, SluiceError } from '../../core/index.ts';
import type { Json, Lineage, TrialDraft } from '../study/index.ts';
import { schemaVersion } from './engine.ts';

/** System attribute: how often a trial was taken back and run again. */
export const retriesKey = 'sluice_retries';

/** Whether two lineages are one. */
export const sameLineage = (a: Lineage, b: Lineage): boolean =>
  a.lineageId === b.lineageId &&
  a.configDigest === b.configDigest &&
  a.stage === b.stage &&
  a.parent === b.parent;

/** The user attribute that tells a trial from all others of its study, as JSON gives it back. @throws SluiceError `out_of_range` */
export function tellingValue({ userAttributes }: TrialDraft, key: string): Json {
  const value = userAttributes.get(key);
  if (value !== undefined) return JSON.parse(canonicalJson(value));
  throw new SluiceError(
    'out_of_range',
    `A trial that is added once needs the user attribute ${key}, which tells it from the others.`,
    { key },
  );
}

/** Tables of another version of Optuna. */
export const wrongSchema = (where: string, found: string | null) =>
  new SluiceError(
    'migration_changed',
    `${where} must hold Optuna's tables of version ${schemaVersion}; found ${found ?? 'none'}. Name another file, or let Optuna 5 upgrade it: optuna storage upgrade --storage URL.`,
    { where, found },
  );

/** No such study. */
export const missingStudy = (studyId: number) =>
  new SluiceError('input_missing', `The storage has no study with the id ${studyId}.`, { studyId });

/** The name of a study is taken. */
export const duplicateStudy = (name: string) =>
  new SluiceError(
    'database_refused',
    `A study ${name} exists already; load it, or take another name.`,
    { name },
  );

/** The study belongs to another lineage. */
export const lineageTaken = (name: string, { lineageId, stage }: Lineage) =>
  new SluiceError(
    'database_refused',
    `Study ${name} belongs to stage ${stage} of lineage ${lineageId} with another config or parent; make another study.`,
    { name, lineageId, stage },
  );

/** The study has no lineage. */
export const noLineage = (studyId: number) =>
  new SluiceError('database_refused', `Study ${studyId} has no lineage; set it first.`, {
    studyId,
  });
