import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import { openDatabase, sqlText } from '../../../data/market/duckdb.ts';
import { type ImportReport, loadPanel } from '../../../data/market/index.ts';
import { needsSharedData, sharedData } from '../../sharedData.ts';
import { folder, importInto, refusal, removeFolders } from './tables.ts';

const total = (report: ImportReport, name: 'gaps' | 'missing_bars' | 'off_grid' | 'zero_volume') =>
  report.symbols.reduce((sum, symbol) => sum + symbol[name], 0);

interface RealFile {
  readonly file: string;
  readonly timeframe: string;
  readonly rows: number;
  readonly symbols: number;
  readonly gaps: number;
  readonly missing: number;
  readonly offGrid: number;
  readonly zeroVolume: number;
}

// Counted from the files by a separate program; README.md of the data counts 240 h missing because it takes the 86 bars
// beside the grid for present: 240 + 86 = 326 grid bars have no bar.
const files: readonly RealFile[] = [
  {
    file: 'ohlcv_1h_spot_btc_eth_2018_2024_trades.csv.gz',
    timeframe: '1h',
    rows: 116_928 - 86,
    symbols: 2,
    gaps: 54,
    missing: 240 + 86,
    offGrid: 86,
    zeroVolume: 8,
  },
  {
    file: 'ohlcv_1h_spot_20sym_2024_mit.csv.gz',
    timeframe: '1h',
    rows: 119_940,
    symbols: 20,
    gaps: 0,
    missing: 0,
    offGrid: 0,
    zeroVolume: 0,
  },
  {
    file: 'ohlcv_5m_spot_btc_eth_sol_2024_mit.csv.gz',
    timeframe: '5m',
    rows: 215_538,
    symbols: 3,
    gaps: 0,
    missing: 0,
    offGrid: 0,
    zeroVolume: 0,
  },
  {
    file: 'ohlcv_1h_spot_doge_shib_2019_2023_mit.csv.gz',
    timeframe: '1h',
    rows: 58_989,
    symbols: 2,
    gaps: 23,
    missing: 52,
    offGrid: 0,
    zeroVolume: 4,
  },
  {
    file: 'ohlcv_1m_btc_perp_2022_01.csv.gz',
    timeframe: '1m',
    rows: 45_031,
    symbols: 1,
    gaps: 0,
    missing: 0,
    offGrid: 0,
    zeroVolume: 0,
  },
];

describe('import of the real files', () => {
  afterEach(removeFolders);

  for (const real of files) {
    it(`finds in ${real.file} what a separate count found, and keeps every number`, async function () {
      needsSharedData(this);
      const path = sharedData('market', real.file);
      const report = await importInto(path, { timeframe: real.timeframe });
      expect(report.rows).to.equal(real.rows);
      expect(report.symbols).to.have.length(real.symbols);
      expect(total(report, 'gaps')).to.equal(real.gaps);
      expect(total(report, 'missing_bars')).to.equal(real.missing);
      expect(total(report, 'off_grid')).to.equal(real.offGrid);
      expect(total(report, 'zero_volume')).to.equal(real.zeroVolume);
      expect(report.rejected_by_kind).to.deep.equal(
        real.offGrid === 0 ? {} : { off_grid: real.offGrid },
      );
      const bytes = readFileSync(path);
      expect(report.files[0]!.sha256).to.equal(createHash('sha256').update(bytes).digest('hex'));
      await expectSameNumbers(report, gunzipSync(bytes).toString('utf8'));
    });
  }

  it('refuses the files that hold no bars, naming what lacks', async function () {
    needsSharedData(this);
    for (const file of ['funding_8h_btcusdt_2022_2024', 'open_interest_btc_daily_2019_2024']) {
      const error = await refusal(importInto(sharedData('market', `${file}.csv.gz`)));
      expect(error.message).to.match(/lacks open, high, low, close, volume/);
    }
  });

  it('reads the kline file of the 2018 outage: 43 bars beside the grid, one hole', async function () {
    needsSharedData(this);
    const name = 'BTCUSDT-1h-2018-02_outage_and_offgrid.csv';
    const report = await importInto(sharedData('fixtures', 'binance_vision', name));
    expect(report.rows).to.equal(46);
    expect(report.symbols[0]).to.include({ symbol: 'BTCUSDT', gaps: 1, off_grid: 43 });
    expect(report.rejected[0]).to.deep.equal({
      file: name,
      line: 26,
      reason: 'off_grid: ts "1518168494789" is not on the grid',
    });
    const panel = await loadPanel({ storePath: report.path });
    expect(panel.takerBuyVolume[0]).to.equal(1413.849957);
    expect(panel.trades[0]).to.equal(24_723);
  });

  it('reads the kline file in microseconds, and a file that switches to them', async function () {
    needsSharedData(this);
    const path = sharedData(
      'fixtures',
      'binance_vision',
      'ETHUSDC-1h-2025_microseconds_head48.csv',
    );
    const whole = await importInto(path);
    expect(whole.rows).to.equal(49);
    expect(whole.from).to.equal(Date.UTC(2025, 0, 1));
    expect(whole.symbols[0]).to.include({ gaps: 0, microsecond_stamps: 49 });
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    const switched = lines.map((line, i) => (i < 20 ? line.replace(/^(\d{13})000/, '$1') : line));
    const file = join(folder(), basename(path));
    writeFileSync(file, switched.join('\n'));
    const report = await importInto(file);
    expect(report.symbols[0]).to.include({ rows: 49, gaps: 0, microsecond_stamps: 29 });
  });

  it('gives the same bars for the same table as Parquet, stamps typed or not', async function () {
    needsSharedData(this);
    const csv = sharedData('market', 'ohlcv_1h_spot_20sym_2024_mit.csv.gz');
    const parquet = join(folder(), 'bars.parquet');
    const typed = join(folder(), 'typed.parquet');
    const database = await openDatabase({ memoryMib: 256, threads: 1 });
    await database.run(`COPY (FROM read_csv(${sqlText(csv)})) TO ${sqlText(parquet)}`);
    await database.run(
      `COPY (SELECT * REPLACE (make_timestamp(ts * 1000) AS ts) FROM read_csv(${sqlText(csv)})) TO ${sqlText(typed)}`,
    );
    database.close();
    const panels = await Promise.all(
      [csv, parquet, typed].map(async (path) =>
        loadPanel({ storePath: (await importInto(path)).path }),
      ),
    );
    const [first, ...others] = panels.map(({ dataVersion, sources, ...bars }) => bars);
    for (const other of others) expect(other).to.deep.equal(first);
  });
});

/** Every number of every stored row, read from the text by JavaScript's own parser. */
async function expectSameNumbers(report: ImportReport, text: string): Promise<void> {
  const panel = await loadPanel({ storePath: report.path });
  const [head, ...lines] = text.trim().split('\n');
  const names = head!.split(',');
  const columns = {
    open: panel.open,
    high: panel.high,
    low: panel.low,
    close: panel.close,
    volume: panel.volume,
    quote_volume: panel.quoteVolume,
    trades: panel.trades,
    taker_buy_volume: panel.takerBuyVolume,
  };
  const checks = Object.entries(columns).map(
    ([name, column]) => [names.indexOf(name), column] as const,
  );
  const symbolRow = new Map(panel.symbols.map((symbol, s) => [symbol, s]));
  let stored = 0;
  let wrong = 0;
  for (const line of lines) {
    const cells = line.split(',');
    const t = (Number(cells[1]) - panel.openMs[0]!) / panel.timeframeMs;
    if (!Number.isInteger(t)) continue;
    stored += 1;
    const at = symbolRow.get(cells[0]!)! * panel.openMs.length + t;
    for (const [k, column] of checks) {
      const value = k < 0 ? Number.NaN : Number(cells[k]);
      if (!Object.is(column[at], value)) wrong += 1;
    }
  }
  expect([stored, wrong]).to.deep.equal([report.rows, 0]);
}
