// `models`: the registry. An artifact is registered once, under its digest and under its name and version.

import { z } from 'zod';
import { parseStrict } from '../../core/index.ts';
import { jsonCell, timeCell, timeColumn } from './cells.ts';
import type { Queryable } from './database.ts';

/** The row of `models`. Times are Unix ms UTC. */
export const modelRowSchema = z.strictObject({
  artifact_digest: z.string().min(1),
  model_name: z.string().min(1),
  model_version: z.string().min(1),
  type: z.enum(['lightgbm_liquid', 'tsmixer_liquid', 'ensemble_liquid']),
  role: z.enum(['candidate', 'promoted', 'frozen_baseline', 'rejected']),
  lineage_id: z.string().min(1),
  path: z.string().min(1),
  manifest: z.record(z.string(), z.unknown()),
  created_at: z.number(),
});

/** What {@link modelRowSchema} lets through. */
export type ModelRow = z.infer<typeof modelRowSchema>;

const columns =
  'artifact_digest, model_name, model_version, type, role, lineage_id, path, manifest, created_at';
const rowSchema = modelRowSchema.extend({ created_at: timeColumn });

/**
 * Registers an artifact; the same artifact once more changes nothing.
 * @throws SluiceError `database_refused` if the name and version belong to another artifact
 */
export async function recordModel(db: Queryable, model: ModelRow): Promise<void> {
  const row = parseStrict(modelRowSchema, model, 'model', 'input_invalid');
  await db.query(
    `INSERT INTO models (${columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9)
     ON CONFLICT (artifact_digest) DO NOTHING`,
    [
      row.artifact_digest,
      row.model_name,
      row.model_version,
      row.type,
      row.role,
      row.lineage_id,
      row.path,
      jsonCell(row.manifest),
      timeCell(row.created_at),
    ],
  );
}

/** The artifact with this digest, if it is registered. */
export async function findModel(db: Queryable, digest: string): Promise<ModelRow | undefined> {
  const rows = await db.query(`SELECT ${columns} FROM models WHERE artifact_digest = $1`, [digest]);
  return parseStrict(z.array(rowSchema), rows, 'models', 'internal')[0];
}

/** The newest artifact in a role, for example the frozen baseline of a model name. */
export async function latestModel(
  db: Queryable,
  modelName: string,
  role: ModelRow['role'],
): Promise<ModelRow | undefined> {
  const rows = await db.query(
    `SELECT ${columns} FROM models WHERE model_name = $1 AND role = $2
     ORDER BY created_at DESC, artifact_digest LIMIT 1`,
    [modelName, role],
  );
  return parseStrict(z.array(rowSchema), rows, 'models', 'internal')[0];
}
