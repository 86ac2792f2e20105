import { expect } from 'chai';
import { loadPanel } from '../../../data/market/index.ts';
import { firstMs, hour, importRows, refusal, removeFolders, row } from './tables.ts';

describe('a panel of stored bars', () => {
  afterEach(removeFolders);
  const rows = [row(0), row(1), row(3), row(2, 'BBB', 20), row(4, 'BBB', 21)];
  const { NaN: none } = Number;

  it('stands on one grid with NaN and the missing bit where there is no bar', async () => {
    const { path } = await importRows(rows);
    const panel = await loadPanel({ storePath: path });
    expect(panel.symbols).to.deep.equal(['AAA', 'BBB']);
    expect([...panel.openMs]).to.deep.equal([0, 1, 2, 3, 4].map((t) => firstMs + t * hour));
    expect([...panel.close]).to.deep.equal([10, 11, none, 13, none, none, none, 20, none, 21]);
    expect([...panel.quality]).to.deep.equal([0, 0, 1, 0, 1, 1, 1, 0, 1, 0]);
    for (const column of [panel.open, panel.high, panel.low, panel.volume, panel.trades]) {
      expect(column).to.have.length(10);
      expect(column[2]).to.be.NaN;
    }
  });

  it('loads the symbols and the span asked for, the end excluded, in the order of names', async () => {
    const { path, data_version } = await importRows(rows);
    const panel = await loadPanel({
      storePath: path,
      symbols: ['BBB', 'AAA'],
      fromMs: firstMs + 1,
      toMs: firstMs + 4 * hour,
    });
    expect(panel.symbols).to.deep.equal(['AAA', 'BBB']);
    expect([...panel.close]).to.deep.equal([11, none, 13, none, 20, none]);
    expect(panel.dataVersion).to.equal(data_version);
    const one = await loadPanel({ storePath: path, symbols: ['BBB'] });
    expect([...one.close]).to.deep.equal([20, none, 21]);
    expect(one.openMs[0]).to.equal(firstMs + 2 * hour);
  });

  it('refuses an unknown symbol, an empty wish, an empty span and a folder that is no store', async () => {
    const { path } = await importRows(rows);
    const unknown = await refusal(loadPanel({ storePath: path, symbols: ['BBBB'] }));
    expect(unknown.message).to.equal('Not in the store: BBBB (nearest: BBB).');
    expect((await refusal(loadPanel({ storePath: path, symbols: [] }))).code).to.equal(
      'input_invalid',
    );
    const early = await refusal(loadPanel({ storePath: path, toMs: firstMs }));
    expect(early.message).to.match(/runs from 2024-01-01T00:00:00.000Z to 2024-01-01T04/);
    expect((await refusal(loadPanel({ storePath: `${path}x` }))).code).to.equal('input_missing');
  });
});
