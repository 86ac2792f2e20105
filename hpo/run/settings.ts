// The settings of a run: defaults, and what does not go together.

import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { SluiceError } from '../../core/index.ts';
import { defaultWorkers, shareCores } from './cores.ts';
import type { RunOptions } from './options.ts';

/** What a run works with. */
export interface Settings {
  readonly batch: number;
  readonly timeoutMs: number | null;
  /** null = not deterministic */
  readonly window: number | null;
  /** [workers] native threads of each */
  readonly threads: readonly number[];
}

/** @throws SluiceError `config_invalid` with all violations; `input_missing` (module) */
export function settingsOf(options: RunOptions): Settings {
  const cores = options.cores ?? availableParallelism();
  const { workers = defaultWorkers(cores), batch = 1, timeoutMs = null, threadsPerTrial } = options;
  const window = options.deterministic?.window ?? null;
  const whole: Readonly<Record<string, number>> = {
    cores,
    workers,
    batch,
    timeoutMs: timeoutMs ?? 1,
    threadsPerTrial: threadsPerTrial ?? 1,
    window: window ?? 1,
  };
  const violations = Object.entries(whole)
    .filter(([, value]) => !Number.isSafeInteger(value) || value < 1)
    .map(([name, value]) => `${name} must be a whole number from 1, not ${value}`);
  if (!Number.isSafeInteger(options.trials) || options.trials < 0) {
    violations.push(`trials must be a whole number from 0, not ${options.trials}`);
  }
  if (window !== null && window < batch) {
    violations.push(`a batch of ${batch} never fits into a window of ${window}`);
  }
  if (window !== null && options.study.leaseMs != null) {
    violations.push('a deterministic study belongs to one run, so it has no lease');
  }
  if (violations.length > 0) {
    throw new SluiceError('config_invalid', `The run cannot be: ${violations.join('; ')}.`, {
      violations,
    });
  }
  if (!existsSync(options.module)) {
    throw new SluiceError(
      'input_missing',
      `The module of objectives ${options.module} does not exist; name a file that exports ${batch > 1 ? 'evaluateBatch' : 'evaluate'}.`,
      { module: options.module },
    );
  }
  const threads = shareCores(cores, workers).map((share) => threadsPerTrial ?? share);
  return { batch, timeoutMs, window, threads };
}
