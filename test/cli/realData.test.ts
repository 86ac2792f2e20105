// The main job on real bars, reduced in folds and rounds: what it may claim, and what it leaves alone.

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../core/index.ts';
import { finishedRuns, listDatasets, openDatabase } from '../../data/store/index.ts';
import { hasSharedData, needsSharedData, sharedData } from '../sharedData.ts';
import { realConfig, writeConfig } from '../training/retrain/smallConfig.ts';
import { documentOf, type Ended, sluice } from './sluice.ts';

/** Names, sizes and times of change of all that lies in the shared folder. */
const stampsOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => {
      const { size, mtimeMs, ctimeMs } = statSync(join(folder, name));
      return `${name} ${size} ${mtimeMs} ${ctimeMs}`;
    })
    .sort();

describe('the command line: retrain on real bars', function () {
  this.timeout(300_000);
  let folder: string;
  let out: string;
  let ended: Ended;
  let untouched: string[];
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-real-'));
    out = join(folder, 'out');
    if (!hasSharedData) return;
    untouched = stampsOf(sharedData());
    const config = writeConfig(folder, realConfig());
    const places = ['--data', sharedData(), '--out', out, '--as-of', '2026-01-31'];
    ended = await sluice('retrain', '--config', config, ...places, '--json', '--no-progress');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('ends with a judged and signed model, recorded as maintenance', async function () {
    needsSharedData(this);
    expect(ended.exit, ended.stderr).to.equal(0);
    const document = documentOf(ended) as {
      run_source: string;
      gate: { status: string };
      artifact: { path: string; digest: string };
    };
    expect(document.run_source).to.equal('maintenance');
    expect(document.gate.status).to.equal('insufficient_observation');
    const key = join(out, 'keys', 'signing.pub.pem');
    const verified = await sluice(
      'artifact',
      'verify',
      document.artifact.path,
      '--key',
      key,
      '--json',
    );
    expect(documentOf(verified)).to.deep.include({ ok: true, digest: document.artifact.digest });
  });

  it('calls forward OOS prod_live and validation maintenance_replay, for models alone', async function () {
    needsSharedData(this);
    const db = await openDatabase({ folder: join(out, 'db'), clock: systemClock });
    const runs = await finishedRuns(db);
    const [dataset] = await listDatasets(db);
    await db.close();
    const labels = runs
      .filter(({ score_source }) => score_source === 'model')
      .map(({ config, data_regime }) => `${config.policy} ${config.window_name} ${data_regime}`);
    expect(labels.sort()).to.deep.equal([
      'frozen_baseline forward_oos prod_live',
      'frozen_baseline validation maintenance_replay',
      'tabular_only forward_oos prod_live',
      'tabular_only validation maintenance_replay',
    ]);
    expect(runs).to.have.length(8);
    expect(runs.every(({ run_source }) => run_source === 'maintenance')).to.equal(true);
    expect(dataset).to.include({ venue: 'binance_spot', simulated: false });
    // as the README of the data counts them, less the rows that stand off the grid
    expect(dataset!.row_count).to.equal(116_928 - 86);
  });

  it('is not judged by the gate, whatever it gained: maintenance is for monitoring', async function () {
    needsSharedData(this);
    const args = ['--min-completed-runs', '1', '--min-observation-days', '1'];
    const gate = await sluice('gate', '--out', out, ...args, '--json');
    expect(gate.exit).to.equal(4);
    expect((documentOf(gate).counts as { completed_runs: number }).completed_runs).to.equal(0);
  });

  it('writes nothing into the folder of the data', function () {
    needsSharedData(this);
    expect(stampsOf(sharedData())).to.deep.equal(untouched);
  });
});
