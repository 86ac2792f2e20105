import { expect } from 'chai';
import { gaussLegendre } from '../../../models/score/gaussLegendre.ts';

describe('gaussLegendre', () => {
  it('has the known points and weights for 2 points', () => {
    const { points, weights } = gaussLegendre(2);
    expect(points[0]).to.be.closeTo(0.5 - Math.sqrt(3) / 6, 1e-16);
    expect(points[1]).to.be.closeTo(0.5 + Math.sqrt(3) / 6, 1.2e-16);
    expect([...weights].every((weight) => Math.abs(weight - 0.5) < 1e-15)).to.equal(true);
  });

  it('integrates t^d exactly up to degree 2n - 1, and not t^(2n)', () => {
    for (const n of [1, 2, 3, 5, 8, 16, 40]) {
      const { points, weights } = gaussLegendre(n);
      const moment = (d: number) => points.reduce((sum, t, i) => sum + weights[i]! * t ** d, 0);
      for (let d = 0; d < 2 * n; d += 1) expect(moment(d)).to.be.closeTo(1 / (d + 1), 1e-14);
      if (n <= 8) expect(Math.abs(moment(2 * n) - 1 / (2 * n + 1))).to.be.above(1e-11);
    }
  });
});
