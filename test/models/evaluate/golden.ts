import { projectPath, readJson, SluiceError } from '../../../core/index.ts';
import type { SharpeMoments } from '../../../models/evaluate/index.ts';

/** What evaluate_golden.py wrote. */
export interface Golden {
  readonly moments: SharpeMoments;
  readonly cdf: readonly [number, number][];
  readonly quantile: readonly [number, number][];
  readonly mean_correlation: number;
}

export const golden = readJson(
  projectPath('test', 'models', 'evaluate', 'evaluate_golden.json'),
) as Golden;

/** Code of the error that a call ends with. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof SluiceError) return error.code;
    throw error;
  }
  return 'nothing was thrown';
}
