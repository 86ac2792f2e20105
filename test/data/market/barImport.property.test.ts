import { expect } from 'chai';
import fc from 'fast-check';
import { createRandom } from '../../../core/index.ts';
import { type BarPanel, barQuality, loadPanel } from '../../../data/market/index.ts';
import { slowImport } from './slowImport.ts';
import { firstMs, hour, importRows, removeFolders } from './tables.ts';

/** `symbol,openMs` -> close of every bar that a panel holds. */
function barsOf(panel: BarPanel): Map<string, number> {
  const bars = new Map<string, number>();
  for (const [s, symbol] of panel.symbols.entries()) {
    for (const [t, openMs] of panel.openMs.entries()) {
      const at = s * panel.openMs.length + t;
      if (panel.quality[at]! & barQuality.missing) continue;
      bars.set(`${symbol},${openMs}`, panel.close[at]!);
    }
  }
  return bars;
}

const kindsOf = (rejected: readonly { line: number; reason: string }[]) =>
  rejected.map(({ line, reason }) => [line, reason.split(':')[0]]);

const price = fc.constantFrom('9', '10', '10.5', '11', '12', '0', '-1', 'x', '', 'NaN', '0.1e2');
const line = fc
  .record({
    symbol: fc.constantFrom('A', 'B', 'C.D-E'),
    t: fc.integer({ min: 0, max: 8 }),
    unit: fc.constantFrom(1, 1, 1, 1000, 0.001),
    off: fc.constantFrom(0, 0, 0, 0, 1800),
    prices: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('10,12,9,11', '10,12,9,10', '11,12,9,10') },
      { weight: 1, arbitrary: fc.tuple(price, price, price, price).map((p) => p.join(',')) },
    ),
    volume: fc.constantFrom('5', '5', '5', '0', '-1', '1.25'),
    extra: fc.constantFrom('', '', '', '', '', ',1'),
  })
  .map(
    ({ symbol, t, unit, off, prices, volume, extra }) =>
      `${symbol},${(firstMs + t * hour + off * 1000) * unit},${prices},${volume}${extra}`,
  );

describe('import of any table', () => {
  afterEach(removeFolders);

  it('stores and refuses exactly what plain row-by-row code does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 40 }), async (lines) => {
        const good = `Z,${firstMs},10,12,9,11,1`;
        const expected = slowImport([...lines, good]);
        const report = await importRows([...lines, good]);
        expect(kindsOf(report.rejected)).to.deep.equal(expected.refused);
        const stored = barsOf(await loadPanel({ storePath: report.path }));
        expect(new Map([...stored].sort())).to.deep.equal(new Map([...expected.stored].sort()));
      }),
      { seed: 11, numRuns: 25 },
    );
  });

  it('keeps line numbers, order, version and bytes on one and on three threads', async () => {
    const random = createRandom(5);
    const lines = Array.from({ length: 300_000 }, (_, i) => {
      const close = 10 + random.uniform();
      const bad = random.uniform() < 0.001 ? 'x' : '';
      return `S${i % 7},${firstMs + Math.floor(i / 7) * hour},10,12,9,${close}${bad},${random.uniform()}`;
    });
    for (let i = lines.length - 1; i > 0; i -= 1) {
      const j = random.integer(i + 1);
      [lines[i], lines[j]] = [lines[j]!, lines[i]!];
    }
    const expected = slowImport(lines);
    expect(expected.refused.length).to.be.greaterThan(200);
    const one = await importRows(lines, { threads: 1 });
    const three = await importRows(lines, { threads: 3 });
    expect(kindsOf(one.rejected)).to.deep.equal(expected.refused);
    expect({ ...three, path: '' }).to.deep.equal({ ...one, path: '' });
    expect(one.order).to.equal('shuffled');
    const stored = barsOf(await loadPanel({ storePath: three.path }));
    expect(stored.size).to.equal(expected.stored.size);
    const wrong = [...stored].filter(([bar, close]) => expected.stored.get(bar) !== close);
    expect(wrong).to.deep.equal([]);
  });
});
