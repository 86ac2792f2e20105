// Studies and trials of a search as a storage has them, made by hand.

import { projectPath } from '../../../core/index.ts';
import { readSearchConfig, type SearchConfig } from '../../../hpo/stages/index.ts';
import type { Json, Storage, TrialDraft } from '../../../hpo/study/index.ts';
import { floatDistribution } from '../../../hpo/study/index.ts';
import type { TrialMarket } from '../../../training/retrain/index.ts';
import { smallConfig } from '../../training/retrain/smallConfig.ts';

const day = 86_400_000;

/** The committed config of a search. */
export const searchConfig = (): SearchConfig =>
  readSearchConfig(projectPath('configs', 'hpo.json')).config;

/** A market of 1000 days in the search span. */
export function madeMarket(change: Partial<TrialMarket> = {}): TrialMarket {
  const config = smallConfig();
  return {
    config,
    market: 'binance_spot 1h BTCUSDT,ETHUSDT h12',
    bars: { store: '/bars', symbols: ['BTCUSDT', 'ETHUSDT'] },
    dataVersion: 'd'.repeat(64),
    embargoMs: day,
    windows: {
      search: { from: 0, to: 1000 * day, rows: 1 },
      validation: { from: 1001 * day, to: 1300 * day, rows: 1 },
      forward_oos: { from: 1301 * day, to: 1600 * day, rows: 1 },
    },
    ...change,
  };
}

/** A finished trial with one parameter. */
export function madeTrial(
  change: Partial<TrialDraft> & { readonly gain?: number } = {},
): TrialDraft {
  const { gain = 2, ...rest } = change;
  const distribution = floatDistribution(0.5, 20, { log: true });
  return {
    state: 'COMPLETE',
    values: [0.1],
    params: new Map([['trade.sizing.gain', { value: gain, distribution }]]),
    reports: new Map(),
    userAttributes: new Map<string, Json>(),
    systemAttributes: new Map<string, Json>(),
    startedAt: 1,
    completedAt: 2,
    ...rest,
  };
}

/** What the confirm stage leaves with a trial on live data. */
export const liveAttributes = (regime = 'prod_live'): Map<string, Json> =>
  new Map<string, Json>([
    ['data_regime', regime],
    ['forward_oos', { from: 0, to: 1, daily_returns: [0.01, -0.004, 0.006, 0.002] }],
  ]);

/** The study of a stage. @returns its id */
export async function madeStudy(
  storage: Storage,
  name: string,
  lineage: { readonly lineageId: string; readonly stage: number; readonly parent: string | null },
): Promise<number> {
  const { id } = await storage.createStudy(name, ['MAXIMIZE']);
  await storage.setLineage(id, { configDigest: 'c', ...lineage });
  return id;
}
