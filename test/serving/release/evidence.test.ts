import { expect } from 'chai';
import fc from 'fast-check';
import { createRandom, type RunRecord } from '../../../core/index.ts';
import {
  gateFilters,
  gateRequirementsSchema,
  judge,
  selectEvidence,
  type UnreadRuns,
} from '../../../serving/release/index.ts';
import { makeRun, returnsOf, successive, withoutSetAside } from './records.ts';

const filters = gateFilters({ policy: 'tabular_only' });
const requirements = gateRequirementsSchema.parse({});
const judgeAll = (records: readonly RunRecord[], unread?: UnreadRuns) =>
  judge(selectEvidence(records, filters, unread), requirements);

const sharpe3 = returnsOf(360, 0.03 / Math.sqrt(365), 0.01);
/** Genuine evidence behind each of the three answers, and none at all. */
const genuine: Readonly<Record<string, readonly RunRecord[]>> = {
  none: [],
  pass: successive(3, sharpe3),
  fail: successive(
    3,
    sharpe3.map((x) => -x),
  ),
  insufficient_observation: successive(3, sharpe3.slice(0, 30)),
};

type Labels = Pick<
  RunRecord,
  'run_source' | 'score_source' | 'data_regime' | 'status' | 'artifact_digest'
>;
const labels: fc.Arbitrary<Labels> = fc.record({
  run_source: fc.constantFrom('prod', 'maintenance', 'smoke', 'async_test'),
  score_source: fc.constantFrom('model', 'heuristic', 'fallback'),
  data_regime: fc.constantFrom('prod_live', 'maintenance_replay', 'mixed'),
  status: fc.constantFrom('completed', 'failed', 'running'),
  artifact_digest: fc.constantFrom('artifact-1', null),
});
const isGenuine = (of: Labels) =>
  of.run_source === 'prod' &&
  of.score_source === 'model' &&
  of.data_regime === 'prod_live' &&
  of.status === 'completed' &&
  of.artifact_digest !== null;

/** A row that a gate must not read, as tempting or as damning as it may be. */
const impure = fc
  .record({
    labels: labels.filter((of) => !isGenuine(of)),
    mean: fc.double({ min: -0.5, max: 0.5, noNaN: true }),
    days: fc.integer({ min: 1, max: 5 }),
    trialCount: fc.integer({ min: 1, max: 1_000_000 }),
    rejects: fc.integer({ min: 0, max: 1000 }),
    /** says that it is the same run as a genuine one */
    twin: fc.boolean(),
    at: fc.nat(),
  })
  .map(({ labels: of, mean, days, trialCount, rejects, twin, at }) => {
    const returns = Array.from({ length: days }, (_, i) => mean + i * 0.001);
    const run = makeRun({ runId: `impure-${at}`, returns, trialCount, rejects, labels: of });
    const config = twin ? { ...run.config, data_version: 'data-run-0' } : run.config;
    const metrics = of.status === 'running' ? null : run.metrics;
    return { at, run: { ...run, config, metrics } satisfies RunRecord };
  });

describe('purity of the gate', () => {
  for (const [name, records] of Object.entries(genuine)) {
    it(`no mix of other rows changes the verdict: ${name}`, () => {
      const clean = judgeAll(records);
      expect(clean.status).to.equal(name === 'none' ? 'insufficient_observation' : name);
      fc.assert(
        fc.property(fc.array(impure, { maxLength: 40 }), (rows) => {
          const mixed = [...records];
          for (const { at, run } of rows) mixed.splice(at % (mixed.length + 1), 0, run);
          const verdict = judgeAll(mixed);
          expect(withoutSetAside(verdict)).to.equal(withoutSetAside(clean));
          expect(verdict.counts.recorded_runs).to.equal(mixed.length);
        }),
        { seed: 20_261_122, numRuns: 150 },
      );
    });
  }

  it('not even ten thousand of them', () => {
    const rows = fc.sample(impure, { numRuns: 500, seed: 7 });
    const many = Array.from({ length: 20 }, () => rows.map(({ run }) => run)).flat();
    for (const records of Object.values(genuine)) {
      const verdict = judgeAll([...many, ...records]);
      expect(withoutSetAside(verdict)).to.equal(withoutSetAside(judgeAll(records)));
    }
  });

  it('nor rows of another policy, of a baseline or of another artifact than the one asked for', () => {
    const records = genuine.pass!;
    const other = (policy: RunRecord['config']['policy']): RunRecord => {
      const run = makeRun({ runId: `other-${policy}`, returns: [0.5, -0.5] });
      return { ...run, config: { ...run.config, policy } };
    };
    const rows = [other('nn_only'), other('frozen_baseline'), other('blend_alpha_0.5')];
    expect(withoutSetAside(judgeAll([...rows, ...records]))).to.equal(
      withoutSetAside(judgeAll(records)),
    );
    const one = gateFilters({ policy: 'tabular_only', artifactDigest: 'artifact-1' });
    const foreign = makeRun({ runId: 'foreign', returns: [-0.9, -0.9], artifact: 'artifact-2' });
    const evidence = selectEvidence([foreign, ...records], one);
    expect(evidence.runs).to.have.length(3);
    expect(evidence.setAside.artifact).to.equal(1);
  });

  it('does not depend on the order of the rows', () => {
    const random = createRandom(3);
    const clean = judgeAll(genuine.pass!);
    for (let i = 0; i < 20; i += 1) {
      const shuffled = genuine
        .pass!.map((run) => ({ run, key: random.uniform() }))
        .sort((a, b) => a.key - b.key)
        .map(({ run }) => run);
      expect(judgeAll(shuffled)).to.deep.equal(clean);
    }
  });

  it('counts rows that were tallied instead of read as if they had been read', () => {
    const all = [
      ...genuine.pass!,
      ...fc.sample(impure, { numRuns: 200, seed: 8 }).map((x) => x.run),
    ];
    const tally = all.map((run) => ({ ...run, policy: run.config.policy, runs: 1 }));
    expect(judgeAll(genuine.pass!, tally)).to.deep.equal(judgeAll(all));
  });
});

describe('monitoring filters', () => {
  const replay = successive(3, sharpe3).map(
    (run): RunRecord => ({ ...run, run_source: 'maintenance', data_regime: 'maintenance_replay' }),
  );

  it('read what they name, and never pass', () => {
    const watched = gateFilters({
      policy: 'tabular_only',
      includeSources: ['prod', 'maintenance'],
      dataRegime: 'maintenance_replay',
    });
    const verdict = judge(selectEvidence(replay, watched), requirements);
    expect(verdict.counts.completed_runs).to.equal(3);
    expect(verdict.status).to.equal('insufficient_observation');
    expect(verdict.reasons.join()).to.match(/^monitor_only/);
    expect(verdict.filters.exclude_sources).to.deep.equal(['smoke', 'async_test']);
  });

  it('never pass even where only prod_live rows of prod are found', () => {
    for (const choice of [
      { includeSources: ['prod', 'smoke'] as const },
      { dataRegime: 'mixed' as const },
    ]) {
      const watched = gateFilters({ policy: 'tabular_only', ...choice });
      const records = genuine.pass!.map((run) => ({ ...run, data_regime: watched.data_regime }));
      const verdict = judge(selectEvidence(records, watched), requirements);
      expect(verdict.counts.completed_runs).to.equal(3);
      expect(verdict.status).to.equal('insufficient_observation');
    }
  });

  it('may fail', () => {
    const watched = gateFilters({ policy: 'tabular_only', includeSources: ['prod', 'smoke'] });
    const verdict = judge(selectEvidence(genuine.fail!, watched), requirements);
    expect(verdict.status).to.equal('fail');
    expect(verdict.reasons.at(-1)).to.match(/^monitor_only/);
  });

  it('are by default those of the specification', () => {
    expect(filters).to.deep.equal({
      include_sources: ['prod'],
      exclude_sources: ['smoke', 'async_test', 'maintenance'],
      score_source: 'model',
      data_regime: 'prod_live',
      policy: 'tabular_only',
      artifact_digest: null,
    });
  });
});

describe('duplicates', () => {
  const base = makeRun({ runId: 'b', returns: [0.01, 0.02, 0.03], trialCount: 3 });
  const chosen = (...records: RunRecord[]) => {
    const { runs, setAside } = selectEvidence(records, filters);
    return { ids: runs.map((run) => run.run_id), duplicates: setAside.duplicate };
  };

  it('of config, data and artifact are one run, whatever their ids, times and trial counts', () => {
    const again = {
      ...base,
      run_id: 'a',
      started_at: 5,
      finished_at: 6,
      config: { ...base.config, trial_count: 2 },
    };
    // equal results: the one that more trials led to speaks
    expect(chosen(base, again)).to.deep.equal({ ids: ['b'], duplicates: 1 });
    expect(chosen(again, base)).to.deep.equal({ ids: ['b'], duplicates: 1 });
  });

  it('that contradict each other are spoken for by the less favourable one', () => {
    const lucky = makeRun({ runId: 'a', returns: [0.02, 0.03, 0.04], trialCount: 9 });
    const same = { ...lucky, config: { ...base.config, trial_count: 9 } };
    expect(chosen(same, base)).to.deep.equal({ ids: ['b'], duplicates: 1 });
  });

  it('are not two runs that differ in data, config or artifact', () => {
    const others: RunRecord[] = [
      { ...base, run_id: 'c', artifact_digest: 'artifact-2' },
      { ...base, run_id: 'd', config: { ...base.config, data_version: 'other' } },
      { ...base, run_id: 'e', config: { ...base.config, window: { from: 0, to: 2 } } },
      { ...base, run_id: 'f', config: { ...base.config, trade: { fee_bps: 1 } } },
    ];
    expect(chosen(base, ...others)).to.deep.equal({
      ids: ['b', 'c', 'd', 'e', 'f'],
      duplicates: 0,
    });
  });

  it('do not help to reach the required number of runs', () => {
    const run = makeRun({ runId: 'one', returns: sharpe3 });
    const copies = Array.from({ length: 50 }, (_, i) => ({ ...run, run_id: `copy-${i}` }));
    const verdict = judgeAll(copies);
    expect(verdict.status).to.equal('insufficient_observation');
    expect(verdict.counts).to.include({ completed_runs: 1, observation_days: 360 });
    expect(verdict.counts.set_aside.duplicate).to.equal(49);
  });
});
