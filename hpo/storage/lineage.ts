// Our own tables beside Optuna's: where a study belongs, what its trials rest on, how many there ever were.

import type { Lineage, LineageStudy, Provenance } from '../study/index.ts';
import type { Query, Row } from './engine.ts';
import { jsonText, parseJson } from './json.ts';
import { lineageTaken, noLineage, sameLineage } from './rules.ts';
import { readInteger } from './values.ts';

const columns =
  'study_id, study_name, lineage_id, config_digest, stage, parent_study_name, trial_count';

/**
 * The triggers count from here on; what is there already is counted now.
 * @throws SluiceError `database_refused` if the study has another lineage
 */
export async function insertLineage(
  query: Query,
  studyId: number,
  lineage: Lineage,
): Promise<void> {
  const known = await selectLineage(query, studyId);
  if (known !== null) {
    if (sameLineage(known, lineage)) return;
    throw lineageTaken(known.studyName, known);
  }
  await query(
    `INSERT INTO sluice_studies (${columns})
     SELECT study_id, study_name, $2, $3, $4, $5,
            (SELECT count(*) FROM trials WHERE trials.study_id = studies.study_id)
     FROM studies WHERE study_id = $1`,
    [studyId, lineage.lineageId, lineage.configDigest, lineage.stage, lineage.parent],
  );
}

/** The lineage of a study that is not deleted. */
export async function selectLineage(query: Query, studyId: number): Promise<LineageStudy | null> {
  const [row] = await query(`SELECT ${columns} FROM sluice_studies WHERE study_id = $1`, [studyId]);
  return row === undefined ? null : lineageOf(row);
}

/** All studies of a lineage. */
export async function selectLineageStudies(
  query: Query,
  lineageId: string,
): Promise<readonly LineageStudy[]> {
  const rows = await query(
    `SELECT ${columns} FROM sluice_studies WHERE lineage_id = $1 ORDER BY sluice_study_id`,
    [lineageId],
  );
  return rows.map(lineageOf);
}

const lineageOf = (row: Row): LineageStudy => ({
  lineageId: String(row.lineage_id),
  configDigest: String(row.config_digest),
  stage: readInteger(row.stage),
  parent: row.parent_study_name === null ? null : String(row.parent_study_name),
  studyName: String(row.study_name),
  deleted: row.study_id === null,
  trialCount: readInteger(row.trial_count),
});

/** Writes what a trial rests on, over what was there. */
export async function upsertProvenance(
  query: Query,
  studyId: number,
  number: number,
  { parent, evidence }: Provenance,
): Promise<void> {
  const [study] = await query('SELECT sluice_study_id FROM sluice_studies WHERE study_id = $1', [
    studyId,
  ]);
  if (study === undefined) throw noLineage(studyId);
  await query(
    `INSERT INTO sluice_provenance
       (sluice_study_id, trial_number, parent_study_name, parent_trial_number, evidence_json)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (sluice_study_id, trial_number) DO UPDATE
     SET parent_study_name = excluded.parent_study_name,
         parent_trial_number = excluded.parent_trial_number, evidence_json = excluded.evidence_json`,
    [
      readInteger(study.sluice_study_id),
      number,
      parent?.studyName ?? null,
      parent?.number ?? null,
      jsonText(evidence),
    ],
  );
}

/** What a trial rests on. */
export async function selectProvenance(
  query: Query,
  studyId: number,
  number: number,
): Promise<Provenance | null> {
  const [row] = await query(
    `SELECT trial.parent_study_name, parent_trial_number, evidence_json
     FROM sluice_provenance AS trial JOIN sluice_studies USING (sluice_study_id)
     WHERE study_id = $1 AND trial_number = $2`,
    [studyId, number],
  );
  if (row === undefined) return null;
  const { parent_study_name: name, parent_trial_number: parent, evidence_json: text } = row;
  return {
    parent: name === null ? null : { studyName: String(name), number: readInteger(parent) },
    evidence: parseJson(text, 'evidence_json'),
  };
}
