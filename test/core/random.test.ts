import { expect } from 'chai';
import { createRandom } from '../../core/index.ts';

const draw = (seed: number, n: number) => {
  const random = createRandom(seed);
  return Array.from({ length: n }, () => random.uniform());
};

describe('createRandom', () => {
  it('gives the same stream for the same seed and another one for another seed', () => {
    expect(draw(7, 100)).to.deep.equal(draw(7, 100));
    expect(draw(7, 100)).not.to.deep.equal(draw(8, 100));
  });

  it('forks streams that depend on seed and label, not on what was drawn before', () => {
    const fresh = createRandom(7).fork('bars');
    const used = createRandom(7);
    used.uniform();
    expect(used.fork('bars').uniform()).to.equal(fresh.uniform());
    expect(createRandom(7).fork('events').uniform()).not.to.equal(
      createRandom(7).fork('bars').uniform(),
    );
  });

  it('has uniform and normal moments within five standard errors', () => {
    const n = 200_000;
    const random = createRandom(3);
    let uniform = 0;
    let normal = 0;
    let square = 0;
    for (let i = 0; i < n; i += 1) {
      const u = random.uniform();
      expect(u >= 0 && u < 1).to.equal(true);
      const z = random.normal();
      uniform += u;
      normal += z;
      square += z * z;
    }
    expect(Math.abs(uniform / n - 0.5)).to.be.below(5 * Math.sqrt(1 / 12 / n));
    expect(Math.abs(normal / n)).to.be.below(5 * Math.sqrt(1 / n));
    expect(Math.abs(square / n - 1)).to.be.below(5 * Math.sqrt(2 / n));
  });

  it('spreads integers over all buckets (chi-square, 1 in 10,000)', () => {
    const counts = new Array<number>(10).fill(0);
    const random = createRandom(11);
    for (let i = 0; i < 100_000; i += 1) counts[random.integer(10)]! += 1;
    const chi = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(chi).to.be.below(33.72); // 9 degrees of freedom
  });
});
