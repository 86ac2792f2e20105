import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { importBars, loadPanel } from '../../../data/market/index.ts';
import {
  firstMs,
  folder,
  header,
  hour,
  importInto,
  importRows,
  refusal,
  removeFolders,
  row,
  writeLines,
} from './tables.ts';

describe('import of bars', () => {
  afterEach(removeFolders);

  it('stores good rows as they are and reports the span', async () => {
    const report = await importRows([row(0), row(1), row(2)], { venue: 'somewhere' });
    expect(report.rows).to.equal(3);
    expect(report.from).to.equal(firstMs);
    expect(report.to).to.equal(firstMs + 2 * hour);
    expect(report.rejected).to.deep.equal([]);
    expect(report.order).to.equal('oldest_first');
    expect(report.files.map(({ file, venue }) => ({ file, venue }))).to.deep.equal([
      { file: 'bars.csv', venue: 'somewhere' },
    ]);
    const panel = await loadPanel({ storePath: report.path });
    expect([...panel.close]).to.deep.equal([10, 11, 12]);
    expect([...panel.takerBuyVolume]).to.deep.equal([Number.NaN, Number.NaN, Number.NaN]);
    expect([...panel.quality]).to.deep.equal([0, 0, 0]);
    expect(panel.dataVersion).to.equal(report.data_version);
    expect(panel.sources).to.have.length(1);
  });

  const bad: readonly (readonly [what: string, line: string, reason: RegExp])[] = [
    ['a missing cell', `AAA,${firstMs},10,11,9,10`, /^column_count: expected 7 cells, found 6/],
    ['a cell too many', `${row(0)},1`, /^column_count: expected 7 cells, found 8/],
    ['no symbol', `,${firstMs},10,11,9,10,5`, /^symbol: "" is no symbol/],
    ['a symbol with a blank', `A A,${firstMs},10,11,9,10,5`, /^symbol: "A A"/],
    ['a word for a stamp', 'AAA,noon,10,11,9,10,5', /^stamp: ts "noon" is not a number/],
    ['a stamp in nanoseconds', `AAA,${firstMs}000000,10,11,9,10,5`, /^stamp: ts .* is no time/],
    ['a stamp of the year 1970', 'AAA,3600000,10,11,9,10,5', /^stamp: ts "3600000" is no time/],
    ['a stamp beside the grid', `AAA,${firstMs + 1},10,11,9,10,5`, /^off_grid: ts "1704067200001"/],
    [
      'microseconds beside it',
      `AAA,${firstMs}001,10,11,9,10,5`,
      /^off_grid: ts "1704067200000001"/,
    ],
    ['NaN', `AAA,${firstMs},10,11,9,NaN,5`, /^not_a_number: close is "NaN"/],
    ['infinity', `AAA,${firstMs},10,inf,9,10,5`, /^not_a_number: high is "inf"/],
    ['an overflow', `AAA,${firstMs},10,1e999,9,10,5`, /^not_a_number: high is "1e999"/],
    ['an empty price', `AAA,${firstMs},,11,9,10,5`, /^not_a_number: open is ""/],
    ['an empty volume', `AAA,${firstMs},10,11,9,10,`, /^not_a_number: volume is ""/],
    ['digits with an underscore', `AAA,${firstMs},10,1_1,9,10,5`, /^not_a_number: high is "1_1"/],
    ['a zero price', `AAA,${firstMs},10,11,0,10,5`, /^price_not_positive: low is "0"/],
    ['a negative price', `AAA,${firstMs},-10,11,9,10,5`, /^price_not_positive: open is "-10"/],
    ['a high below the close', `AAA,${firstMs},10,11,9,11.5,5`, /^ohlc: high "11"/],
    ['a low above the open', `AAA,${firstMs},10,11,10.5,10.6,5`, /^ohlc: low "10.5"/],
    ['a high below the low', `AAA,${firstMs},10,10,11,10,5`, /^ohlc: high "10"/],
    ['a negative volume', `AAA,${firstMs},10,11,9,10,-5`, /^negative_volume: volume is "-5"/],
  ];
  for (const [what, line, reason] of bad) {
    it(`rejects a row with ${what}, naming its line`, async () => {
      const report = await importRows([row(3), line, row(4)]);
      expect(report.rows).to.equal(2);
      expect(report.rejected_count).to.equal(1);
      expect(report.rejected[0]).to.include({ file: 'bars.csv', line: 3 });
      expect(report.rejected[0]!.reason).to.match(reason);
    });
  }

  it('keeps optional columns that are empty as absent and rejects what is no number in them', async () => {
    const wide = (t: number, rest: string) => `${row(t)},${rest}`;
    const file = writeLines([
      `${header},quote_volume,trades,taker_buy_volume`,
      wide(0, '50,7,2.5'),
      wide(1, ',,'),
      wide(2, '50,7,5.5'),
      wide(3, '50,many,1'),
      wide(4, '-1,7,1'),
      wide(5, 'NaN,7,NaN'),
    ]);
    const report = await importInto(file);
    expect(report.rejected.map(({ line, reason }) => [line, reason.split(':')[0]])).to.deep.equal([
      [4, 'taker_above_volume'],
      [5, 'not_a_number'],
      [6, 'negative_volume'],
    ]);
    const panel = await loadPanel({ storePath: report.path });
    const { NaN: none } = Number;
    expect([...panel.takerBuyVolume]).to.deep.equal([2.5, none, none, none, none, none]);
    expect([...panel.trades]).to.deep.equal([7, none, none, none, none, 7]);
  });

  it('counts gaps and the bars that they lack, per symbol', async () => {
    const report = await importRows([
      row(0),
      row(1),
      row(4),
      row(6),
      row(9, 'BBB'),
      row(10, 'BBB'),
    ]);
    expect(report.symbols.map((s) => [s.symbol, s.rows, s.gaps, s.missing_bars])).to.deep.equal([
      ['AAA', 4, 2, 3],
      ['BBB', 2, 0, 0],
    ]);
  });

  it('keeps the first of several rows for a bar and tells a repeat from a contradiction', async () => {
    const report = await importRows([row(0), row(1), row(1), row(1, 'AAA', 99), row(1), row(2)]);
    expect(report.rows).to.equal(3);
    expect(report.rejected).to.deep.equal([
      {
        file: 'bars.csv',
        line: 4,
        reason: 'duplicate_identical: the bar stands at bars.csv, line 3',
      },
      {
        file: 'bars.csv',
        line: 5,
        reason: 'duplicate_conflicting: the bar stands at bars.csv, line 3',
      },
      {
        file: 'bars.csv',
        line: 6,
        reason: 'duplicate_identical: the bar stands at bars.csv, line 3',
      },
    ]);
    expect(report.symbols[0]).to.include({ duplicates: 3, conflicting_duplicates: 1 });
    expect((await loadPanel({ storePath: report.path })).close[1]).to.equal(11);
  });

  it('sees repeats across files, the earlier file first', async () => {
    const a = writeLines([header, row(0), row(1)], 'a.csv');
    const b = writeLines([header, row(1, 'AAA', 50), row(2)], 'b.csv.gz');
    const report = await importInto([a, b]);
    expect(report.rejected).to.deep.equal([
      {
        file: 'b.csv.gz',
        line: 2,
        reason: 'duplicate_conflicting: the bar stands at a.csv, line 3',
      },
    ]);
    const panel = await loadPanel({ storePath: report.path });
    expect([...panel.close]).to.deep.equal([10, 11, 12]);
    expect([...panel.sourceIndex]).to.deep.equal([0, 0, 1]);
  });

  it('keeps bars without volume and flags them', async () => {
    const report = await importRows([row(0), `AAA,${firstMs + hour},10,10,10,10,0`]);
    expect(report.symbols[0]!.zero_volume).to.equal(1);
    expect([...(await loadPanel({ storePath: report.path })).quality]).to.deep.equal([0, 2]);
  });

  it('converts seconds and microseconds, also in mid-file, and says how many', async () => {
    const report = await importRows([
      row(0),
      `AAA,${firstMs + hour}000,10,11,9,10,5`,
      `AAA,${(firstMs + 2 * hour) / 1000},10,11,9,10,5`,
      row(3),
    ]);
    expect(report.rows).to.equal(4);
    expect(report.symbols[0]).to.include({ gaps: 0, microsecond_stamps: 1, second_stamps: 1 });
    expect([...(await loadPanel({ storePath: report.path })).quality]).to.deep.equal([0, 4, 0, 0]);
  });

  it('sorts newest-first and shuffled files and reports the order', async () => {
    const rows = [0, 1, 2, 3, 4].map((t) => row(t));
    const newest = await importRows(rows.toReversed());
    expect(newest.order).to.equal('newest_first');
    const shuffled = await importRows([2, 0, 3, 1, 4].map((i) => rows[i]!));
    expect(shuffled.order).to.equal('shuffled');
    for (const { path } of [newest, shuffled]) {
      expect([...(await loadPanel({ storePath: path })).close]).to.deep.equal([10, 11, 12, 13, 14]);
    }
  });

  it('reads Windows line ends, quotes, a byte order mark, blank lines and columns in any order', async () => {
    const file = writeLines(
      [
        '\uFEFF"close","symbol",TS,open,low,high,volume,note',
        `10,"AAA",${firstMs},10,9,11,5,x`,
        '',
        `"11",AAA,${firstMs + hour},10,9,12,5,y`,
        `11,AAA,${firstMs + 2 * hour},10,9,8,5,y`,
        '',
      ],
      "it's [1]*?.csv",
      '\r\n',
    );
    const report = await importInto(file);
    expect(report.rows).to.equal(2);
    expect(report.rejected.map(({ line }) => line)).to.deep.equal([5]);
  });

  it('lists the first thousand rejections and counts them all', async () => {
    const rows = Array.from({ length: 1500 }, (_, t) => `AAA,${firstMs + t * hour},10,11,0,10,5`);
    const report = await importRows([...rows, row(2000)]);
    expect(report.rejected).to.have.length(1000);
    expect(report.rejected.at(-1)!.line).to.equal(1001);
    expect(report.rejected_count).to.equal(1500);
    expect(report.rejected_by_kind).to.deep.equal({ price_not_positive: 1500 });
  });

  it('mentions a symbol of which no row could be stored', async () => {
    const report = await importRows([row(0), `BBB,${firstMs + 5},10,11,9,10,5`]);
    expect(report.symbols[1]).to.include({ symbol: 'BBB', rows: 0, from: null, off_grid: 1 });
    expect((await loadPanel({ storePath: report.path })).symbols).to.deep.equal(['AAA']);
  });

  describe('refuses, with one sentence and nothing stored,', () => {
    const packed = gzipSync(
      `${[header, ...Array.from({ length: 999 }, (_, t) => row(t))].join('\n')}\n`,
    );
    const file = (bytes: Uint8Array | string, name: string) => {
      const path = join(folder(), name);
      writeFileSync(path, bytes);
      return path;
    };
    const cases: readonly (readonly [string, () => string, RegExp])[] = [
      ['a file that is not there', () => '/nowhere/bars.csv', /^No file/],
      ['a folder', () => folder(), /is not a file/],
      ['an empty file', () => file('', 'bars.csv'), /is empty/],
      ['a header alone', () => writeLines([header]), /Nothing to import: the files hold no rows/],
      [
        'an archive cut off',
        () => file(packed.subarray(0, -100), 'b.csv.gz'),
        /damaged gzip archive \(cut off/,
      ],
      [
        'an archive cut off in its checksum',
        () => file(packed.subarray(0, -3), 'b.csv.gz'),
        /cut off/,
      ],
      [
        'a damaged archive',
        () =>
          file(
            packed.map((b, i) => (i === packed.length - 6 ? b ^ 1 : b)),
            'b.csv.gz',
          ),
        /damaged gzip archive/,
      ],
      [
        'missing columns',
        () => writeLines(['symbol,ts,open,close', 'A,1,2,3']),
        /lacks high, low, volume/,
      ],
      ['a repeated column', () => writeLines([`${header},close`, `${row(0)},1`]), /repeats close/],
      ['control bytes', () => writeLines([header, `${row(0)}\u0001`]), /control byte/],
      [
        'text in UTF-16',
        () => file(Buffer.from(`${header}\n${row(0)}\n`, 'utf16le'), 'b.csv'),
        /control byte/,
      ],
      [
        'bytes that are no text',
        () => file(Buffer.from([...Buffer.from(`${header}\n`), 0xff, 0xfe, 0x0a]), 'b.csv'),
        /cannot be read/,
      ],
      ['a broken Parquet file', () => file('PAR1 and no more', 'b.parquet'), /cannot be read/],
      [
        'rows that are all bad',
        () => writeLines([header, `AAA,${firstMs},1,1,1,1,-1`]),
        /all 1 rows are rejected, the first \(bars.csv, line 2\)/,
      ],
      [
        'klines without a symbol in the name',
        () => writeLines(['1,1,1,1,1,1,1,1,1,1,1,1'], 'k.csv'),
        /name it like/,
      ],
      [
        'klines of another length',
        () => writeLines(['1,1,1,1,1,1,1,1,1,1,1,1'], 'AAA-5m-2024-01.csv'),
        /--timeframe 5m/,
      ],
    ];
    for (const [what, make, message] of cases) {
      it(what, async () => {
        const out = folder();
        const error = await refusal(importInto(make(), { out }));
        expect(error.code).to.be.oneOf(['input_invalid', 'input_missing']);
        expect(error.message).to.match(message).and.not.contain('\n');
        expect(readdirSync(out)).to.deep.equal([]);
      });
    }

    it('a timeframe that is none, no file at all, and more than 256', async () => {
      expect((await refusal(importRows([row(0)], { timeframe: 'hourly' }))).code).to.equal(
        'input_invalid',
      );
      expect((await refusal(importInto([]))).code).to.equal('input_invalid');
      expect((await refusal(importInto(Array(257).fill('x')))).code).to.equal('input_invalid');
    });
  });

  it('stops on request and leaves nothing', async () => {
    const out = folder();
    for (const stage of ['read', 'sort', 'scan']) {
      const stop = new AbortController();
      const progress = { update: (at: string) => void (at === stage && stop.abort()) };
      const file = writeLines([header, row(0)]);
      const work = importBars({ inputs: [file], timeframe: '1h', out }, progress, stop.signal);
      expect((await refusal(work)).code, stage).to.equal('cancelled');
      expect(readdirSync(out)).to.deep.equal([]);
    }
  });

  it('gives the same input the same version and changes nothing the second time', async () => {
    const out = folder();
    const file = writeLines([header, row(0), row(1)]);
    const first = await importInto(file, { out });
    const bytes = readFileSync(join(first.path, 'bars.json'));
    expect(await importInto(file, { out })).to.deep.equal(first);
    expect(readFileSync(join(first.path, 'bars.json'))).to.deep.equal(bytes);
    expect(readdirSync(out)).to.deep.equal([first.data_version]);
  });

  it('gives other bars, another venue or another file another version', async () => {
    const versions = await Promise.all([
      importRows([row(0), row(1)]),
      importRows([row(0), row(1, 'AAA', 12)]),
      importRows([row(0), row(1, 'AAB')]),
      importRows([row(0), row(1)], { venue: 'elsewhere' }),
      importRows([row(1), row(0)]),
      importRows([row(0), row(2)], { timeframe: '2h' }),
    ]);
    expect(new Set(versions.map((report) => report.data_version)).size).to.equal(6);
  });

  it('does not mind two imports of the same thing at once', async () => {
    const out = folder();
    const file = writeLines([header, ...Array.from({ length: 5000 }, (_, t) => row(t))]);
    const reports = await Promise.all([1, 2, 3].map(() => importInto(file, { out })));
    expect(reports[1]).to.deep.equal(reports[0]);
    expect(reports[2]).to.deep.equal(reports[0]);
    expect(readdirSync(out)).to.deep.equal([reports[0]!.data_version]);
    expect((await loadPanel({ storePath: reports[0]!.path })).openMs).to.have.length(5000);
  });

  it('notices when stored bars were changed', async () => {
    const report = await importRows([row(0), row(1)]);
    truncateSync(join(report.path, 'bars.parquet'), 100);
    const error = await refusal(loadPanel({ storePath: report.path }));
    expect(error.message).to.match(/is not the file that the import wrote/);
  });

  it('tells its progress in order', async () => {
    const fractions: number[] = [];
    const progress = { update: (_: string, doneFrac: number) => void fractions.push(doneFrac) };
    const file = writeLines([header, row(0)]);
    await importBars(
      { inputs: [file], timeframe: '1h', out: folder() },
      progress,
      new AbortController().signal,
    );
    expect(fractions).to.deep.equal(fractions.toSorted((a, b) => a - b));
    expect(fractions.at(-1)).to.equal(1);
  });
});
