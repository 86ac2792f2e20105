// Where studies live: in memory, in one SQLite file, or on a PostgreSQL server; the last two in Optuna's own tables.

export { openMemoryStorage } from './memory.ts';
export { openStorage } from './open.ts';
export { openPostgresStorage } from './postgres.ts';
export { openSqliteStorage } from './sqlite.ts';
