import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import { applyParams, distributionsOf, type Space } from '../../../hpo/objective/index.ts';
import { smallConfig } from '../../training/retrain/smallConfig.ts';

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
    expect(distributionsOf({ 'gbdt.leaves': leaves }, base)).to.deep.equal({
      'gbdt.leaves': { kind: 'int', low: 2, high: 64, step: 1, log: true },
    });
    const refused = ['gbdt.leafs', 'trade.cost.maker_frac', 'gbdt.threads', 'seed'];
    const space = Object.fromEntries(refused.map((name) => [name, leaves]));
    try {
      distributionsOf(space, base);
      expect.fail('should have been refused');
    } catch (error) {
      expect((error as SluiceError).code).to.equal('config_invalid');
      const { violations } = (error as SluiceError).context as { violations: string[] };
      expect(violations).to.have.length(refused.length);
      expect(violations[0]).to.contain('did you mean gbdt.leaves');
    }
  });
});
