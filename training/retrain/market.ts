// The bars of a retrain: a bar store, the files that the config names, or the simulator.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Progress, SluiceError } from '../../core/index.ts';
import {
  type BarPanel,
  type ImportReport,
  importBars,
  loadPanel,
  readReport,
  simulateMarket,
  storeMarket,
} from '../../data/market/index.ts';
import type { RetrainConfig } from './config.ts';

/** Bars and where they came from. */
export interface Market {
  readonly panel: BarPanel;
  readonly origin: 'files' | 'store' | 'simulator';
  readonly stored: ImportReport;
}

/** What to obtain, and where to keep it. */
export interface MarketRequest {
  readonly config: RetrainConfig;
  /** folder with the files that the config names, or one bar store (a folder with bars.json); null asks the simulator */
  readonly dataFolder: string | null;
  /** folder that bars are stored in, by data_version */
  readonly store: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Imports, opens or simulates the bars. @throws SluiceError `input_missing` | what the import throws */
export async function obtainMarket(request: MarketRequest): Promise<Market> {
  const { config, dataFolder } = request;
  if (dataFolder === null) return simulated(request);
  if (existsSync(join(dataFolder, 'bars.json'))) {
    const stored = readReport(dataFolder);
    requireTimeframe(config, stored);
    return { panel: await loadPanel({ storePath: dataFolder }), origin: 'store', stored };
  }
  const stored = await importNamed(request, dataFolder);
  const { symbols } = config.data;
  return { panel: await loadPanel({ storePath: stored.path, symbols }), origin: 'files', stored };
}

function requireTimeframe({ data }: RetrainConfig, stored: ImportReport): void {
  if (stored.timeframe === data.timeframe) return;
  throw new SluiceError(
    'input_invalid',
    `The config is made for bars of ${data.timeframe}; ${stored.path} holds bars of ${stored.timeframe}.`,
  );
}

async function simulated({ config, store, progress, signal }: MarketRequest): Promise<Market> {
  const { simulator, timeframe } = config.data;
  const { panel, ...market } = simulateMarket({ ...simulator, timeframe });
  const stored = await storeMarket({ panel, ...market }, store, progress, signal);
  return { panel, origin: 'simulator', stored };
}

async function importNamed(
  { config, store, progress, signal }: MarketRequest,
  dataFolder: string,
): Promise<ImportReport> {
  const { files, timeframe, venue } = config.data;
  const inputs = files.map((file) => join(dataFolder, file));
  const missing = inputs.filter((path) => !existsSync(path));
  if (missing.length === 0) {
    return importBars({ inputs, timeframe, out: store, venue }, progress, signal);
  }
  throw new SluiceError(
    'input_missing',
    `The config names ${missing.length} file(s) that do not stand under ${dataFolder}, first ${missing[0]}; name the folder that holds them, or a bar store.`,
    { missing },
  );
}
