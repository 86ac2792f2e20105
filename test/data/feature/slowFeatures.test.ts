import { expect } from 'chai';
import { barFeaturesV1, createFeatureStream } from '../../../data/feature/index.ts';
import { slowFeature, slowTolerance } from './slowFeatures.ts';
import { randomPanel } from './toyPanel.ts';

describe('the feature stream against every feature computed from its definition', () => {
  for (const symbols of [1, 2, 5]) {
    it(`agrees on every bar of a panel of ${symbols} with gaps and idle bars`, () => {
      const panel = randomPanel({
        seed: 7 + symbols,
        symbols,
        times: 420,
        gapFrac: 0.004,
        zeroVolumeFrac: 0.01,
      });
      const spec = barFeaturesV1({ symbolCount: symbols, timeframeMs: panel.timeframeMs });
      const stream = createFeatureStream(spec, symbols, panel.timeframeMs);
      let numbers = 0;
      for (let t = 0; t < panel.openMs.length; t += 1) {
        stream.push(panel, t);
        if (t < spec.lookbackBars - 1 && t % 10 > 0) continue;
        for (let s = 0; s < symbols; s += 1) {
          spec.entries.forEach((entry, f) => {
            const got = stream.rows[s * spec.entries.length + f]!;
            const wanted = slowFeature(panel, entry, s, t);
            const where = `${entry.name} of symbol ${s} at ${t}`;
            if (Number.isNaN(wanted)) expect(got, where).to.be.NaN;
            else expect(got, where).closeTo(wanted, slowTolerance(entry, wanted));
            if (!Number.isNaN(wanted)) numbers += 1;
          });
        }
      }
      expect(numbers).greaterThan(250 * symbols * spec.entries.length * 0.6);
    });
  }
});
