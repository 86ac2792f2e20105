import {
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { finishedRuns, openDatabase, recordRuns } from '../../../data/store/index.ts';
import { holdTransaction, kill, startHolder } from './children.ts';
import { conformance } from './conformance.ts';
import { failure } from './failure.ts';
import { makeRun } from './records.ts';

const clock = () => 1_700_000_000_000;

conformance('PGlite in memory', () => openDatabase({ folder: null, clock }));

describe('the embedded database', () => {
  let parent: string;
  let folder: string;
  before(async () => {
    parent = mkdtempSync(join(tmpdir(), 'sluice-store-'));
    folder = join(parent, 'deep', 'db');
    await killFirstOpening(folder);
  });
  after(() => rmSync(parent, { recursive: true, force: true }));

  it('is whole after kill -9 in the middle of its first opening', async () => {
    expect(readdirSync(folder)).not.to.include('pgdata');
    const db = await openDatabase({ folder, clock });
    expect(await finishedRuns(db)).to.deep.equal([]);
    await db.close();
    expect(readdirSync(folder).sort()).to.deep.equal(['holder.json', 'lock', 'pgdata']);
  });

  it('keeps what was committed from one opening to the next', async () => {
    const run = makeRun();
    const first = await openDatabase({ folder, clock });
    await recordRuns(first, [run]);
    await first.close();
    const second = await openDatabase({ folder, clock });
    expect(await finishedRuns(second, { runIds: [run.run_id] })).to.deep.equal([run]);
    await second.close();
  });

  it('is refused to a second holder in the same process, until the first closes', async () => {
    const first = await openDatabase({ folder, clock });
    const error = await failure(openDatabase({ folder, clock }));
    expect(error.code).to.equal('database_busy');
    await first.close();
    await (await openDatabase({ folder, clock })).close();
  });

  it('tells a second process how to run a server, and survives kill -9 inside a transaction', async () => {
    const holder = await holdTransaction(folder, '', 'killed');
    try {
      const error = await failure(openDatabase({ folder, clock }));
      expect(error.code).to.equal('database_busy');
      expect(error.message).to.contain(`process ${holder.pid} since 2023-11-14T22:13:20.000Z`);
      expect(error.message).to.contain('DATABASE_URL=postgres://');
    } finally {
      await kill(holder);
    }
    const db = await openDatabase({ folder, clock });
    const left = await finishedRuns(db, { runIds: ['killed', 'killed-committed'] });
    expect(left.map((run) => run.run_id)).to.deep.equal(['killed-committed']);
    await db.close();
  });

  it('writes its log through to the disk', async () => {
    const db = await openDatabase({ folder, clock });
    const [row] = await db.query(
      `SELECT current_setting('fsync') AS fsync, current_setting('wal_sync_method') AS method,
              current_setting('synchronous_commit') AS commit`,
    );
    expect(row).to.deep.equal({ fsync: 'on', method: 'open_datasync', commit: 'on' });
    await recordRuns(db, [makeRun()]);
    const flags = openFlags(join(folder, 'pgdata', 'pg_wal'));
    // Linux says how a file is open; O_SYNC holds O_DSYNC, octal 10000.
    if (flags !== undefined) expect(flags.some((flag) => (flag & 0o10000) !== 0)).to.equal(true);
    await db.close();
  });

  conformance('PGlite in a folder', () => openDatabase({ folder, clock }));
});

/** Kills a process once it has written some of the new database's files. */
async function killFirstOpening(folder: string): Promise<void> {
  const child = startHolder(folder, '', 'first');
  const halfDone = () => existsSync(folder) && globSync(join(folder, '.*', 'base')).length > 0;
  while (!halfDone() && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await kill(child);
}

/** Flags of this process's open files below a folder; undefined where the system does not say. */
function openFlags(folder: string): number[] | undefined {
  if (!existsSync('/proc/self/fdinfo')) return undefined;
  const target = (fd: string) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc/self/fd')
    .filter((fd) => linkOf(fd).startsWith(folder))
    .map((fd) => Number.parseInt(/flags:\s*(\d+)/.exec(target(fd))?.[1] ?? '0', 8));
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}
