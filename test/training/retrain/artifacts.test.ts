// Signing a model, freezing the baseline, and what a run leaves in the tables.

import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { dayMs, silent, systemClock } from '../../../core/index.ts';
import {
  type Database,
  findModel,
  finishedRuns,
  latestVerdicts,
  openDatabase,
  recordModel,
} from '../../../data/store/index.ts';
import { generateKeyPair, openArtifact } from '../../../models/artifact/index.ts';
import { judgeRuns } from '../../../serving/gate.ts';
import type { GbdtModel } from '../../../training/gbdt/index.ts';
import { findLightgbm, type LightgbmLibrary } from '../../../training/native/index.ts';
import { type BaselineRequest, obtainBaseline } from '../../../training/retrain/frozenBaseline.ts';
import { type RetrainConfig, retrain } from '../../../training/retrain/index.ts';
import { type Market, obtainMarket } from '../../../training/retrain/market.ts';
import {
  type PlacedArtifact,
  type RunIdentity,
  signModel,
} from '../../../training/retrain/modelArtifact.ts';
import { prepareSamples, type Samples, windowsOf } from '../../../training/retrain/samples.ts';
import { failure } from '../../data/store/failure.ts';
import { asOf, smallConfig } from './smallConfig.ts';
import { smallModel } from './smallMarket.ts';

const { privateKeyPem, publicKeyPem } = generateKeyPair();
const never = new AbortController().signal;
const code = { commit: 'c'.repeat(40), dirty: false, digest: 'c'.repeat(64) };

describe('retrain: artifacts and records', function () {
  this.timeout(60_000);
  const config = {
    ...smallConfig(),
    data: {
      ...smallConfig().data,
      simulator: { ...smallConfig().data.simulator, seed: 3, symbols: 1, days: 90 },
    },
  };
  let folder: string;
  let market: Market;
  let samples: Samples;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-artifacts-'));
    market = await obtainMarket({
      config,
      dataFolder: null,
      store: join(folder, 'bars'),
      progress: silent,
      signal: never,
    });
    samples = prepareSamples(config, market.panel, never);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const identity: RunIdentity = {
    config,
    configDigest: 'a'.repeat(64),
    code,
    lineageId: 'b'.repeat(64),
    asOf,
    engineVersion: '4',
    networkEngine: null,
  };

  describe('a signed model', () => {
    let model: GbdtModel;
    before(async () => {
      model = await smallModel(samples);
    });
    after(() => model.close());

    const sign = (
      out: string,
      changes: Partial<RunIdentity> = {},
      signed: GbdtModel = model,
    ): Promise<PlacedArtifact> =>
      signModel(
        join(folder, out),
        { ...identity, ...changes },
        {
          name: config.name,
          trees: signed,
          network: null,
          alpha: 1,
          dataset: samples.dataset,
          windows: windowsOf(samples),
          foldMetrics: [{ fold: 0, from: 0, to: 1, metrics: { r2: 0 } }],
          promotedPolicy: null,
          trialCount: 1,
          trainReport: { train_report_version: 1 },
          validDays: 30,
        },
        privateKeyPem,
      );
    const open = (out: string, { path }: PlacedArtifact) =>
      openArtifact(join(folder, out, path), { publicKeysPem: [publicKeyPem], nowMs: asOf });

    it('has one digest for the same inputs, in any folder and as often as it is made', async () => {
      const first = await sign('one');
      const second = await sign('two');
      const again = await sign('one');
      expect(second).to.deep.equal(first);
      expect(again).to.deep.equal(first);
      expect(open('one', first)).to.deep.include({ ok: true });
      expect(readdirSync(join(folder, 'one', 'models', config.name))).to.have.length(1);
    });

    it('has another digest and another folder as of another day', async () => {
      const first = await sign('one');
      const later = await sign('one', { asOf: asOf + dayMs });
      expect(later.digest).to.not.equal(first.digest);
      expect(later.path).to.not.equal(first.path);
      expect(later.manifest.created_at).to.equal(asOf + dayMs);
      expect(later.manifest.expires_at).to.equal(asOf + 31 * dayMs);
    });

    it('is refused beside one that was made from the same inputs and is another', async () => {
      const first = await sign('other');
      const other = await smallModel(samples, 2);
      const error = await failure(sign('other', {}, other));
      other.close();
      expect(error.code).to.equal('internal');
      expect(error.message).to.contain('same data, config and code').and.to.contain(first.digest);
    });

    it('is refused beside one that was tampered with, in a sentence that says what to do', async () => {
      const first = await sign('tampered');
      writeFileSync(join(folder, 'tampered', first.path, 'golden.json'), '{}');
      const error = await failure(sign('tampered'));
      expect(error.message)
        .to.contain('does not open')
        .and.to.contain('golden.json')
        .and.to.contain('Remove it and run again.');
    });

    it('replays golden rows from the whole of the data with LightGBM’s own scores', async () => {
      const verdict = open('one', await sign('one'));
      if (!verdict.ok) throw new Error('the artifact does not open');
      const { golden } = verdict.artifact;
      expect(golden.rows).to.equal(64);
      expect(golden.tabular).to.deep.equal(model.predict(golden.features, golden.rows));
      const { features, rows } = samples.dataset;
      const width = model.featureCount;
      const last = Math.floor((63 * rows) / 64);
      expect(golden.features.slice(63 * width)).to.deep.equal(
        features.slice(last * width, (last + 1) * width),
      );
    });
  });

  describe('the frozen baseline', () => {
    let db: Database;
    let library: LightgbmLibrary;
    let placed: PlacedArtifact;
    const out = () => join(folder, 'frozen');
    /** A library that nothing may be fitted with. */
    const untouchable = new Proxy({} as LightgbmLibrary, {
      get() {
        throw new Error('the baseline was fitted again');
      },
    });
    const obtain = (changes: Partial<BaselineRequest> = {}) =>
      obtainBaseline({
        config,
        market,
        samples,
        origin: { config, code, asOf, engineVersion: '4', networkEngine: null },
        db,
        out: out(),
        privateKeyPem,
        library: untouchable,
        progress: silent,
        signal: never,
        ...changes,
      });

    before(async () => {
      db = await openDatabase({ folder: null, clock: systemClock });
      library = findLightgbm();
      placed = (await obtain({ library })).placed!;
      const { manifest } = placed;
      await recordModel(db, {
        artifact_digest: placed.digest,
        model_name: manifest.model_name,
        model_version: manifest.model_version,
        type: manifest.type,
        role: 'frozen_baseline',
        lineage_id: manifest.lineage_id,
        path: placed.path,
        manifest: { ...manifest },
        created_at: asOf,
      });
    });
    after(() => db.close());

    it('is opened, never fitted again, once it is registered', async () => {
      const opened = await obtain();
      expect(opened.placed).to.equal(null);
      expect(opened.digest).to.equal(placed.digest);
    });

    it('stays the same whatever the config then asks of it, on whatever later day', async () => {
      const { baseline } = config;
      const changed = { ...config, seed: 8, baseline: { ...baseline, rounds: 99, leaves: 3 } };
      const later = asOf + 400 * dayMs;
      const origin = {
        ...{ config: changed, code, asOf: later },
        ...{ engineVersion: '5', networkEngine: null },
      };
      expect((await obtain({ config: changed, origin })).digest).to.equal(placed.digest);
    });

    it('is another one for another label or market', async () => {
      const other = { ...config, label: { ...config.label, horizon_bars: 6 } };
      const frozen = await obtain({ config: other, library });
      expect(frozen.placed!.path).to.not.equal(placed.path);
    });

    it('ends the run when its folder is gone, changed or another artifact', async () => {
      const place = join(out(), placed.path);
      const kept = join(folder, 'kept');
      cpSync(place, kept, { recursive: true });
      const restore = () => {
        rmSync(place, { recursive: true, force: true });
        cpSync(kept, place, { recursive: true });
      };
      rmSync(place, { recursive: true });
      const gone = await failure(obtain());
      expect(gone.code).to.equal('input_invalid');
      expect(gone.message)
        .to.contain(placed.path)
        .and.to.contain('the folder is gone')
        .and.to.contain('a control arm is never refitted');
      restore();
      writeFileSync(join(place, 'golden.json'), '{}');
      expect((await failure(obtain())).message).to.contain('golden.json');
      restore();
      const other = await obtain({
        library,
        db: await openDatabase({ folder: null, clock: systemClock }),
        origin: {
          ...{ config, code, asOf: asOf + dayMs },
          ...{ engineVersion: '4', networkEngine: null },
        },
      });
      rmSync(place, { recursive: true });
      cpSync(join(out(), other.placed!.path), place, { recursive: true });
      expect((await failure(obtain())).message).to.contain(`registered is ${placed.digest}`);
      restore();
      expect((await obtain()).digest).to.equal(placed.digest);
    });
  });

  it('are recorded once; each run is a look at forward OOS, each new config a trial', async () => {
    const db = await openDatabase({ folder: null, clock: systemClock });
    const out = join(folder, 'recorded');
    const once = async (changes: Partial<RetrainConfig> = {}) => {
      const { report } = await retrain({
        config: { ...config, ...changes },
        dataFolder: null,
        out,
        asOf,
        library: findLightgbm(),
        engineVersion: '4',
        engine: null,
        db,
        judge: judgeRuns,
        clock: systemClock,
        progress: silent,
        signal: never,
      });
      const runs = await finishedRuns(db);
      const trials = report.arms[0]!.validation.statistics.trial_count;
      return { report, runs: runs.length, touches: report.oos_touches, trials };
    };
    try {
      const first = await once();
      expect(first).to.include({ runs: 8, touches: 1, trials: 1 });
      const again = await once();
      expect(again).to.include({ runs: 8, touches: 2, trials: 1 });
      expect(again.report.artifact).to.deep.equal(first.report.artifact);
      const threaded = await once({ gbdt: { ...config.gbdt, threads: 1 } });
      expect(threaded).to.include({ runs: 8, touches: 3, trials: 1 });
      const other = await once({ gbdt: { ...config.gbdt, learning_rate: 0.1 } });
      expect(other).to.include({ runs: 16, touches: 1, trials: 2 });
      expect(other.report.baseline_digest).to.equal(first.report.baseline_digest);
      const registered = await findModel(db, other.report.artifact.digest);
      expect(registered).to.include({ role: 'candidate', created_at: asOf });
      expect(await latestVerdicts(db, 10)).to.have.length(4);
      expect(await latestTrials(db)).to.deep.equal([1, 2]);
    } finally {
      await db.close();
    }
  });
});

/** The trial counts of the recorded runs of the model arm, smallest first. */
async function latestTrials(db: Database): Promise<number[]> {
  const runs = await finishedRuns(db, { policies: ['tabular_only'] });
  return [...new Set(runs.map(({ config }) => config.trial_count))].sort((a, b) => a - b);
}
