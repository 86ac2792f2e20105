import { expect } from 'chai';
import fc from 'fast-check';
import { randomSampler } from '../../../hpo/sample/index.ts';
import { drawUniform } from '../../../hpo/sample/random.ts';
import {
  categoricalDistribution,
  contains,
  type Distribution,
  floatDistribution,
  intDistribution,
} from '../../../hpo/study/index.ts';
import { newTrial } from './study.ts';

/** A stream of one number. */
const fixed = (u: number) => ({ word: () => 0, uniform: () => u, upTo: () => 0 });

describe('uniform draws', () => {
  it('lie in their distribution, to the last bit at both ends', () => {
    const least = fc.integer({ min: 1, max: 50 });
    const more = fc.integer({ min: 0, max: 50 });
    const step = fc.integer({ min: 1, max: 4 });
    const u = fc.oneof(
      fc.constantFrom(0, 2 ** -53, 0.5, 1 - 2 ** -53),
      fc.double({ min: 0, max: 1 - 2 ** -53, noNaN: true }),
    );
    fc.assert(
      fc.property(least, more, step, u, (low, more, step, u) => {
        const high = low + more;
        const distributions: Distribution[] = [
          floatDistribution(low / 7, high / 7),
          floatDistribution(low / 7, high / 7, { log: true }),
          floatDistribution(-high / 7, -low / 7),
          floatDistribution(-low, 0),
          floatDistribution(low / 8, high / 8, { step: step / 8 }),
          intDistribution(-low, high, { step }),
          intDistribution(low, high, { log: true }),
        ];
        for (const distribution of distributions) {
          const value = drawUniform(distribution, fixed(u));
          if (!contains(distribution, value)) {
            expect.fail(`${value} of ${JSON.stringify(distribution)} for ${u}`);
          }
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('give each step and each choice its share', () => {
    const at = (distribution: Distribution) =>
      [0.01, 0.34, 0.65, 0.99].map((u) => drawUniform(distribution, fixed(u)));
    expect(at(intDistribution(0, 2))).to.eql([0, 1, 1, 2]);
    expect(at(floatDistribution(0, 1, { step: 0.5 }))).to.eql([0, 0.5, 0.5, 1]);
    const sampler = randomSampler({ seed: 4 });
    const kind = categoricalDistribution(['a', 'b', 'c']);
    const study = { name: 's', directions: ['MINIMIZE'], trials: [] } as const;
    const counts = [0, 0, 0];
    for (let i = 0; i < 3000; i += 1) {
      counts[sampler.independent(study, newTrial(i), 'kind', kind)]! += 1;
    }
    // Five standard deviations of a count of 3000 with probability 1/3.
    for (const count of counts) expect(count).to.be.closeTo(1000, 5 * Math.sqrt(3000 * (2 / 9)));
  });

  it('follow per trial from seed, number and name', () => {
    const study = { name: 's', directions: ['MINIMIZE'], trials: [] } as const;
    const x = floatDistribution(0, 1);
    const ask = (seed: number, number: number, name: string) =>
      randomSampler({ seed, perTrial: true }).independent(study, newTrial(number), name, x);
    expect(ask(1, 2, 'x')).to.equal(ask(1, 2, 'x'));
    const values = [ask(1, 2, 'x'), ask(2, 2, 'x'), ask(1, 3, 'x'), ask(1, 2, 'y')];
    expect(new Set(values).size).to.equal(4);
  });
});
