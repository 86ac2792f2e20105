import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import { applyParams, distributionsOf, type Space } from '../../../hpo/objective/index.ts';
import { neuralConfig, smallConfig } from '../../training/retrain/smallConfig.ts';

describe('hpo objective: the space', () => {
  const base = smallConfig();

  it('places each parameter where its name says, and leaves the config that it came from alone', () => {
    const before = structuredClone(base);
    const config = applyParams(base, { 'gbdt.leaves': 5, 'trade.sizing.gain': 2.5 });
    expect(config).to.deep.equal({
      ...base,
      gbdt: { ...base.gbdt, leaves: 5 },
      trade: { ...base.trade, sizing: { ...base.trade.sizing, gain: 2.5 } },
    });
    expect(base).to.deep.equal(before);
  });

  it('takes the exit score as a share of the entry score, whichever parameter comes first', () => {
    const share = 'trade.sizing.exit_frac_of_entry';
    const entry = 'trade.sizing.entry_score';
    for (const params of [
      { [share]: 0.5, [entry]: 0.04 },
      { [entry]: 0.04, [share]: 0.5 },
    ]) {
      const { sizing } = applyParams(base, params).trade;
      expect([sizing.entry_score, sizing.exit_score]).to.deep.equal([0.04, 0.02]);
    }
  });

  it('refuses a trial that no retrain would take', () => {
    expect(() => applyParams(base, { 'gbdt.leaves': 1 }))
      .to.throw(SluiceError)
      .with.property('code', 'config_invalid');
  });

  it('makes distributions, and refuses names that cannot be searched with the nearest that can', () => {
    const leaves: Space[string] = { kind: 'int', low: 2, high: 64, log: true };
    expect(distributionsOf({ 'gbdt.leaves': leaves }, base, 'tabular_only')).to.deep.equal({
      'gbdt.leaves': { kind: 'int', low: 2, high: 64, step: 1, log: true },
    });
    const refused = ['gbdt.leafs', 'trade.cost.maker_frac', 'gbdt.threads', 'seed'];
    const space = Object.fromEntries(refused.map((name) => [name, leaves]));
    try {
      distributionsOf(space, base, 'tabular_only');
      expect.fail('should have been refused');
    } catch (error) {
      expect((error as SluiceError).code).to.equal('config_invalid');
      const { violations } = (error as SluiceError).context as { violations: string[] };
      expect(violations).to.have.length(refused.length);
      expect(violations[0]).to.contain('did you mean gbdt.leaves');
    }
  });

  it('gives a network on trial the one lambda that its parameter says', () => {
    const config = applyParams(neuralConfig(), {
      'tsmixer.teacher_lambda': 0.25,
      'tsmixer.learning_rate': 0.002,
    });
    expect(config.tsmixer).to.include({ learning_rate: 0.002 });
    expect(config.tsmixer!.teacher_lambdas).to.deep.equal([0.25]);
  });

  it('lets a search vary what it judges: parameters of the other model would decide nothing', () => {
    const rate: Space[string] = { kind: 'float', low: 0.001, high: 0.1, log: true };
    const lambda: Space[string] = { kind: 'float', low: 0, high: 2 };
    const network = { 'tsmixer.learning_rate': rate, 'tsmixer.teacher_lambda': lambda };
    const neural = neuralConfig();
    expect(Object.keys(distributionsOf(network, neural, 'nn_only'))).to.have.length(2);
    const refused = (space: Space, at: typeof base, policy: 'tabular_only' | 'nn_only') =>
      expect(() => distributionsOf(space, at, policy)).to.throw(SluiceError);
    refused(network, neural, 'tabular_only').with.property('message').that.contains('gbdt.');
    refused({ ...network, 'gbdt.learning_rate': rate }, neural, 'nn_only')
      .with.property('message')
      .that.contains('gbdt.learning_rate cannot be searched where nn_only is judged');
    refused({ 'tsmixer.seed': { kind: 'int', low: 0, high: 9 } }, neural, 'nn_only');
    refused(network, base, 'nn_only').with.property('message').that.contains('no network');
    refused({ 'tsmixer.learning_rate': rate }, neural, 'nn_only')
      .with.property('message')
      .that.contains('add tsmixer.teacher_lambda');
  });
});
