import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import { gridSampler } from '../../../hpo/sample/index.ts';
import {
  categoricalDistribution,
  type FrozenTrial,
  floatDistribution,
  intDistribution,
  type StudySnapshot,
  type TrialState,
} from '../../../hpo/study/index.ts';
import { newTrial, type RunningTrial } from './study.ts';

const grid = { n: [1, 2], kind: ['b', null, 'a'] };
const n = intDistribution(1, 3);
const kind = categoricalDistribution(['a', 'b', null]);
const study = (trials: readonly FrozenTrial[]): StudySnapshot => ({
  name: 's',
  directions: ['MINIMIZE'],
  trials,
});

/** A trial that the sampler has given its place in the grid. */
function placed(
  sampler: ReturnType<typeof gridSampler>,
  trials: FrozenTrial[],
  state?: TrialState,
) {
  const trial: RunningTrial = newTrial(trials.length);
  for (const [key, value] of sampler.remember!(study(trials), trial, new Map())) {
    trial.systemAttributes.set(key, value);
  }
  trials.push({ ...trial, state: state ?? 'RUNNING' });
  return trial;
}

describe('a grid', () => {
  it('is tried wholly, once', () => {
    const sampler = gridSampler(grid, { seed: 5 });
    const trials: FrozenTrial[] = [];
    const seen = Array.from({ length: 6 }, () => {
      expect(sampler.isExhausted!(study(trials))).to.equal(false);
      const trial = placed(sampler, trials, 'COMPLETE');
      return [
        sampler.independent(study(trials), trial, 'n', n),
        sampler.independent(study(trials), trial, 'kind', kind),
      ].join();
    });
    expect(seen.sort()).to.eql(['1,0', '1,1', '1,2', '2,0', '2,1', '2,2']);
    expect(sampler.isExhausted!(study(trials))).to.equal(true);
    expect(placed(sampler, trials).systemAttributes.get('grid_id')).to.be.within(0, 5);
  });

  it('gives a later trial a place that none has, then one that has not ended', () => {
    const sampler = gridSampler(grid);
    const states: TrialState[] = ['COMPLETE', 'FAIL', 'RUNNING', 'PRUNED', 'COMPLETE', 'COMPLETE'];
    const trials: FrozenTrial[] = [];
    for (const state of states) placed(sampler, trials, state);
    expect(placed(sampler, trials).systemAttributes.get('grid_id')).to.equal(2);
    const foreign = { ...newTrial(4), systemAttributes: new Map([['fixed_params', {}]]) };
    const lacking = trials.with(4, foreign);
    expect(placed(sampler, lacking).systemAttributes.get('grid_id')).to.equal(4);
  });

  it('counts no trials of another grid, and those of its own whatever the order of the names', () => {
    const trials: FrozenTrial[] = [];
    for (let i = 0; i < 6; i += 1) placed(gridSampler(grid), trials, 'COMPLETE');
    expect(gridSampler({ ...grid, n: [1, 3] }).isExhausted!(study(trials))).to.equal(false);
    expect(gridSampler({ kind: grid.kind, n: grid.n }).isExhausted!(study(trials))).to.equal(true);
  });

  it('leaves trials alone that have their parameters', () => {
    const sampler = gridSampler(grid);
    for (const key of ['fixed_params', 'grid_id']) {
      const trial = { ...newTrial(0), systemAttributes: new Map([[key, 1]]) };
      expect(sampler.remember!(study([]), trial, new Map()).size).to.equal(0);
    }
  });

  it('refuses parameters and values that it does not have', () => {
    const sampler = gridSampler({ x: [0.5, 7] });
    const trial = placed(sampler, []);
    const x = floatDistribution(0, 0.25);
    expect(() => sampler.independent(study([]), trial, 'x', x)).to.throw(
      SluiceError,
      /grid's value/,
    );
    expect(() => sampler.independent(study([]), trial, 'y', x)).to.throw(SluiceError, /for y/);
    expect(() => sampler.independent(study([]), newTrial(0), 'x', x)).to.throw(
      SluiceError,
      /for x/,
    );
  });
});
