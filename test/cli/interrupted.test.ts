// A retrain that is stopped, killed, locked out or out of disk: nothing half-written, and the next one goes on.

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { createRandom, systemClock } from '../../core/index.ts';
import { findModel, finishedRuns, openDatabase } from '../../data/store/index.ts';
import { openArtifact, readKeyFile } from '../../models/artifact/index.ts';
import { smallConfig, writeConfig } from '../training/retrain/smallConfig.ts';
import { documentOf, type Ended, filesBelow, leftovers, type Running, start } from './sluice.ts';

const kills = 12;
/** 4 arms in 2 windows */
const runsOfOne = 8;

describe('the command line: an interrupted retrain', function () {
  this.timeout(300_000);
  let folder: string;
  let config: string;
  let digest: string;
  let undisturbedMs: number;

  const retrain = (out: string, shell?: string): Running =>
    start(['retrain', '--config', config, '--out', out, '--as-of', '2026-01-31', '--json'], shell);
  const digestOf = (ended: Ended): string => {
    expect(ended.exit, ended.stderr).to.equal(0);
    return (documentOf(ended).artifact as { digest: string }).digest;
  };
  const errorOf = (ended: Ended) => documentOf(ended).error as { code: string; message: string };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-interrupted-'));
    config = writeConfig(folder, smallConfig());
    const begin = systemClock();
    digest = digestOf(await retrain(join(folder, 'undisturbed')).ended);
    undisturbedMs = systemClock() - begin;
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** What a killed run may leave: whole signed folders, and all the rows of a run or none. */
  async function requireNothingHalf(out: string): Promise<void> {
    const models = join(out, 'models');
    const names = existsSync(models) ? readdirSync(models) : [];
    for (const name of names) {
      for (const version of readdirSync(join(models, name))) {
        if (version.startsWith('.')) continue; // in preparation, not in place
        const publicKeysPem = [readKeyFile(join(out, 'keys', 'signing.pub.pem'))];
        const verdict = openArtifact(join(models, name, version), { publicKeysPem, nowMs: 0 });
        expect(verdict.ok ? [] : verdict.violations, `${name}/${version}`).to.deep.equal([]);
      }
    }
    if (!existsSync(out)) return;
    const db = await openDatabase({ folder: join(out, 'db'), clock: systemClock });
    try {
      const runs = await finishedRuns(db);
      expect([0, runsOfOne]).to.include(runs.length);
      for (const { artifact_digest } of runs) {
        if (artifact_digest === null) continue;
        expect(await findModel(db, artifact_digest), artifact_digest).to.not.equal(undefined);
      }
    } finally {
      await db.close();
    }
    for (const path of filesBelow(join(out, 'reports'))) {
      if (path.endsWith('.json') && !path.includes('.staging-')) {
        expect(() => JSON.parse(readFileSync(path, 'utf8')), path).to.not.throw();
      }
    }
  }

  it(`goes on after kill -9 at ${kills} moments, with the artifact of an undisturbed run`, async () => {
    const random = createRandom(12);
    const out = join(folder, 'killed');
    let killed = 0;
    for (let k = 0; k < kills; k += 1) {
      const { child, ended } = retrain(out);
      // one moment in each twelfth of the run
      await Promise.race([wait(((k + random.uniform()) / kills) * undisturbedMs), ended]);
      child.kill('SIGKILL');
      if ((await ended).signal === 'SIGKILL') killed += 1;
      await requireNothingHalf(out);
      if (k % 4 === 3) {
        const begin = systemClock();
        expect(digestOf(await retrain(out).ended)).to.equal(digest);
        // another program may have slowed the run that the moments are taken from
        undisturbedMs = Math.min(undisturbedMs, 1.5 * (systemClock() - begin));
        await requireNothingHalf(out);
        expect(leftovers(out)).to.deep.equal([]);
        rmSync(out, { recursive: true });
      }
    }
    expect(killed).to.be.at.least(kills / 3);
  });

  it('sweeps whatever a killed run had in preparation, wherever that was', async () => {
    const out = join(folder, 'undisturbed');
    const gone = `.staging-${2 ** 22 + 1}`; // no process has an id so large
    const [model, baseline] = readdirSync(join(out, 'models')).sort();
    for (const place of ['', 'bars', 'db', 'reports', `models/${model}`, `models/${baseline}`]) {
      mkdirSync(join(out, place, `.folder${gone}`));
      writeFileSync(join(out, place, `.folder${gone}`, 'half'), 'half');
      writeFileSync(join(out, place, `.file${gone}`), 'half');
    }
    expect(leftovers(out).length).to.be.above(12);
    expect(digestOf(await retrain(out).ended)).to.equal(digest);
    expect(leftovers(out)).to.deep.equal([]);
  });

  it('ends with cancelled, exit code 1, on Ctrl-C, and the next one goes on', async () => {
    const out = join(folder, 'cancelled');
    const { child, ended } = retrain(out);
    child.stderr!.on('data', (text: string) => {
      if (text.includes('trees: fold 2/')) child.kill('SIGINT');
    });
    const stopped = await ended;
    expect(stopped.exit).to.equal(1);
    expect(errorOf(stopped).code).to.equal('cancelled');
    expect(stopped.stderr).to.match(/on request.* \[cancelled\]\n$/);
    expect(leftovers(out)).to.deep.equal([]);
    expect(existsSync(join(out, 'models', 'small'))).to.equal(false);
    await requireNothingHalf(out);
    expect(digestOf(await retrain(out).ended)).to.equal(digest);
  });

  it('ends with cancelled while bars are stored, too', async () => {
    const out = join(folder, 'cancelled-early');
    const { child, ended } = retrain(out);
    child.stderr!.once('data', () => child.kill('SIGINT'));
    const stopped = await ended;
    expect(stopped.exit).to.equal(1);
    expect(errorOf(stopped).code).to.equal('cancelled');
    expect(filesBelow(join(out, 'bars'))).to.deep.equal([]);
  });

  it('lets one of two in one folder through and tells the other of a server', async () => {
    const out = join(folder, 'both');
    const both = await Promise.all([retrain(out).ended, retrain(out).ended]);
    const [won, lost] = both.sort((a, b) => a.exit! - b.exit!);
    expect(digestOf(won!)).to.equal(digest);
    if (lost!.exit === 0) expect(digestOf(lost!)).to.equal(digest);
    else {
      expect(lost!.exit).to.equal(1);
      expect(errorOf(lost!).code).to.equal('database_busy');
      expect(errorOf(lost!).message).to.contain('DATABASE_URL=postgres://');
    }
    await requireNothingHalf(out);
  });

  it('says in one sentence that a file cannot be written, and goes on once it can', async () => {
    const out = join(folder, 'full');
    cpSync(join(folder, 'undisturbed'), out, { recursive: true });
    // no file may grow beyond 16 blocks of 1 KiB: writing more fails as on a full disk
    const limited = await retrain(out, 'ulimit -f 16; exec "$@"').ended;
    expect(limited.exit).to.equal(1);
    expect(errorOf(limited).code).to.equal('database_failed');
    expect(errorOf(limited).message).to.contain('see that the disk has room');
    expect(limited.stderr).to.not.match(/^\s+at /m);
    await requireNothingHalf(out);
    expect(digestOf(await retrain(out).ended)).to.equal(digest);
    expect(leftovers(out)).to.deep.equal([]);
  });
});
