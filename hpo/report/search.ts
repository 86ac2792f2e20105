// A search as a storage has it: every study of a lineage, and which trial of a stage takes up which of an earlier one.

import { SluiceError } from '../../core/index.ts';
import type {
  FrozenTrial,
  LineageStudy,
  Provenance,
  Storage,
  StoredStudy,
  StudySnapshot,
} from '../study/index.ts';

/** A study and where it belongs. */
export interface StudyRecord {
  /** null = of no lineage */
  readonly lineage: LineageStudy | null;
  /** null = deleted */
  readonly snapshot: StudySnapshot | null;
  /** names of the values where the study has given them; null = none */
  readonly metricNames: readonly string[] | null;
  /** trial number -> the trial of an earlier stage that it takes up */
  readonly parents: ReadonlyMap<number, NonNullable<Provenance['parent']>>;
}

/** All studies of a search, oldest first. */
export interface Search {
  /** that of the study which was asked for */
  readonly name: string;
  /** null = a study of no lineage, alone */
  readonly lineageId: string | null;
  readonly studies: readonly StudyRecord[];
}

/**
 * Reads the search that a study belongs to: its whole lineage, or the study alone if it has none.
 * @throws SluiceError `input_missing`
 */
export async function readSearch(storage: Storage, name: string): Promise<Search> {
  const stored = await storage.findStudy(name);
  if (stored === null) throw await noStudy(storage, name);
  const own = await storage.findLineage(stored.id);
  if (own === null) {
    return { name, lineageId: null, studies: [await readStudy(storage, stored, null)] };
  }
  const studies: StudyRecord[] = [];
  for (const lineage of await storage.readLineage(own.lineageId)) {
    const known = lineage.deleted ? null : await storage.findStudy(lineage.studyName);
    studies.push(known === null ? deleted(lineage) : await readStudy(storage, known, lineage));
  }
  return { name, lineageId: own.lineageId, studies };
}

async function noStudy(storage: Storage, name: string): Promise<SluiceError> {
  const names = (await storage.listStudies()).map((study) => study.name);
  return new SluiceError(
    'input_missing',
    `The storage has no study ${name}; it has ${names.join(', ') || 'none'}.`,
    { name, names },
  );
}

const deleted = (lineage: LineageStudy): StudyRecord => ({
  lineage: { ...lineage, deleted: true },
  snapshot: null,
  metricNames: null,
  parents: new Map(),
});

async function readStudy(
  storage: Storage,
  { id, name, directions }: StoredStudy,
  lineage: LineageStudy | null,
): Promise<StudyRecord> {
  const trials = await storage.readTrials(id, -1, []);
  const system = await storage.readStudyAttributes(id, 'system');
  // where Optuna's `set_metric_names` keeps them
  const names = system.get('study:metric_names');
  return {
    lineage,
    snapshot: { name, directions, trials },
    metricNames: Array.isArray(names) ? names.map(String) : null,
    parents: await readParents(storage, id, lineage, trials),
  };
}

/** A study without a parent takes up nothing. */
async function readParents(
  storage: Storage,
  studyId: number,
  lineage: LineageStudy | null,
  trials: readonly FrozenTrial[],
): Promise<StudyRecord['parents']> {
  const parents = new Map<number, NonNullable<Provenance['parent']>>();
  if (lineage === null || lineage.parent === null) return parents;
  for (const { number } of trials) {
    const provenance = await storage.findProvenance(studyId, number);
    if (provenance?.parent != null) parents.set(number, provenance.parent);
  }
  return parents;
}
