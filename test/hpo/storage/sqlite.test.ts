import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStorage } from '../../../hpo/storage/index.ts';
import { conformance } from './conformance.ts';

describe('a study database in a file', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-hpo-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  conformance('SQLite', async () => openSqliteStorage(join(folder, 'deep', 'studies.db')));
});
