// What the fits of a trial are made with: its config, the library, the threads that its order allows.

import { builtLightgbmPath, findLightgbm } from '../../training/native/index.ts';
import type { TrialFits } from '../../training/retrain/index.ts';
import type { TrialOrder } from '../run/index.ts';
import { applyParams } from './space.ts';
import type { Task } from './task.ts';

/** What the fits of a trial take. @throws SluiceError `config_invalid` | `tool_missing` */
export function fitsOf(task: Task, order: TrialOrder): TrialFits {
  const config = applyParams(task.base, order.params);
  const gbdt = { ...config.gbdt, threads: order.threads };
  return {
    config: { ...config, gbdt },
    library: findLightgbm(builtLightgbmPath(config.gbdt.device)),
    signal: new AbortController().signal,
  };
}
