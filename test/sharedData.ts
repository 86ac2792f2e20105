// Where the real data lie. Tests that need them say loudly when they are absent.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectPath } from '../core/index.ts';
import { skipLoudly } from './skipLoudly.ts';

const root = projectPath('..', 'shared', 'data');

/** True if the real data folder stands beside the project. */
export const hasSharedData = existsSync(join(root, 'SHA256SUMS'));

/** Path of a file of the real data folder. */
export const sharedData = (...parts: string[]): string => join(root, ...parts);

/** Skips the running test, loudly, if the real data are absent. */
export function needsSharedData(context: Mocha.Context): void {
  if (!hasSharedData) skipLoudly(context, 'no ../shared/data');
}
