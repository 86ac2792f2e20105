// One word for where a study lives.

import { openServer } from '../../data/store/index.ts';
import type { Storage } from '../study/index.ts';
import { openMemoryStorage } from './memory.ts';
import { openPostgresStorage } from './postgres.ts';
import { openSqliteStorage } from './sqlite.ts';

/**
 * Opens a storage.
 * @param where `:memory:`, `postgres://user:password@host:5432/database` or `sqlite:///file.db` (as for Optuna),
 *   or the path of a SQLite file
 * @throws SluiceError as {@link openSqliteStorage} and {@link openPostgresStorage} | `config_invalid` (URL)
 */
export async function openStorage(where: string): Promise<Storage> {
  if (where === ':memory:') return openMemoryStorage();
  const file = /^sqlite:\/\/\/(.+)$/.exec(where)?.[1];
  if (file !== undefined) return openSqliteStorage(file);
  if (!/^[a-z]+:\/\//.test(where)) return openSqliteStorage(where);
  const database = await openServer(where);
  try {
    return await openPostgresStorage(database);
  } catch (error) {
    await database.close();
    throw error;
  }
}
