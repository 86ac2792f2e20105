import { expect } from 'chai';
import { tpeSampler } from '../../../hpo/sample/index.ts';
import {
  categoricalDistribution,
  type FrozenTrial,
  floatDistribution,
  type StudySnapshot,
  type TrialParam,
} from '../../../hpo/study/index.ts';
import { newTrial, type RunningTrial } from './study.ts';

const x = floatDistribution(-1, 1);
const kind = categoricalDistribution(['a', 'b', 'c']);

/** Finished trials on a parabola, made anew at each call. */
const finished = (count: number): FrozenTrial[] =>
  Array.from({ length: count }, (_, number) => {
    const value = ((number * 37) % 100) / 50 - 1;
    const params = new Map<string, TrialParam>([
      ['x', { value, distribution: { ...x } }],
      ['kind', { value: number % 3, distribution: kind }],
    ]);
    return { ...newTrial(number), state: 'COMPLETE', values: [value * value], params };
  });
const study = (trials: readonly FrozenTrial[]): StudySnapshot => ({
  name: 's',
  directions: ['MINIMIZE'],
  trials,
});
const valuesOf = (params: ReadonlyMap<string, TrialParam>) =>
  [...params].map(([name, { value }]) => [name, value]);

describe('TPE', () => {
  it('chooses together what all trials share, by name, once enough have ended', () => {
    const sampler = tpeSampler({ seed: 1 });
    expect(sampler.relative(study(finished(9)), newTrial(9)).size).to.equal(0);
    const trials = finished(10);
    expect([...sampler.relative(study(trials), newTrial(10)).keys()]).to.eql(['kind', 'x']);
    const odd = { ...trials[3]!, params: new Map([...trials[3]!.params].slice(0, 1)) };
    const mixed = trials.with(3, odd);
    expect([...sampler.relative(study(mixed), newTrial(10)).keys()]).to.eql(['x']);
  });

  it('keeps away from what runs elsewhere, unless told not to', () => {
    const trials = finished(30);
    const crowd = Array.from({ length: 60 }, (_, i): FrozenTrial => {
      const params = new Map([['x', { value: 0.02 + i / 1000, distribution: x }]]);
      return { ...newTrial(30 + i), params };
    });
    const at = (constantLiar: boolean) => {
      const sampler = tpeSampler({ seed: 1, constantLiar, multivariate: false });
      const trial = newTrial(90);
      const snapshot = study([...trials, ...crowd, trial]);
      return Array.from({ length: 20 }, () => sampler.independent(snapshot, trial, 'x', x));
    };
    const near = (values: number[]) => values.filter((v) => v > 0 && v < 0.1).length;
    expect(near(at(true))).to.be.below(near(at(false)));
  });

  it('reads what running trials share before the objective asked for it', () => {
    const trials = finished(30);
    const sampled = (running: RunningTrial) => {
      const snapshot = study([...trials, running, newTrial(31)]);
      return valuesOf(tpeSampler({ seed: 3 }).relative(snapshot, newTrial(31)));
    };
    const [shared, told, silent] = [newTrial(30), newTrial(30), newTrial(30)];
    shared.systemAttributes.set('tpe:relative_params:0', '{"x": 0.01, "ki');
    shared.systemAttributes.set('tpe:relative_params:1', 'nd": "c"}');
    told.params.set('x', { value: 0.01, distribution: x });
    told.params.set('kind', { value: 2, distribution: kind });
    expect(sampled(shared)).to.eql(sampled(told));
    const broken = newTrial(30);
    broken.systemAttributes.set('tpe:relative_params:0', '{"x": 0.01, "ki');
    expect(sampled(broken)).to.eql(sampled(silent));
  });

  it('shares what it chose together, in pieces that Optuna can store', () => {
    const sampler = tpeSampler({ seed: 1 });
    const names = Array.from({ length: 150 }, (_, i) => `a_parameter_with_a_long_name_${i}`);
    const relative = new Map(names.map((name) => [name, { value: 1, distribution: kind }]));
    const shared = sampler.remember!(study([]), newTrial(0), relative);
    expect([...shared.keys()].slice(0, 2)).to.eql([
      'tpe:relative_params:0',
      'tpe:relative_params:1',
    ]);
    const pieces = [...shared.values()] as string[];
    expect(pieces.slice(0, -1).every((piece) => piece.length === 2045)).to.equal(true);
    const whole = JSON.parse(pieces.join('')) as Record<string, string>;
    expect(whole).to.eql(Object.fromEntries(names.map((name) => [name, 'b'])));
    expect(sampler.remember!(study([]), newTrial(0), new Map()).size).to.equal(0);
  });

  it('suggests the same from the same trials, whatever it saw before', () => {
    const used = tpeSampler({ seed: 7, perTrial: true });
    for (const count of [100, 12, 71]) used.relative(study(finished(count)), newTrial(count));
    const others = finished(80).map((trial) => ({ ...trial, values: [-trial.values![0]!] }));
    used.relative(study(others), newTrial(80));
    for (const count of [12, 80, 100]) {
      const fresh = tpeSampler({ seed: 7, perTrial: true });
      const expected = valuesOf(fresh.relative(study(finished(count)), newTrial(count)));
      expect(valuesOf(used.relative(study(finished(count)), newTrial(count)))).to.eql(expected);
    }
  });

  it('suggests per trial a function of seed, number, name and snapshot', () => {
    for (const count of [5, 40]) {
      const snapshot = study(finished(count));
      const ask = (seed: number, number: number, name: string) =>
        tpeSampler({ seed, perTrial: true }).independent(snapshot, newTrial(number), name, x);
      const sampler = tpeSampler({ seed: 1, perTrial: true });
      const backwards = ['y', 'x'].map((name) =>
        sampler.independent(snapshot, newTrial(count), name, x),
      );
      expect(backwards).to.eql([ask(1, count, 'y'), ask(1, count, 'x')]);
      const different = [ask(1, count, 'x'), ask(2, count, 'x'), ask(1, count + 1, 'x')];
      expect(new Set([...different, ask(1, count, 'y')]).size).to.equal(4);
    }
  });
});
