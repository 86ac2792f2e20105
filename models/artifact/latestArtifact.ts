// latest.json beside `models/`: which artifact a server opens when none is named. Written by whoever publishes,
// after everything else, so that it never names what was not registered. A hint, not a proof: opening verifies.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseStrict, readJson, SluiceError, writeFileAtomic } from '../../core/index.ts';

const place = z.strictObject({
  path: z.string().min(1),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
});
const latestSchema = z.strictObject({ latest: place, promoted: place.nullable() });

/** Paths are below the folder that holds latest.json. */
export type LatestArtifact = z.infer<typeof latestSchema>;

/** Names a new artifact as the latest; the promoted one stays until another is promoted. */
export function writeLatestArtifact(
  out: string,
  latest: LatestArtifact['latest'],
  isPromoted: boolean,
): void {
  const file = join(out, 'latest.json');
  const before = existsSync(file) ? readLatest(file).promoted : null;
  const named: LatestArtifact = { latest, promoted: isPromoted ? latest : before };
  writeFileAtomic(file, `${JSON.stringify(named, null, 2)}\n`);
}

/**
 * Folder of the artifact to open by default: the promoted one, else the latest.
 * @throws SluiceError `input_missing` if nothing was published | `input_invalid`
 */
export function latestArtifactFolder(out: string): string {
  const file = join(out, 'latest.json');
  const named = existsSync(file) ? readLatest(file) : null;
  const folder = named === null ? null : join(out, (named.promoted ?? named.latest).path);
  if (folder !== null && existsSync(folder)) return folder;
  throw new SluiceError(
    'input_missing',
    `Expected an artifact under ${out}, found ${folder === null ? 'none' : `that ${folder} is gone`}; run retrain, or name one with --artifact.`,
    { out },
  );
}

const readLatest = (file: string): LatestArtifact =>
  parseStrict(latestSchema, readJson(file), file, 'input_invalid');
