// A simulated market into the bar store by the road that files take: as a CSV table, so that what holds for imported
// bars (rules, order, digest, publication) holds for these too.

import { closeSync, openSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Progress, SluiceError } from '../../core/index.ts';
import { importFiles } from './barImport.ts';
import { barFields } from './barLayout.ts';
import { type BarPanel, barColumns, barQuality } from './barPanel.ts';
import type { ImportReport } from './barReport.ts';
import { withStaging } from './barStore.ts';
import type { SimulatedMarket } from './simulator.ts';

/**
 * Stores a simulated market; its `data_version` is the panel's, its source the digest of the simulator's options.
 * @param out folder of the bar store
 * @throws SluiceError `cancelled` | `io_failed`
 */
export async function storeMarket(
  market: SimulatedMarket,
  out: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<ImportReport> {
  const { panel, options } = market;
  const report = await withStaging(resolve(out), async (staging) => {
    const path = join(staging, 'simulator.csv');
    writeTable(panel, path);
    const source = panel.sources[0]!;
    const file = {
      path,
      name: source.file,
      sha256: source.sha256,
      format: 'csv',
      gzip: false,
      headLine: barFields.join(','),
    } as const;
    const { timeframe } = options;
    return importFiles([file], source.venue, { timeframe, out }, progress, signal);
  });
  if (report.data_version === panel.dataVersion) return report;
  throw new SluiceError(
    'internal',
    `The stored market has data_version ${report.data_version}, the simulated one ${panel.dataVersion}.`,
    { options },
  );
}

function writeTable(panel: BarPanel, path: string): void {
  const columns = barColumns(panel);
  const fd = openSync(path, 'w');
  try {
    writeSync(fd, `${barFields.join(',')}\n`);
    for (const [s, symbol] of panel.symbols.entries()) {
      writeSync(fd, symbolLines(panel, columns, s, symbol));
    }
  } finally {
    closeSync(fd);
  }
}

function symbolLines(
  panel: BarPanel,
  columns: readonly Float64Array[],
  s: number,
  symbol: string,
): string {
  const steps = panel.openMs.length;
  const lines: string[] = [];
  for (let t = 0; t < steps; t += 1) {
    const at = s * steps + t;
    if (panel.quality[at]! & barQuality.missing) continue;
    lines.push(`${symbol},${panel.openMs[t]},${columns.map((column) => column[at]).join(',')}\n`);
  }
  return lines.join('');
}
