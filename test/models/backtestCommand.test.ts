// The command backtest on a signed artifact and a stored market: what it refuses, and what its labels rest on.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  type CommandIo,
  createRandom,
  dayMs,
  isoTime,
  type RunRecord,
  silent,
  systemClock,
} from '../../core/index.ts';
import { parseFeatureSpec } from '../../data/feature/index.ts';
import { simulateData } from '../../data/main.ts';
import { loadPanel } from '../../data/market/index.ts';
import { finishedRuns, openDatabase } from '../../data/store/index.ts';
import {
  buildArtifact,
  generateKeyPair,
  type OpenedArtifact,
  openArtifact,
  publishArtifact,
} from '../../models/artifact/index.ts';
import {
  policyScores,
  runBacktest,
  scorePanel,
  scoreSequences,
  summariseRun,
} from '../../models/backtest/index.ts';
import { type BacktestOptions, backtest } from '../../models/backtestCommand.ts';
import { sequenceScorer, treeScorer } from '../../models/score/index.ts';
import { judgeRuns } from '../../serving/gate.ts';
import { retrain } from '../../training/main.ts';
import { failure } from '../data/store/failure.ts';
import { asOf, smallConfig, writeConfig } from '../training/retrain/smallConfig.ts';
import { randomNetwork, randomWindows } from './score/tsmixerSamples.ts';

const ioOf = (signal = new AbortController().signal): CommandIo => ({
  env: {},
  clock: systemClock,
  progress: silent,
  signal,
});

describe('the command backtest', function () {
  this.timeout(60_000);
  let folder: string;
  let out: string;
  let options: BacktestOptions;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-backtest-'));
    out = join(folder, 'out');
    const config = writeConfig(folder, smallConfig());
    const { json } = await retrain({ config, out, asOf, device: 'cpu' }, ioOf(), judgeRuns);
    const { path } = json.artifact as { path: string };
    options = {
      artifact: path,
      data: join(out, 'bars', String(json.data_version)),
      policy: 'tabular_only',
      runSource: 'maintenance',
      out,
    };
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const run = async (changes: Partial<BacktestOptions> = {}, io = ioOf()) =>
    (await backtest({ ...options, ...changes }, io)).json as unknown as Pick<
      RunRecord,
      'run_id' | 'config' | 'metrics'
    >;
  const stored = async (): Promise<RunRecord[]> => {
    const db = await openDatabase({ folder: join(out, 'db'), clock: systemClock });
    try {
      return await finishedRuns(db);
    } finally {
      await db.close();
    }
  };
  const market = async (changes: { seed?: number; timeframe?: string; days?: number }) => {
    const made = { seed: 9, symbols: 2, days: 90, alpha: 1, timeframe: '1h', ...changes };
    const { json } = await simulateData({ ...made, out: join(folder, 'other') }, ioOf());
    return String(json.path);
  };

  it('refuses an artifact that another key signed, with the violations', async () => {
    const key = join(folder, 'other.pub.pem');
    writeFileSync(key, generateKeyPair().publicKeyPem);
    const error = await failure(run({ key }));
    expect(error.code).to.equal('input_invalid');
    expect(error.message).to.contain('is refused');
    expect((error.context.violations as { code: string }[])[0]!.code).to.equal('unknown_key');
  });

  it('refuses bars of another length and symbols that it was not made for', async () => {
    const slow = await failure(run({ data: await market({ timeframe: '4h' }) }));
    expect(slow.message).to.contain('made for bars of 1h');
    const one = await simulateData(
      { seed: 9, symbols: 1, days: 90, alpha: 1, timeframe: '1h', out: join(folder, 'one') },
      ioOf(),
    );
    const few = await failure(run({ data: String(one.json.path) }));
    expect(few.message).to.contain('SIM0002');
  });

  it('refuses a window without a bar and names the bars that there are', async () => {
    const from = Date.UTC(2030, 0, 1);
    const error = await failure(run({ from }));
    expect(error.code).to.equal('out_of_range');
    expect(error.message).to.contain('2021-01-01');
  });

  it('refuses a run source or regime that is not so, and records nothing of it', async () => {
    const before = await stored();
    const prod = await failure(run({ runSource: 'prod' }));
    expect((prod.context.violations as string[])[0]).to.contain('prod needs real data');
    const live = await failure(run({ dataRegime: 'prod_live' }));
    expect(live.message).to.contain('computed as maintenance_replay, expected was prod_live');
    expect(await stored()).to.deep.equal(before);
  });

  it('stops on request and records nothing', async () => {
    const before = await stored();
    const error = await failure(run({}, ioOf(AbortSignal.abort())));
    expect(error.code).to.equal('cancelled');
    expect(await stored()).to.deep.equal(before);
  });

  it('records a run once, by what it is: another window is another run', async () => {
    const before = (await stored()).length;
    const whole = await run();
    expect(await run()).to.deep.equal(whole);
    const late = await run({ from: Date.UTC(2021, 5, 1) });
    expect(late.run_id).to.not.equal(whole.run_id);
    expect((await stored()).length).to.equal(before + 2);
    const row = (await stored()).find(({ run_id }) => run_id === late.run_id)!;
    expect(row.config.window.from, isoTime(row.config.window.from)).to.equal(Date.UTC(2021, 5, 1));
    expect(row).to.include({ run_source: 'smoke', score_source: 'model', status: 'completed' });
    expect(row.metrics).to.deep.equal(late.metrics);
  });

  it('decides nothing before the whole look-back of the features has passed', async () => {
    const begin = Date.UTC(2021, 0, 1);
    const early = await run({ from: begin, to: begin + 5 * dayMs });
    expect(early.metrics!.fills).to.equal(0);
    expect((await run()).metrics!.fills).to.be.above(0);
  });

  it('is scored by the model from the first bar that can be, and a fallback from any earlier one', async () => {
    const scored = await run();
    expect(scored.config.score_source).to.equal('model');
    const from = scored.config.window.from;
    const early = await run({ from: from - 3_600_000 });
    expect(early.config.window.from).to.equal(from - 3_600_000);
    expect(early.config.score_source).to.equal('fallback');
    const record = (await stored()).find(({ run_id }) => run_id === early.run_id);
    expect(record?.score_source).to.equal('fallback');
  });

  it('knows nothing of bars after its window', async () => {
    const window = { from: Date.UTC(2021, 1, 10), to: Date.UTC(2021, 2, 10) };
    const short = await run({ ...window, data: await market({ seed: 5, days: 80 }) });
    const long = await run({ ...window, data: await market({ seed: 5, days: 120 }) });
    expect(short.metrics!.fills).to.be.above(0);
    expect(long.metrics).to.deep.equal(short.metrics);
    expect(long.run_id, 'other data, other run').to.not.equal(short.run_id);
  });

  describe('of models with a network', () => {
    const nTokens = 24;
    const blend = 'blend_alpha_0.25' as const;
    let ensemble: string;
    let alone: string;
    before(async () => {
      ensemble = await sign(options, 'ensemble_liquid', nTokens);
      alone = await sign(options, 'tsmixer_liquid', nTokens);
    });

    it('is by the scores of the policy, for every policy of an ensemble; of the promoted one if none is named', async () => {
      const { trees, network, manifest } = open(ensemble, out);
      const { policy: _, ...unasked } = { ...options, artifact: ensemble };
      const panel = await loadPanel({ storePath: options.data, symbols: manifest.symbols });
      const spec = parseFeatureSpec(manifest.feature_spec);
      const { signal } = ioOf();
      const [tabular] = scorePanel(spec, [treeScorer(trees!)], panel, signal);
      const names = network!.channels.map(({ name }) => name);
      const nn = scoreSequences(spec, names, sequenceScorer(network!), panel, null, signal);
      const returns = new Set<number>();
      for (const policy of ['tabular_only', 'nn_only', blend] as const) {
        const asked = { ...unasked, ...(policy === manifest.policy ? {} : { policy }) };
        const { json } = await backtest(asked, ioOf());
        const { config, metrics } = json as unknown as Pick<RunRecord, 'config' | 'metrics'>;
        const { from, to } = config.window;
        const result = runBacktest({
          panel,
          scores: policyScores(policy, tabular!, nn),
          fromMs: from,
          toMs: to,
          trade: manifest.trade,
        });
        expect(metrics, policy).to.deep.equal(summariseRun(result, panel.timeframeMs));
        expect(config).to.include({ policy, score_source: 'model' });
        const first = spec.lookbackBars - 1 + (policy === 'tabular_only' ? 0 : nTokens - 1);
        expect(from).to.equal(panel.openMs[first]);
        returns.add(metrics!.total_return);
      }
      expect(returns.size, 'three policies, three results').to.equal(3);
    });

    it('falls back on the trees before the window of the network is whole, and says so', async () => {
      const { feature_spec } = open(ensemble, out).manifest;
      const { lookbackBars } = parseFeatureSpec(feature_spec);
      const openMs = (t: number) => Date.UTC(2021, 0, 1) + t * 3_600_000;
      const [from, to] = [openMs(lookbackBars - 1), openMs(lookbackBars + nTokens - 2)];
      const early = await run({ artifact: ensemble, policy: blend, from, to });
      expect(early.config.score_source).to.equal('fallback');
      const trees = await run({ artifact: ensemble, policy: 'tabular_only', from, to });
      expect(trees.config.score_source).to.equal('model');
      expect(early.metrics).to.deep.equal(trees.metrics);
      expect(early.run_id).to.not.equal(trees.run_id);
    });

    it('of a network alone needs no trees, has no fall-back and no other policy', async () => {
      const { policy: _, ...unasked } = options;
      const { json } = await backtest({ ...unasked, artifact: alone }, ioOf());
      const scored = json as unknown as Pick<RunRecord, 'config' | 'metrics'>;
      expect(scored.config).to.include({ policy: 'nn_only', score_source: 'model' });
      expect(scored.metrics!.fills).to.be.above(0);
      const from = scored.config.window.from;
      const early = await run({ artifact: alone, policy: 'nn_only', from: from - 3_600_000 });
      expect(early.config.score_source).to.equal('fallback');
      const error = await failure(run({ artifact: alone, policy: 'tabular_only' }));
      expect(error.code).to.equal('input_invalid');
      expect(error.message).to.contain('allows nn_only; asked for tabular_only');
    });
  });
});

const open = (path: string, out: string): OpenedArtifact => {
  const publicKeysPem = [readFileSync(join(out, 'keys', 'signing.pub.pem'), 'utf8')];
  const verdict = openArtifact(path, { publicKeysPem, nowMs: systemClock() });
  if (!verdict.ok) throw new Error(JSON.stringify(verdict.violations));
  return verdict.artifact;
};

/** The trained trees with a random network beside them, or that network alone. @returns the folder */
async function sign(
  { artifact, out }: BacktestOptions,
  type: 'ensemble_liquid' | 'tsmixer_liquid',
  nTokens: number,
): Promise<string> {
  const { manifest, trees, golden } = open(artifact, out);
  const { manifest_version, normalization, train_report_hash, files, ...draft } = manifest;
  const random = createRandom(5);
  const names = ['log_return_1', 'taker_imbalance_1', 'hour_of_day_sin'];
  const { weights, channels } = randomNetwork(random, { nTokens, nChannels: names.length });
  const network = { weights, channels: channels.map((c, i) => ({ ...c, name: names[i]! })) };
  const sequences = randomWindows(random, weights.shape, golden.rows);
  const nn = sequenceScorer(network).score(sequences, golden.rows);
  const blended = type === 'ensemble_liquid';
  const built = buildArtifact({
    manifest: {
      ...draft,
      type,
      model_name: type,
      n_tokens: nTokens,
      n_channels: names.length,
      ensemble_alpha: blended ? 0.25 : 0,
      policies_allowed: blended ? ['tabular_only', 'nn_only', 'blend_alpha_0.25'] : ['nn_only'],
      policy: blended ? 'blend_alpha_0.25' : null,
    },
    trees: blended ? trees : null,
    network,
    trainReport: {},
    golden: { ...golden, tabular: blended ? golden.tabular : null, sequences, nn },
    privateKeyPem: readFileSync(join(out, 'keys', 'signing.key.pem'), 'utf8'),
    nowMs: systemClock(),
  });
  const path = join(out, type);
  await publishArtifact(path, built);
  return path;
}
