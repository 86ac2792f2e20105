import { expect } from 'chai';
import { buildReport } from '../../../hpo/report/index.ts';
import { floatDistribution } from '../../../hpo/study/index.ts';
import { alone, lineageOf, recordOf, threeStages, treeTrials, trialOf } from './searches.ts';

const madeAt = 1_800_100_000_000;

describe('hpo/report: the document of a search', () => {
  it('counts states, and finds the best so far and the best by hand', () => {
    const trials = [
      trialOf(0, { values: [3] }),
      trialOf(1, { state: 'PRUNED', values: [0] }),
      trialOf(2, { values: [2], systemAttributes: new Map([['constraints', [1]]]) }),
      trialOf(3, { values: [2.5] }),
      trialOf(4, { state: 'FAIL', values: null }),
      trialOf(5, { values: [2.5] }),
      trialOf(6, { values: [4] }),
      trialOf(7, { state: 'WAITING', values: null, startedAt: null, completedAt: null }),
    ];
    const { studies, trial_count } = buildReport(alone(recordOf('s', ['MINIMIZE'], trials)), {
      madeAt,
    });
    const [study] = studies;
    expect(study!.states).to.deep.equal({
      RUNNING: 0,
      COMPLETE: 5,
      PRUNED: 1,
      FAIL: 1,
      WAITING: 1,
    });
    // trial 2 breaks a constraint, trial 1 did not end; of equals the earlier is first
    expect(study!.best).to.deep.equal([3, 5, 0, 6]);
    expect(study!.best_so_far).to.deep.equal([
      [
        [0, 3],
        [3, 2.5],
      ],
    ]);
    expect(study!.trials.map(({ feasible }) => feasible)[2]).to.equal(false);
    expect(study!.trials[3]!.seconds).to.equal(0.5);
    expect(study!.trials[7]!.seconds).to.equal(null);
    expect([study!.started_at, study!.ended_at]).to.deep.equal([
      1_800_000_000_000, 1_800_000_006_500,
    ]);
    expect([study!.stage, trial_count]).to.deep.equal([null, 8]);
  });

  it('has the Pareto front as the best of several objectives, and their names', () => {
    const values = [
      [1, 5],
      [2, 3],
      [2, 4],
      [0, 9],
      [3, 3],
    ];
    const trials = values.map((pair, at) => trialOf(at, { values: pair }));
    const record = recordOf('s', ['MAXIMIZE', 'MINIMIZE'], trials, {
      metricNames: ['gain', 'risk'],
    });
    const [study] = buildReport(alone(record), { madeAt }).studies;
    expect(study!.best).to.deep.equal([4]);
    expect(study!.objectives).to.deep.equal(['gain', 'risk']);
    expect(study!.best_so_far[1]).to.deep.equal([
      [0, 5],
      [1, 3],
    ]);
  });

  it('says every number in JSON, infinities and NaN too', () => {
    const trials = [
      trialOf(0, { values: [Number.POSITIVE_INFINITY] }),
      trialOf(1, { values: [Number.NEGATIVE_INFINITY] }),
      trialOf(2, {
        reports: new Map([
          [3, 1],
          [1, Number.NaN],
        ]),
      }),
    ];
    const report = buildReport(alone(recordOf('s', ['MAXIMIZE'], trials)), { madeAt });
    expect(JSON.parse(JSON.stringify(report))).to.deep.equal(report);
    const [study] = report.studies;
    expect(study!.trials.map(({ values }) => values![0])).to.deep.equal(['inf', '-inf', 2]);
    expect(study!.trials[2]!.reports).to.deep.equal([
      [1, 'nan'],
      [3, 1],
    ]);
    expect(study!.best).to.deep.equal([0, 2, 1]);
  });

  it('follows trials through the stages, and counts those of a deleted study', () => {
    const candidate = { study: 'liquid-forward', number: 2, candidate_id: 'c1', figures: {} };
    const report = buildReport(threeStages(), { madeAt, candidates: [candidate] });
    expect(report.trial_count).to.equal(40 + 150 + 21 + 5);
    const funnel = report.stages.map((stage) => [
      stage.stage,
      stage.studies,
      stage.trial_count,
      stage.went_on,
      stage.candidates,
    ]);
    expect(funnel).to.deep.equal([
      [1, 2, 190, 21, 0],
      [2, 1, 21, 5, 0],
      [3, 1, 5, 0, 1],
    ]);
    for (const { complete, pruned, failed, open, stage } of report.stages) {
      const kept = report.studies.filter((study) => study.stage === stage);
      const made = kept.reduce((sum, { trials }) => sum + trials.length, 0);
      expect(complete + pruned + failed + open).to.equal(made);
    }
    const refine = report.studies[2]!;
    expect(refine.trials[7]!.parent).to.deep.equal({ study: 'liquid-coarse', number: 14 });
    expect(
      refine.trials.filter(({ went_on }) => went_on).map(({ number }) => number),
    ).to.deep.equal([0, 2, 4, 6, 8]);
    expect(report.studies[3]!.trials.map((trial) => trial.candidate)).to.deep.equal([
      false,
      false,
      true,
      false,
      false,
    ]);
    expect(report.studies[0]!.deleted).to.equal(true);
  });

  it('shows one search of a lineage, and counts the others', () => {
    const search = threeStages();
    const other = recordOf('other-coarse', ['MAXIMIZE'], treeTrials(7, 9), {
      lineage: lineageOf({
        studyName: 'other-coarse',
        configDigest: 'e'.repeat(64),
        trialCount: 7,
      }),
    });
    const candidate = { study: 'other-coarse', number: 1, candidate_id: 'c', figures: {} };
    const both = buildReport(
      { ...search, studies: [...search.studies, other] },
      { madeAt, candidates: [candidate] },
    );
    const without = buildReport(search, { madeAt });
    expect(both.trial_count).to.equal(without.trial_count + 7);
    expect(both.stages).to.deep.equal(without.stages);
    expect(both.candidates).to.deep.equal([]);
    const { of_search, trial_count, trials } = both.studies.at(-1)!;
    expect([of_search, trial_count, trials]).to.deep.equal([false, 7, []]);
  });

  it('tells the importance of each objective, and none where nothing can be told', () => {
    const distribution = floatDistribution(0, 1);
    const trials = Array.from({ length: 60 }, (_, at) => {
      const [x, y] = [(at % 8) / 7, (at % 7) / 6];
      const params = new Map([
        ['x', { value: x, distribution }],
        ['y', { value: y, distribution }],
      ]);
      return trialOf(at, { params, values: [x, 10 * y] });
    });
    const record = recordOf('s', ['MAXIMIZE', 'MAXIMIZE'], trials);
    const [study] = buildReport(alone(record), { madeAt }).studies;
    expect(study!.importance.map(({ objective }) => objective)).to.deep.equal([0, 1]);
    expect(study!.importance.map(({ parameters }) => parameters[0]!.name)).to.deep.equal([
      'x',
      'y',
    ]);
    expect(study!.importance[0]!.trial_count).to.equal(60);
    const [same] = buildReport(alone(recordOf('s', ['MAXIMIZE'], trials.slice(0, 1))), {
      madeAt,
    }).studies;
    expect(same!.importance).to.deep.equal([]);
  });

  it('has choices as the objective saw them, and nothing for parameters that a trial has not', () => {
    const [study] = buildReport(alone(recordOf('s', ['MAXIMIZE'], treeTrials(40, 4))), {
      madeAt,
    }).studies;
    const choices = new Set(study!.trials.map(({ params }) => params.boosting));
    expect([...choices]).to.have.members(['gbdt', 'goss', 'dart', null, true]);
    for (const { params } of study!.trials) {
      expect(Object.hasOwn(params, 'drop_rate')).to.equal(params.boosting === 'dart');
    }
  });
});
