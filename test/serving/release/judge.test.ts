import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import {
  type Evidence,
  gateFilters,
  gateRequirementsSchema,
  judge,
  selectEvidence,
} from '../../../serving/release/index.ts';
import { makeRun, returnsOf, successive } from './records.ts';

const filters = gateFilters({ policy: 'tabular_only' });
const requirements = gateRequirementsSchema.parse({});
const verdictOf = (records: Parameters<typeof selectEvidence>[0], asked = requirements) =>
  judge(selectEvidence(records, filters), asked);

const annual = Math.sqrt(365);
/** Annualised Sharpe 3 over three runs of 120 days, 1 % a day of volatility: passes with one trial. */
const good = returnsOf(360, (3 * 0.01) / annual, 0.01);

/** n days, n a multiple of 3, of the values mean - c, mean, mean + c with sample std 0.01; kurtosis 1.5. */
function threeValued(n: number, sharpe: number): number[] {
  const c = 0.01 * Math.sqrt((n - 1) / ((2 * n) / 3));
  const mean = (sharpe * 0.01) / annual;
  return Array.from({ length: n }, (_, i) => mean + ((i % 3) - 1) * c);
}

describe('the verdict', () => {
  const table = [
    {
      name: 'nothing at all',
      records: [],
      status: 'insufficient_observation',
      says: /90 more days/,
    },
    { name: 'a long, good record', records: successive(3, good), status: 'pass', says: /^$/ },
    {
      name: 'too few runs, however good',
      records: successive(2, good),
      status: 'insufficient_observation',
      says: /^completed_runs: 2 of 3; 1 more completed run needed$/,
    },
    {
      name: 'too few days, however good',
      records: successive(3, good.slice(0, 87)),
      status: 'insufficient_observation',
      says: /^observation_days: 87 of 90; 3 more days needed/,
    },
    {
      name: 'a Sharpe below the required one, over enough days',
      records: successive(3, returnsOf(360, (0.9 * 0.01) / annual, 0.01)),
      status: 'fail',
      says: /^sharpe_daily: 0\.9, at least 1 is required$/,
    },
    {
      name: 'a broken drawdown limit',
      records: successive(
        3,
        [...good.slice(0, 200), -0.3, ...good.slice(200)].map((x) => x + 0.004),
      ),
      status: 'fail',
      says: /^max_drawdown: 0\.\d+, at most 0\.25 is allowed$/,
    },
    {
      name: 'too many rejects',
      records: successive(3, good).map((run) => ({
        ...run,
        metrics: { ...run.metrics!, fills: 90, rejects: 10 },
      })),
      status: 'fail',
      says: /^reject_rate: 0\.1, at most 0\.05 is allowed$/,
    },
    {
      name: 'a good Sharpe over fewer days than its minimum track record',
      records: successive(3, threeValued(99, 2)),
      status: 'insufficient_observation',
      says: /^observation_days: 99 of 249; 150 more days needed$/,
    },
    {
      name: 'a Sharpe that two hundred trials reach by luck',
      records: successive(3, good).map((run) => ({
        ...run,
        config: { ...run.config, trial_count: 200 },
      })),
      status: 'fail',
      says: /^dsr: 0\.\d+ after 200 trials, at least 0\.95 is required$/,
    },
    {
      name: 'returns that never vary',
      records: successive(3, new Array(120).fill(0.001)),
      status: 'fail',
      says: /^dsr: the daily returns hardly vary/,
    },
  ];
  for (const { name, records, status, says } of table) {
    it(`is ${status} for ${name}`, () => {
      const verdict = verdictOf(records);
      expect(verdict.reasons.join('\n')).to.match(says);
      expect(verdict.status).to.equal(status);
    });
  }

  it('waits for runs and days before it fails, but tells what is broken already', () => {
    const verdict = verdictOf(successive(2, returnsOf(40, -0.03, 0.02)));
    expect(verdict.status).to.equal('insufficient_observation');
    expect(verdict.reasons.map((reason) => reason.split(':')[0])).to.deep.equal([
      'completed_runs',
      'observation_days',
      'sharpe_daily',
      'max_drawdown',
    ]);
  });

  it('of a loss is fail even where no minimum Sharpe is asked: no track record would be long enough', () => {
    const asked = { ...requirements, min_sharpe_daily: -10, max_drawdown: 1 };
    const verdict = verdictOf(successive(3, returnsOf(360, -0.0001, 0.01)), asked);
    expect(verdict.status).to.equal('fail');
    expect(verdict.metrics?.min_trl?.days).to.equal('infinite');
    expect(verdict.reasons.join()).to.match(/^dsr: /);
  });

  it('counts what is missing: 150 = 249 - 99 days, by hand', () => {
    // SR = 2/sqrt(365) a day, skew 0, kurtosis 1.5: MinTRL = 1 + (1 + SR^2/8) (1.644854/SR)^2 = 248.23.
    const daily = 2 / annual;
    const minTrl = 1 + (1 + daily ** 2 / 8) * (1.6448536269514722 / daily) ** 2;
    const verdict = verdictOf(successive(3, threeValued(99, 2)));
    expect(verdict.metrics?.min_trl?.days).to.be.closeTo(minTrl, 1e-6);
    expect(verdict.needs).to.deep.equal([
      {
        condition: 'observation_days',
        have: 99,
        required: Math.ceil(minTrl),
        missing: 150,
        sentence: '150 more days',
      },
    ]);
  });

  it('is pass on the very day that the minimum is reached', () => {
    const days = 249;
    expect(verdictOf(successive(3, threeValued(days, 2))).status).to.equal('pass');
    expect(verdictOf(successive(3, threeValued(days - 3, 2))).needs[0]?.missing).to.equal(3);
  });

  it('prints every Sharpe variant, and judges only the daily one', () => {
    const { metrics } = verdictOf(successive(3, good));
    expect(metrics).to.have.all.keys(
      'sharpe_daily',
      'sharpe_method',
      'vol_floor_applied',
      'psr',
      'dsr',
      'min_trl',
      'trial_count',
      'max_drawdown',
      'reject_rate',
      'gap_days',
      'diagnostics',
    );
    expect(metrics?.sharpe_daily).to.be.closeTo(3, 1e-12);
    expect(metrics?.diagnostics.sharpe_step_raw).to.deep.equal({ min: 12.5, max: 12.5 });
    const wild = successive(3, good).map((run) => ({
      ...run,
      metrics: { ...run.metrics!, sharpe_step_raw: -99 },
    }));
    expect(verdictOf(wild).status).to.equal('pass');
  });

  it('refuses a step Sharpe as its measure', () => {
    for (const asked of [{ sharpe_metric: 'sharpe_step_raw' }, { min_sharpe_step_raw: 1 }]) {
      expect(gateRequirementsSchema.safeParse(asked).success).to.equal(false);
    }
  });

  it('rests on nothing but what selectEvidence chose, not even on a copy of it', () => {
    const evidence = selectEvidence(successive(2, good), filters);
    const forged = { ...evidence, runs: selectEvidence(successive(3, good), filters).runs };
    expect(() => judge(forged, requirements)).to.throw(SluiceError, 'selectEvidence');
    expect(() => judge({} as Evidence, requirements)).to.throw(SluiceError, 'selectEvidence');
  });
});

describe('several runs', () => {
  it('are one track record: the mean of the runs on each day that any of them covers', () => {
    const records = [
      makeRun({ runId: 'a', firstDay: 100, returns: [0.01, 0.02, 0.03] }),
      makeRun({ runId: 'b', firstDay: 101, returns: [0.04, -0.01] }),
      makeRun({ runId: 'c', firstDay: 106, returns: [0.02] }),
    ];
    const verdict = verdictOf(records);
    // days 100 to 102 and 106: 0.01, 0.03, 0.01, 0.02; mean 0.0175, sample std sqrt(2.75e-4 / 3)
    expect(verdict.counts.observation_days).to.equal(4);
    expect(verdict.metrics?.gap_days).to.equal(3);
    expect(verdict.metrics?.sharpe_daily).to.be.closeTo(
      (0.0175 / Math.sqrt(2.75e-4 / 3)) * annual,
      1e-9,
    );
  });

  it('show the deepest drawdown of any, and rejects over all orders of all', () => {
    const verdict = verdictOf([
      makeRun({ runId: 'a', firstDay: 1, returns: [0.1, -0.2, 0.3], fills: 10, rejects: 0 }),
      makeRun({ runId: 'b', firstDay: 1, returns: [0.1, 0.2, 0.3], fills: 80, rejects: 10 }),
    ]);
    expect(verdict.metrics?.max_drawdown).to.be.closeTo(-0.2, 1e-12);
    expect(verdict.metrics?.reject_rate).to.equal(0.1);
  });

  it('that fall one after the other show the fall of all', () => {
    const verdict = verdictOf([
      makeRun({ runId: 'a', firstDay: 1, returns: [0.1, -0.1] }),
      makeRun({ runId: 'b', firstDay: 3, returns: [-0.1, -0.1] }),
    ]);
    expect(verdict.metrics?.max_drawdown).to.be.closeTo(0.9 ** 3 - 1, 1e-12);
  });

  it('count the most trials that led to any of them', () => {
    const verdict = verdictOf([
      makeRun({ runId: 'a', returns: [0.1, 0.2, 0], trialCount: 7 }),
      makeRun({ runId: 'b', returns: [0.1, 0.2, 0], trialCount: 70 }),
    ]);
    expect(verdict.metrics?.trial_count).to.equal(70);
  });
});
