// The main job on a small simulated market, through the command line, and what can be done with its result.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { z } from 'zod';
import {
  type RunRecord,
  readCodeVersion,
  runMetricsSchema,
  systemClock,
} from '../../core/index.ts';
import { finishedRuns, openDatabase } from '../../data/store/index.ts';
import { smallConfig, writeConfig } from '../training/retrain/smallConfig.ts';
import { retrainSchema } from './retrainSchema.ts';
import { contentOf, documentOf, type Ended, leftovers, sluice } from './sluice.ts';

type Retrained = z.infer<typeof retrainSchema>;

/** What `doctor` says of a thing for GPUs: not there, of no use here, or what it is. */
const foundSchema = <T extends z.ZodType>(schema: T) =>
  z.union([
    z.literal(false),
    z.strictObject({ path: z.string().nullable(), error: z.string() }),
    schema,
  ]);

describe('the command line: retrain on a simulated market', function () {
  this.timeout(120_000);
  let folder: string;
  let out: string;
  let ended: Ended;
  let retrained: Retrained;
  let config: string;
  const retrain = (...args: string[]) =>
    sluice('retrain', '--config', config, '--out', out, '--as-of', '2026-01-31', ...args);
  const publicKey = () => join(out, 'keys', 'signing.pub.pem');

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
    out = join(folder, 'out');
    config = writeConfig(folder, smallConfig());
    ended = await retrain('--json');
    retrained = retrainSchema.parse(documentOf(ended));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** The recorded runs of the folder. */
  async function recorded(): Promise<RunRecord[]> {
    const db = await openDatabase({ folder: join(out, 'db'), clock: systemClock });
    try {
      return await finishedRuns(db);
    } finally {
      await db.close();
    }
  }

  it('ends well though nothing is promoted, with one JSON document on stdout', () => {
    expect(ended.exit).to.equal(0);
    expect(ended.stdout.trimEnd().split('\n')).to.have.length(1);
    expect(retrained.arms.map(({ policy, promoted }) => [policy, promoted])).to.deep.equal([
      ['tabular_only', false],
      ['frozen_baseline', null],
      ['ridge', null],
      ['zero', null],
    ]);
    expect(retrained.arms[0]!.reasons).to.not.deep.equal([]);
    expect(ended.stderr).to.contain('trees: fold 1/6').and.to.contain('record: store');
  });

  it('leaves a whole folder: bars, keys, artifacts, report, and nothing in preparation', () => {
    expect(readdirSync(out).sort()).to.deep.equal([
      'bars',
      'db',
      'keys',
      'latest.json',
      'models',
      'reports',
    ]);
    expect(leftovers(out)).to.deep.equal([]);
    expect(readFileSync(join(out, 'latest.json'), 'utf8')).to.contain(retrained.artifact.digest);
  });

  it('records every arm in both windows, as smoke, with labels that are computed', async () => {
    const runs = await recorded();
    expect(runs.map(({ run_id }) => run_id).sort()).to.deep.equal(
      ['frozen_baseline', 'ridge', 'tabular_only', 'zero'].flatMap((policy) => [
        `${retrained.run_id}-${policy}-forward_oos`,
        `${retrained.run_id}-${policy}-validation`,
      ]),
    );
    const of = (policy: string, window: string) =>
      runs.find(({ run_id }) => run_id === `${retrained.run_id}-${policy}-${window}`)!;
    expect(new Set(runs.map(({ run_source }) => run_source))).to.deep.equal(new Set(['smoke']));
    expect(of('tabular_only', 'validation')).to.include({
      score_source: 'model',
      data_regime: 'maintenance_replay',
      artifact_digest: retrained.artifact.digest,
    });
    // after its training data, but on no real venue
    expect(of('tabular_only', 'forward_oos').data_regime).to.equal('mixed');
    expect(of('ridge', 'validation')).to.include({
      score_source: 'heuristic',
      artifact_digest: null,
    });
    for (const arm of retrained.arms) {
      expect(of(arm.policy, 'validation').metrics).to.deep.equal(arm.validation.metrics);
      expect(of(arm.policy, 'forward_oos').metrics).to.deep.equal(arm.forward_oos.metrics);
    }
  });

  it('lets the gate answer insufficient_observation, exit code 4', async () => {
    const gate = await sluice('gate', '--out', out, '--json');
    expect(gate.exit).to.equal(4);
    const verdict = documentOf(gate);
    expect(verdict).to.deep.include({ status: 'insufficient_observation', run_ids: [] });
    expect(verdict.counts).to.deep.include({ completed_runs: 0, observation_days: 0 });
    const one = await sluice(
      ...['gate', '--out', out, '--min-completed-runs', '1', '--min-observation-days', '1'],
    );
    expect(one.exit).to.equal(4);
    expect(one.stdout)
      .to.contain('insufficient_observation')
      .and.to.contain('1 more completed run');
  });

  it('makes an artifact that verify and inspect accept', async () => {
    const dir = retrained.artifact.path;
    const verified = await sluice('artifact', 'verify', dir, '--key', publicKey(), '--json');
    expect(documentOf(verified)).to.deep.include({
      ok: true,
      digest: retrained.artifact.digest,
      violations: [],
    });
    const inspected = documentOf(await sluice('artifact', 'inspect', dir, '--json'));
    expect(inspected).to.deep.include({ ok: true, digest: retrained.artifact.digest });
    const manifest = inspected.manifest as Record<string, unknown>;
    expect(manifest).to.deep.include({
      type: 'lightgbm_liquid',
      policy: null,
      data_version: retrained.data_version,
      feature_version: retrained.feature_version,
      symbols: ['SIM0001', 'SIM0002'],
      seed: 7,
      created_at: Date.UTC(2026, 0, 31),
    });
  });

  it('draws a report that needs nothing else and shows every arm and every rule', () => {
    const html = readFileSync(retrained.report, 'utf8');
    expect(html).to.not.match(/<script|<link|<iframe|@import|url\((?!['"]?#)/i);
    expect(html.match(/(src|href)\s*=\s*["']?[^"'#>]*/gi) ?? []).to.deep.equal([]);
    const outside = (html.match(/https?:\/\/[^"'<> ]+/g) ?? []).filter(
      (url) => !url.startsWith('http://www.w3.org/'), // names of SVG, not places
    );
    expect(outside).to.deep.equal([]);
    for (const { policy } of retrained.arms) expect(html).to.contain(`<th>${policy} (`);
    for (const rule of [
      ...['net_return_positive', 'above_frozen_baseline', 'max_drawdown', 'reject_rate'],
      ...['beats_zero', 'beats_frozen_baseline', 'deflated_sharpe'],
    ]) {
      expect(html).to.contain(`<td>${rule}</td>`);
    }
    expect(html).to.contain(retrained.artifact.digest).and.to.contain(retrained.data_version);
    expect(html).to.contain('nothing promoted').and.to.contain('insufficient_observation');
    expect(html).to.contain('of simulated data');
    expect(html).to.not.match(/NaN|undefined|Infinity/);
  });

  it('draws the same report again from its numbers', async () => {
    const drawn = readFileSync(retrained.report, 'utf8');
    rmSync(retrained.report);
    const again = await sluice('report', retrained.run_id, '--out', out, '--json');
    expect(again.exit).to.equal(0);
    expect(documentOf(again)).to.deep.equal({ path: retrained.report });
    expect(readFileSync(retrained.report, 'utf8')).to.equal(drawn);
  });

  it('says the same to people when it is done again as of the same day, and adds no run', async () => {
    const before = contentOf(join(out, 'models'));
    const runs = await recorded();
    const again = await retrain('--threads', '1');
    expect(again.exit).to.equal(0);
    expect(again.stdout).to.contain('recorded as smoke').and.to.contain('Nothing was promoted:');
    expect(again.stdout).to.match(/tabular_only +forward_oos +-?\d+\.\d\d %/);
    expect(again.stdout).to.contain('Gate: insufficient_observation');
    expect(again.stdout).to.contain(retrained.artifact.digest).and.to.contain(retrained.report);
    expect(contentOf(join(out, 'models'))).to.deep.equal(before);
    expect(await recorded()).to.deep.equal(runs);
    const report = readFileSync(join(out, 'reports', `${retrained.run_id}.json`), 'utf8');
    expect(JSON.parse(report)).to.include({ oos_touches: 2 });
  });

  it('refuses run_source prod on simulated data with every reason at once, and records nothing', async () => {
    const runs = await recorded();
    const refused = await retrain('--run-source', 'prod', '--json');
    expect(refused.exit).to.equal(2);
    const { error } = documentOf(refused) as {
      error: { code: string; message: string; context: { violations: string[] } };
    };
    expect(error.code).to.equal('input_invalid');
    const { violations } = error.context;
    expect(violations[0]).to.contain('prod needs real data');
    expect(violations.length).to.equal(readCodeVersion().dirty ? 2 : 1);
    for (const violation of violations) expect(error.message).to.contain(violation);
    expect(await recorded()).to.deep.equal(runs);
  });

  describe('and what a backtest makes of it', () => {
    const backtest = (store: string, ...args: string[]) =>
      sluice(
        ...['backtest', '--artifact', retrained.artifact.path, '--data', store],
        ...['--out', out, '--no-progress', '--json', ...args],
      );
    const ownStore = () => join(out, 'bars', retrained.data_version);

    it('on its own bars is a maintenance_replay, of a longer window, recorded once', async () => {
      const before = await recorded();
      const first = await backtest(ownStore());
      expect(first.exit).to.equal(0);
      const document = documentOf(first) as {
        run_id: string;
        config: Record<string, unknown>;
        metrics: unknown;
      };
      runMetricsSchema.parse(document.metrics);
      expect(document.config).to.include({
        policy: 'tabular_only',
        run_source: 'smoke',
        score_source: 'model',
        data_regime: 'maintenance_replay',
        data_version: retrained.data_version,
      });
      expect(documentOf(await backtest(ownStore())).run_id).to.equal(document.run_id);
      const added = (await recorded()).filter(
        ({ run_id }) => !before.some((run) => run.run_id === run_id),
      );
      expect(added.map(({ run_id }) => run_id)).to.deep.equal([document.run_id]);
    });

    it('in the validation window is what the retrain recorded, number for number', async () => {
      const [arm] = retrained.arms;
      const run = (await recorded()).find(({ run_id }) =>
        run_id.endsWith('-tabular_only-validation'),
      )!;
      const { from, to } = run.config.window;
      const ended = await backtest(
        ...[ownStore(), '--from', new Date(from).toISOString(), '--to', new Date(to).toISOString()],
      );
      expect(documentOf(ended).metrics).to.deep.equal(arm!.validation.metrics);
    });

    it('on a later simulated market is not prod_live, and is refused where prod_live is expected', async () => {
      const simulated = await sluice(
        ...['data', 'simulate', '--seed', '11', '--symbols', '2', '--days', '400'],
        ...['--out', out, '--no-progress', '--json'],
      );
      const { path } = documentOf(simulated) as { path: string };
      const later = [path, '--from', '2021-09-01'];
      const ended = await backtest(...(later as [string]));
      expect((documentOf(ended).config as Record<string, unknown>).data_regime).to.equal('mixed');
      const refused = await backtest(...(later as [string]), '--data-regime', 'prod_live');
      expect(refused.exit).to.equal(2);
      expect(refused.stderr).to.contain('data_regime is computed as mixed, expected was prod_live');
    });

    it('is refused for a policy that the artifact does not allow', async () => {
      const refused = await backtest(ownStore(), '--policy', 'nn_only');
      expect(refused.exit).to.equal(2);
      expect(refused.stderr).to.contain('allows tabular_only; asked for nn_only');
    });
  });

  it('works on a store of simulated bars as on the simulator, recorded as smoke again', async () => {
    const elsewhere = join(folder, 'store');
    const simulated = documentOf(
      await sluice(
        ...['data', 'simulate', '--seed', '7', '--symbols', '2', '--days', '200'],
        ...['--out', elsewhere, '--no-progress', '--json'],
      ),
    ) as { path: string; data_version: string; seed: number; rows: number };
    expect(simulated).to.include({ data_version: retrained.data_version, seed: 7 });
    const ended = await sluice(
      ...['retrain', '--config', config, '--data', simulated.path, '--out', elsewhere],
      ...['--as-of', '2026-01-31', '--no-progress', '--json'],
    );
    const stored = retrainSchema.parse(documentOf(ended));
    expect(ended.stderr).to.equal('');
    for (const [i, arm] of stored.arms.entries()) {
      expect(arm.forward_oos.metrics, arm.policy).to.deep.equal(
        retrained.arms[i]!.forward_oos.metrics,
      );
    }
    expect(readFileSync(stored.report, 'utf8')).to.contain('of simulated data');
  });

  it('is found healthy by doctor', async () => {
    const ended = await sluice('doctor', '--out', out, '--json');
    expect(ended.exit).to.equal(0);
    z.strictObject({
      node: z.literal(process.version),
      cores: z.int().positive(),
      lightgbm: z.looseObject({ version: z.string(), openmp: z.boolean() }),
      lightgbm_cuda: foundSchema(
        z.strictObject({ path: z.string(), version: z.string().nullable() }),
      ),
      tsmixer: z.strictObject({
        cpu: z.string(),
        cuda: foundSchema(
          z.strictObject({
            path: z.string(),
            name: z.string(),
            capability: z.int(),
            driver: z.string(),
            runtime: z.string(),
            memory_bytes: z.int(),
          }),
        ),
      }),
      nvcc: z.strictObject({ path: z.string(), version: z.string().nullable() }).nullable(),
      gpu: z.strictObject({ name: z.string(), driver: z.string() }).nullable(),
      database: z.strictObject({
        kind: z.literal('embedded'),
        ok: z.literal(true),
        error: z.null(),
      }),
    }).parse(documentOf(ended));
    const { stdout } = await sluice('doctor', '--out', out);
    expect(stdout)
      .to.match(/LightGBM +4\./)
      .and.to.match(/TSMixer +cpu [a-z0-9]+,/)
      .and.to.match(/nvcc +\S/);
  });
});
