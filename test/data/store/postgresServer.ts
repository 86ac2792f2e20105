// A throw-away PostgreSQL server on loopback, for the length of a test. It will not run as root, so a root
// caller starts it as the user `postgres`, or `nobody`.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  globSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { skipLoudly } from '../../skipLoudly.ts';

export interface PostgresServer {
  /** of a new, empty database */
  createDatabase(): Promise<string>;
  stop(): Promise<void>;
}

/** Folder of `initdb` and `postgres`, from PATH or where Debian puts them; undefined: not installed. */
function findPostgres(): string | undefined {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'initdb'));
  const debian = globSync('/usr/lib/postgresql/*/bin/initdb').sort((a, b) =>
    b.localeCompare(a, 'en', { numeric: true }),
  );
  return [...onPath, ...debian]
    .filter((initdb) => existsSync(initdb))
    .map((initdb) => dirname(realpathSync(initdb)))
    .find((bin) => existsSync(join(bin, 'postgres')));
}

/**
 * Gives the suite that is being described a server for as long as it runs; skips it, loudly, where none is installed.
 * @returns the server, once the suite has begun
 */
export function usePostgres(): () => PostgresServer {
  let server: PostgresServer | undefined;
  before(async function () {
    const bin = findPostgres();
    server = await startPostgres(
      bin ?? skipLoudly(this, 'no PostgreSQL (on Debian or Ubuntu: apt-get install postgresql)'),
    );
  });
  after(() => server?.stop());
  return () => server!;
}

/** Starts a server with an empty data folder; `stop` it, whatever happens. */
async function startPostgres(bin: string): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-postgres-'));
  const user = unprivileged();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const as = { ...user, env: { PATH: process.env.PATH, HOME: folder, LC_ALL: 'C' }, cwd: folder };
  const data = join(folder, 'data');
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'sluice', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'],
    { ...as, stdio: 'pipe' },
  );
  const port = await freePort();
  const log = join(folder, 'log');
  const settings = ['-p', String(port), '-c', 'listen_addresses=127.0.0.1'];
  const server = spawn(
    join(bin, 'postgres'),
    ['-D', data, ...settings, '-c', `unix_socket_directories=${folder}`, '-c', 'fsync=off'],
    { ...as, stdio: ['ignore', openSync(log, 'a'), openSync(log, 'a')] },
  );
  // should the tests end without their after hooks
  const abandon = () => server.kill('SIGQUIT');
  process.once('exit', abandon);
  const stop = async () => {
    process.off('exit', abandon);
    await end(server);
    rmSync(folder, { recursive: true, force: true });
  };
  const url = (database: string) => `postgres://sluice@127.0.0.1:${port}/${database}`;
  try {
    await ready(server, url('postgres'), log);
  } catch (error) {
    await stop();
    throw error;
  }
  let databases = 0;
  return {
    stop,
    createDatabase: async () => {
      databases += 1;
      await execute(url('postgres'), `CREATE DATABASE test_${databases}`);
      return url(`test_${databases}`);
    },
  };
}

/** The user to run as: ourselves, unless we are root. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag: string) =>
        Number(execFileSync('id', [flag, name], { stdio: 'pipe', encoding: 'utf8' }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {}
  }
  return { uid: 65_534, gid: 65_534 };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

async function ready(server: ChildProcess, url: string, log: string): Promise<void> {
  for (let attempt = 0; attempt < 300 && server.exitCode === null; attempt += 1) {
    try {
      return await execute(url, 'SELECT 1');
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error(`The PostgreSQL server did not start:\n${readFileSync(log, 'utf8')}`);
}

async function execute(url: string, sql: string): Promise<void> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

/** SIGINT is PostgreSQL's fast shutdown. */
async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, 'exit');
  server.kill('SIGINT');
  const late = setTimeout(() => server.kill('SIGQUIT'), 10_000);
  await exited;
  clearTimeout(late);
}
