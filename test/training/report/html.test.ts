import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import type { RunMetrics } from '../../../core/index.ts';
import {
  type ArmReport,
  type RetrainReport,
  renderReport,
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

function armOf(policy: string, promoted: boolean | null): ArmReport {
  const statistics = {
    psr_2012_v1: null,
    psr_2025_v1: null,
    dsr_2014_v1: null,
    min_trl_2012_days: 'infinite',
    trial_count: 1,
    note: 'constant',
  } as const;
  const window = { metrics, statistics, rank_ic: null };
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
