// The rows of the small config, built once for the tests that need no command line, and a model fitted on them.

import { silent } from '../../../core/index.ts';
import { type SimulatorOptions, simulateMarket } from '../../../data/market/index.ts';
import type { GbdtModel } from '../../../training/gbdt/index.ts';
import { findLightgbm } from '../../../training/native/index.ts';
import { fitFinal } from '../../../training/retrain/fit.ts';
import { prepareSamples, type Samples } from '../../../training/retrain/samples.ts';
import { smallConfig } from './smallConfig.ts';

const never = new AbortController().signal;

/** Rows and windows of a simulated market under the small config's rules. */
export function smallSamples(market: Partial<SimulatorOptions> = {}): Samples {
  const config = smallConfig();
  const { panel } = simulateMarket({ ...config.data.simulator, timeframe: '1h', ...market });
  return prepareSamples(config, panel, never);
}

/** What fits take besides rows and parameters. */
export function fitContext(samples: Samples) {
  const { folds } = smallConfig();
  return { library: findLightgbm(), samples, folds, progress: silent, signal: never };
}

/** A few trees on the search rows. The caller closes it. */
export function smallModel(samples: Samples, rounds = 3): Promise<GbdtModel> {
  const { dataset, spans } = samples;
  return fitFinal(fitContext(samples), dataset, spans.search.rows, smallConfig().gbdt, rounds);
}
