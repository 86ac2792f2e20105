// A small simulated market, stored as workers read it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silent } from '../../../core/index.ts';
import { openTrialMarket, type RetrainConfig } from '../../../training/retrain/index.ts';

/** Stores the market of a config. @returns it, and what removes it */
export async function storedMarket(config: RetrainConfig) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-hpo-'));
  const market = await openTrialMarket({
    config,
    dataFolder: null,
    store: join(folder, 'bars'),
    progress: silent,
    signal: new AbortController().signal,
  });
  return { market, folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
