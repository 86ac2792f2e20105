import { join } from 'node:path';
import { expect } from 'chai';
import { type CommandIo, silent } from '../../../core/index.ts';
import { importData, simulateData } from '../../../data/main.ts';
import { listDatasets, openDatabase } from '../../../data/store/index.ts';
import { firstMs, folder, header, removeFolders, row, writeLines } from './tables.ts';

const io: CommandIo = {
  env: {},
  clock: () => firstMs,
  progress: silent,
  signal: new AbortController().signal,
};

describe('the commands of data', () => {
  afterEach(removeFolders);

  it('import answers what a dataset row needs, and a table for people', async () => {
    const out = folder();
    const input = [writeLines([header, row(1), row(0), 'AAA,1,2'])];
    const options = { input, timeframe: '1h', venue: 'binance_spot', out };
    const { json, text, exit } = await importData(options, io);
    expect(exit).to.equal(0);
    expect(json).to.include({ rows: 2, timeframe: '1h', venue: 'binance_spot', from: firstMs });
    expect(json.path).to.equal(join(out, 'bars', String(json.data_version)));
    expect(json.sources).to.have.length(1);
    expect(json.rejected).to.deep.equal([
      { file: 'bars.csv', line: 4, reason: 'column_count: expected 7 cells, found 3' },
    ]);
    const lines = text.split('\n');
    expect(lines[0]).to.match(/^2 bars of 1h, 2024-01-01T00:00:00.000Z to 2024-01-01T01/);
    expect(text).to.match(/AAA {5}2024-01-01T00:00 {2}2024-01-01T01:00 {5}2 /);
    expect(text).to.contain('1 rows rejected: 1 column_count.');
    expect(text).to.contain('Rows came newest first and were sorted.');
  });

  it('simulate answers rows, symbols and seed, and stores them as a source of their own', async () => {
    const options = { seed: 3, symbols: 2, days: 20, alpha: 0.5, timeframe: '1h', out: folder() };
    const { json, text } = await simulateData(options, io);
    expect(json).to.include({ seed: 3, alpha: 0.5, structure: 'tabular', venue: 'simulator' });
    expect(json.symbols).to.have.length(2);
    expect(text).to.match(/^Simulated with seed 3, alpha 0.5 and tabular structure\./);
    expect((await simulateData(options, io)).json).to.deep.equal(json);
    const sequence = await simulateData({ ...options, structure: 'sequence' }, io);
    expect(sequence.json.structure).to.equal('sequence');
    expect(sequence.json.data_version).to.not.equal(json.data_version);
  });

  it('enter the bars into the table of datasets, once', async () => {
    const out = folder();
    const input = [writeLines([header, row(0), row(1)])];
    const options = { input, timeframe: '1h', venue: 'binance_spot', out };
    const { json } = await importData(options, io);
    await importData(options, io);
    const db = await openDatabase({ folder: join(out, 'db'), clock: io.clock });
    const rows = await listDatasets(db);
    await db.close();
    expect(rows).to.have.length(1);
    expect(rows[0]).to.include({
      data_version: json.data_version,
      row_count: 2,
      timeframe: '1h',
      venue: 'binance_spot',
      simulated: false,
      range_from: firstMs,
    });
  });
});
