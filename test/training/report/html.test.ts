import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import type { RunMetrics } from '../../../core/index.ts';
import {
  type ArmReport,
  type RetrainReport,
  renderReport,
  renderText,
} from '../../../training/report/index.ts';

const metrics: RunMetrics = {
  metrics_version: 'metrics_v1',
  sharpe_daily: 1.25,
  sharpe_method: 'daily_agg_v1',
  sharpe_step_raw: 1.5,
  observation_days: 3,
  vol_floor_applied: false,
  total_return: 0.0123,
  pnl_before_cost: 2,
  pnl_after_cost: 1,
  cost: { fee: 1, spread: 0, slippage: 0, funding: 0 },
  max_drawdown: -0.02,
  turnover: 0.1,
  reject_rate: 0,
  hit_rate: 0.5,
  exposure: 0.5,
  fills: 1,
  rejects: 0,
  missing_bars: 0,
  daily: { first_day: 20_000, returns: [0.01, -0.02, 0.0225] },
};

const net_return_per_day = {
  version: 'stationary_bootstrap_1994_v1',
  estimate: 0.00012,
  low: -0.0003,
  high: 0.00054,
  level: 0.95,
  p_value: 0.2,
  mean_block_length: 2,
  resamples: 400,
} as const;

function armOf(policy: string, promoted: boolean | null): ArmReport {
  const statistics = {
    psr_2012_v1: null,
    psr_2025_v1: null,
    dsr_2014_v1: null,
    min_trl_2012_days: 'infinite',
    trial_count: 1,
    note: 'constant',
  } as const;
  const window = { metrics, statistics, rank_ic: null, net_return_per_day };
  const check = {
    rule: 'max_drawdown',
    window: 'validation',
    passed: true,
    value: 0.02,
    limit: 0.25,
    text: 'max_drawdown 0.0200, allowed 0.25',
  } as const;
  const judged = promoted !== null;
  return {
    policy,
    validation: window,
    forward_oos: window,
    walk_forward: { ...window, net_return_per_day: null },
    promoted,
    reasons: judged ? ['validation: <b>weak</b> & late'] : [],
    checks: judged ? [check] : [],
  };
}

const windowOf = (day: number) => ({ from: day * 864e5, to: (day + 5) * 864e5, rows: 10 });
const report: RetrainReport = {
  report_version: 'report_v1',
  run_id: 'run-1',
  name: 'liquid',
  as_of: Date.UTC(2026, 0, 31),
  finished_at: 0,
  run_source: 'smoke',
  data_version: 'd'.repeat(64),
  feature_version: 'f'.repeat(64),
  code_version: 'c'.repeat(40),
  config_digest: 'e'.repeat(64),
  dataset_digest: 'a'.repeat(64),
  lineage_id: 'b'.repeat(64),
  seed: 7,
  data: {
    origin: 'store',
    from: 19_990 * 864e5,
    to: 20_020 * 864e5,
    timeframe: '1h',
    symbols: ['<img src=x onerror=alert(1)>'],
    bars: 1,
    missing_bars: 0,
    rows: 1234,
    sources: [{ file: 'bars".csv', sha256: 'a'.repeat(64), venue: 'binance_spot' }],
  },
  windows: {
    search: windowOf(19_990),
    validation: windowOf(20_000),
    forward_oos: windowOf(20_010),
  },
  oos_touches: 2,
  folds: [
    {
      scheme: 'walk_forward',
      fold: 0,
      test_from: 19_991 * 864e5,
      test_to: 19_993 * 864e5,
      train_rows: 5,
      test_rows: 4,
      purged: 1,
      embargoed: 1,
      overlap: 0,
      rounds: 3,
      rank_ic: 0.1,
      r2: -0.01,
    },
  ],
  cpcv_paths: [{ path: 0, rank_ic: 0.1, r2: 0 }],
  arms: [armOf('tabular_only', false), armOf('zero', null)],
  neural: null,
  ensemble: null,
  calibration: {
    validation: [{ predicted: -1, realised: -0.5, rows: 5 }],
    forward_oos: [{ predicted: 1, realised: 0.5, rows: 5 }],
  },
  importance: [{ name: 'log_return_1', gain: 1, split: 3 }],
  promoted_policy: null,
  gate: { status: 'insufficient_observation', reasons: ['completed_runs: 0 of 3'] },
  artifact: { path: '/out/models/liquid/1', digest: '1'.repeat(64) },
  baseline_digest: '2'.repeat(64),
  seconds: 1,
};

describe('report: the HTML of a retrain', () => {
  const html = renderReport(report);

  it('is a function of the report alone', () => {
    expect(renderReport(structuredClone(report))).to.equal(html);
  });

  it('lets nothing of the data become markup', () => {
    expect(html).to.not.contain('<img').and.to.not.contain('<b>weak</b>');
    expect(html).to.contain('&lt;img src=x onerror=alert(1)&gt;');
    expect(html).to.contain('&lt;b&gt;weak&lt;/b&gt; &amp; late');
    expect(html).to.contain('bars&quot;.csv');
  });

  it('loads nothing and runs nothing', () => {
    expect(html).to.not.match(/<script|<link|<iframe|@import|url\((?!['"]?#)/i);
    expect(html.match(/\s(src|href)\s*=\s*["'](?!#)/gi)).to.equal(null);
  });

  it('draws windows, equity and drawdown, folds, calibration and importance as pictures', () => {
    expect(html.match(/<svg/g)!.length).to.equal(6);
    for (const text of ['walk-forward 1', 'drawdown', 'perfect', 'log_return_1', 'forward OOS']) {
      expect(html).to.contain(text);
    }
  });

  describe('with a network', () => {
    const curve = [
      { epoch: 1, train: 1.2, stop: 1.1 },
      { epoch: 2, train: 1.1, stop: 1.05 },
    ];
    const run = (seed: number, validation_loss: number) => ({
      seed,
      validation_loss,
      rank_ic: 0.01,
      best_epoch: 2,
      curve,
    });
    const candidate = (lambda: number, validation_loss: number) => ({
      lambda,
      validation_loss,
      rank_ic: 0.01,
      epochs: 2,
      seeds: [run(7, validation_loss - 0.001), run(8, validation_loss + 0.001)],
    });
    const difference = { mean: -0.001234, least: -0.002, largest: 0.0005 };
    const neural: NonNullable<RetrainReport['neural']> = {
      channels: [{ name: '<i>close</i>', mean: 0, std: 1, clip: 5 }],
      shape: {
        nTokens: 48,
        nChannels: 1,
        hidden: 4,
        blocks: 1,
        horizon: 1,
        head: 'flat',
        keptChannels: 1,
        activation: 'relu',
        revin: false,
      },
      train_rows: 4321,
      lambda: 0.5,
      epochs: 2,
      lambda_candidates: [candidate(0, 0.9999), candidate(0.5, 0.9987)],
      distillation: { lambda: 0.5, seeds: 2, validation_loss: difference, rank_ic: difference },
    };
    const ensemble = {
      alpha: 0.75,
      alpha_candidates: [
        { alpha: 0.5, net_return_per_day: 0.0001, sharpe_daily: 0.5 },
        { alpha: 0.75, net_return_per_day: 0.0002, sharpe_daily: 0.9 },
      ],
    };
    const withNetwork = renderReport({ ...report, neural, ensemble });

    it('shows every candidate, which of them was chosen, and the learning curves', () => {
      expect(withNetwork.match(/<svg/g)!.length).to.equal(7);
      expect(withNetwork).to.contain('<td>0.5 (chosen)</td><td>0.998700</td>');
      expect(withNetwork).to.contain('<td>0</td><td>0.999900</td>');
      expect(withNetwork).to.contain('<td>0.75 (chosen)</td><td>2.000</td>');
      expect(withNetwork).to.contain('>lambda 0.5<').and.to.contain('4,321 windows');
      expect(withNetwork).to.contain('&lt;i&gt;close&lt;/i&gt;').and.to.not.contain('<i>close');
    });

    it('says what trained the network, on which GPU, and nothing where a report is older', () => {
      const engine = {
        name: 'native',
        version: '2-cuda-sm90-tf32',
        device: 'cuda',
        device_name: 'A <GPU>',
        precision: 'tf32',
        driver: '13.0',
      } as const;
      const told = { ...report, neural: { ...neural, engine }, ensemble };
      const sentence = 'Trained by native 2-cuda-sm90-tf32 on A';
      expect(renderReport(told)).to.contain(`${sentence} &lt;GPU&gt;, whose driver has CUDA 13.0.`);
      expect(renderText(told, 'r.html')).to.contain(`${sentence} <GPU>`);
      expect(withNetwork).to.not.contain('Trained by');
      const onCpu = { ...engine, version: '2-avx2', device: 'cpu', driver: null } as const;
      expect(renderText({ ...told, neural: { ...neural, engine: onCpu } }, 'r.html')).to.contain(
        'Trained by native 2-avx2.\n',
      );
    });

    it('shows what the teacher changed, and says so where that was not compared', () => {
      expect(withNetwork).to.contain('<td>-0.001234</td><td>-0.002000</td><td>0.000500</td>');
      const alone = renderReport({
        ...report,
        neural: { ...neural, distillation: null },
        ensemble,
      });
      expect(alone).to.contain('Not compared');
      expect(html).to.not.contain('distillation');
    });
  });

  it('shows the interval of the daily net return, and walk-forward as what no rule reads', () => {
    expect(html).to.contain('<td>1.20</td>').and.to.contain('<td>-3.00 to 5.40</td>');
    expect(html).to.contain('<h3>walk-forward</h3>').and.to.contain('no rule');
  });

  it('calls data real where every venue is, and a repeated look at forward OOS a repeated one', () => {
    expect(html).to.contain('1,234 rows of real data');
    expect(html).to.contain('2 times');
    const { sources } = report.data;
    const simulated = {
      ...report.data,
      sources: [...sources, { ...sources[0]!, venue: 'simulator' }],
    };
    expect(renderReport({ ...report, data: simulated })).to.contain('rows of simulated data');
  });

  it('shows a missing statistic as missing, never as NaN', () => {
    expect(html).to.not.match(/NaN|undefined|null</);
  });

  it('keeps no chart alive: its timers run out', async () => {
    const timers = () =>
      process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    renderReport(report);
    for (let i = 0; i < 100 && timers() > before; i += 1) await wait(20);
    expect(timers()).to.be.at.most(before);
  });
});
