import { expect } from 'chai';
import fc from 'fast-check';
import {
  hyperbandPruner,
  medianPruner,
  multiObjectivePruner,
  percentilePruner,
  successiveHalvingPruner,
} from '../../../hpo/prune/index.ts';
import {
  type Direction,
  type FrozenTrial,
  type Pruner,
  vectorReport,
} from '../../../hpo/study/index.ts';
import { newTrial, withAttributes, withReport } from './replay.ts';

const withVector = (trial: FrozenTrial, step: number, values: readonly number[]): FrozenTrial =>
  withAttributes(trial, new Map([vectorReport(step, values)]));
const vectors = (number: number, ...reports: readonly number[][]): FrozenTrial =>
  reports.reduce((trial, report, i) => withVector(trial, i + 1, report), newTrial(number));
const complete = (trial: FrozenTrial): FrozenTrial => ({
  ...trial,
  state: 'COMPLETE',
  completedAt: trial.number,
});

/** Whether each report of some curves is pruned, the curves one after the other, pruned ones to their end. */
function run(
  pruner: Pruner,
  curves: readonly (readonly number[])[],
  directions: readonly Direction[],
  report: (trial: FrozenTrial, step: number, value: number) => FrozenTrial,
): boolean[] {
  const decisions: boolean[] = [];
  const finished: FrozenTrial[] = [];
  curves.forEach((curve, number) => {
    let trial = newTrial(number);
    let prunedAlready = false;
    curve.forEach((value, i) => {
      trial = report(trial, i + 1, value);
      const study = { name: 's', directions, trials: [...finished, trial] };
      const { prune, remember } = pruner.decide(study, trial);
      trial = withAttributes(trial, remember);
      prunedAlready ||= prune;
      decisions.push(prune);
    });
    const state = prunedAlready ? 'PRUNED' : 'COMPLETE';
    finished.push({ ...trial, state, completedAt: number });
  });
  return decisions;
}

const orderPruners: readonly [string, Pruner][] = [
  ['successive halving', successiveHalvingPruner({ minResource: 1, reductionFactor: 2 })],
  ['hyperband', hyperbandPruner({ maxResource: 8, reductionFactor: 2 })],
  // percentiles that are reports themselves, with nothing interpolated
  ['the best of all', percentilePruner(0, { startupTrials: 1 })],
  ['the worst of all', percentilePruner(100, { startupTrials: 1 })],
];
const curves = fc.array(fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 9 }), {
  minLength: 4,
  maxLength: 12,
});
const direction = fc.constantFrom<Direction>('MINIMIZE', 'MAXIMIZE');

describe('pruning with several objectives', () => {
  it('ends what is dominated and keeps what dominates', () => {
    const finished = [
      complete(vectors(0, [1, 9])),
      complete(vectors(1, [2, 8])),
      complete(vectors(2, [3, 7])),
    ];
    const pruner = multiObjectivePruner(medianPruner({ startupTrials: 1 }));
    const prunes = (report: number[]) => {
      const trial = vectors(3, report);
      const study = {
        name: 's',
        directions: ['MINIMIZE', 'MAXIMIZE'] as const,
        trials: [...finished, trial],
      };
      return pruner.decide(study, trial).prune;
    };
    expect(prunes([9, 1])).to.equal(true);
    expect(prunes([0, 10])).to.equal(false);
    expect(prunes([0, Number.NaN])).to.equal(true);
  });

  it('weighs objectives', () => {
    const finished = [0, 1, 2].map((i) => complete(vectors(i, [i, i])));
    const trial = vectors(3, [-1, 9]);
    const study = {
      name: 's',
      directions: ['MINIMIZE', 'MINIMIZE'] as const,
      trials: [...finished, trial],
    };
    const inner = percentilePruner(0, { startupTrials: 1 });
    expect(multiObjectivePruner(inner, [1, 0]).decide(study, trial).prune).to.equal(false);
    expect(multiObjectivePruner(inner, [0, 1]).decide(study, trial).prune).to.equal(true);
    expect(() => multiObjectivePruner(inner, [0, 0])).to.throw(/not all 0/);
    expect(() => multiObjectivePruner(inner, [1, -1])).to.throw(/not negative/);
    expect(() => multiObjectivePruner(inner, [1]).decide(study, trial)).to.throw(
      /2 directions and the pruner 1/,
    );
  });

  it('is the single-objective pruner when there is one objective', () => {
    const pruners: typeof orderPruners = [...orderPruners, ['median', medianPruner()]];
    for (const [, pruner] of pruners)
      fc.assert(
        fc.property(curves, direction, (given, d) => {
          expect(run(multiObjectivePruner(pruner), given, [d], withReport)).to.deep.equal(
            run(pruner, given, [d], withReport),
          );
        }),
        { seed: 1, numRuns: 30 },
      );
  });

  for (const [name, pruner] of orderPruners)
    it(`decides as one objective does when all objectives say the same: ${name}`, () => {
      let pruned = 0;
      fc.assert(
        fc.property(curves, direction, (given, d) => {
          const single = run(pruner, given, [d], withReport);
          const opposite = d === 'MINIMIZE' ? 'MAXIMIZE' : 'MINIMIZE';
          // the same wish in other units, the other way round, and again
          const report = (trial: FrozenTrial, step: number, value: number) =>
            withVector(trial, step, [value, -1000 * value, value ** 3]);
          expect(
            run(multiObjectivePruner(pruner, [1, 3, 1]), given, [d, opposite, d], report),
          ).to.deep.equal(single);
          pruned += single.filter(Boolean).length;
        }),
        { seed: 2, numRuns: 60 },
      );
      expect(pruned).to.be.greaterThan(60);
    });

  it('never ends a trial for a report that dominates one that goes on at the same rung', () => {
    const pruner = multiObjectivePruner(
      successiveHalvingPruner({ minResource: 1, reductionFactor: 3 }),
    );
    const pair = fc.tuple(fc.integer({ max: 9, min: 0 }), fc.integer({ max: 9, min: 0 }));
    fc.assert(
      fc.property(
        fc.array(pair, { minLength: 2, maxLength: 9 }),
        pair,
        fc.nat(3),
        (others, base, gain) => {
          const finished = others.map((pairOf, i) =>
            withAttributes(vectors(i, pairOf), new Map([['completed_rung_0', pairOf]])),
          );
          const prunes = (report: number[]) => {
            const trial = vectors(99, report);
            const directions: Direction[] = ['MINIMIZE', 'MAXIMIZE'];
            return pruner.decide({ name: 's', directions, trials: [...finished, trial] }, trial)
              .prune;
          };
          const dominating = prunes([base[0] - gain, base[1] + 1]);
          if (dominating) expect(prunes(base)).to.equal(true);
        },
      ),
      { seed: 3, numRuns: 200 },
    );
  });

  it('shows samplers the bracket’s own trials, as they are', () => {
    const trials = Array.from({ length: 20 }, (_, i) => vectors(i, [i, -i]));
    const study = { name: 's', directions: ['MINIMIZE', 'MINIMIZE'] as const, trials };
    const inner = hyperbandPruner({ maxResource: 9 });
    const peers = multiObjectivePruner(inner).peers(study, trials[3]!)!;
    expect(peers.map(({ number }) => number)).to.deep.equal(
      inner.peers(study, trials[3]!)!.map(({ number }) => number),
    );
    for (const peer of peers) expect(peer).to.equal(trials[peer.number]);
    expect(multiObjectivePruner(medianPruner()).peers(study, trials[0]!)).to.equal(null);
  });
});
