// Import of bars: rows per second and peak memory of a process of its own, for CSV.gz and Parquet.
// Usage: node bench/import.ts [rows, default 10000000]

import { execFileSync } from 'node:child_process';
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createGzip } from 'node:zlib';
import { silent } from '../core/index.ts';
import { openDatabase, sqlText } from '../data/market/duckdb.ts';
import { importBars } from '../data/market/index.ts';
import { report } from './harness.ts';

const symbols = 20;
const memoryLimitMib = 1024;

/** Rows lie by time, all symbols of a minute together, so that the import has to sort. */
async function makeInputs(folder: string, rows: number): Promise<Record<string, string>> {
  const database = await openDatabase({
    spillFolder: join(folder, 'spill'),
    memoryMib: 1024,
    threads: 2,
  });
  const csv_gz = join(folder, 'bars.csv.gz');
  const parquet = join(folder, 'bars.parquet');
  const bars = `SELECT printf('S%02dUSDT', i % ${symbols}) AS symbol, 1600000020000 + (i // ${symbols}) * 60000 AS ts,
      p AS open, round(p * 1.011, 2) AS high, round(p * 0.989, 2) AS low, round(p * 1.002, 2) AS close, v AS volume,
      round(v * p, 6) AS quote_volume, 1000 + i % 977 AS trades, round(v * 0.4, 5) AS taker_buy_volume
    FROM (SELECT i, round(30000 + 9000 * sin(i / 1e5) + hash(i) % 10000 / 100, 2) AS p,
      round(50 + 40 * cos(i / 777) + hash(i + 7) % 100000 / 1e5, 5) AS v FROM range(${rows}) t(i))`;
  const csv = join(folder, 'bars.csv');
  await database.run(`COPY (${bars}) TO ${sqlText(csv)} (FORMAT csv, HEADER)`);
  await database.run(`COPY (${bars}) TO ${sqlText(parquet)} (FORMAT parquet)`);
  database.close();
  await pipeline(createReadStream(csv), createGzip({ level: 1 }), createWriteStream(csv_gz));
  rmSync(csv);
  return { csv_gz, parquet };
}

/** The measured process: imports one file and prints what it took. */
async function measure(input: string, out: string): Promise<void> {
  const begin = process.hrtime.bigint();
  const result = await importBars(
    { inputs: [input], timeframe: '1m', out },
    silent,
    new AbortController().signal,
  );
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const { rows, rejected_count, symbols: found, data_version } = result;
  const peak_mib = process.resourceUsage().maxRSS / 1024;
  const gaps = found.reduce((sum, symbol) => sum + symbol.gaps, 0);
  const answer = { rows, rejected_count, symbols: found.length, gaps, data_version };
  process.stdout.write(JSON.stringify({ seconds, peak_mib, ...answer }));
}

function inChild(input: string, out: string, rows: number): Record<string, unknown> {
  const text = execFileSync(
    process.execPath,
    [fileURLToPath(import.meta.url), 'measure', input, out],
    { encoding: 'utf8' },
  );
  const found = JSON.parse(text);
  if (found.rows !== rows || found.rejected_count !== 0 || found.gaps !== 0) {
    throw new Error(`The import answers ${text}`);
  }
  return {
    input_mib: Math.round(statSync(input).size / 2 ** 20),
    seconds: found.seconds,
    rows_per_s: Math.round(rows / found.seconds),
    peak_mib: Math.round(found.peak_mib),
    within_limit: found.peak_mib < memoryLimitMib,
  };
}

async function main(rows: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-import-'));
  try {
    const inputs = await makeInputs(folder, rows);
    const results = Object.entries(inputs).map(([kind, path]) => [
      kind,
      inChild(path, join(folder, kind), rows),
    ]);
    report('import', {
      rows,
      symbols,
      memory_limit_mib: memoryLimitMib,
      ...Object.fromEntries(results),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [mode, input, out] = process.argv.slice(2);
if (mode === 'measure') await measure(input!, out!);
else await main(Number(mode ?? 10_000_000));
