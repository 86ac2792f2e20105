// What every artifact of a run has in common before its model is known: effective config, code, day, key.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, dayMs, publishFolder, readCodeVersion } from '../../core/index.ts';
import { createKeyFiles, readKeyFile } from '../../models/artifact/index.ts';
import type { TsmixerEngine } from '../tsmixer/index.ts';
import type { RetrainConfig } from './config.ts';
import type { Market } from './market.ts';
import type { RunIdentity } from './modelArtifact.ts';

/** The part of a run's identity that does not hang on its result. */
export type Origin = Omit<RunIdentity, 'lineageId' | 'configDigest'>;

/** What an origin is told. */
export interface OriginRequest {
  readonly config: RetrainConfig;
  /** Unix ms, taken with the precision of a UTC day; default: now */
  readonly asOf?: number | undefined;
  readonly clock: Clock;
  /** of LightGBM */
  readonly engineVersion: string;
  /** what trains the network; null where there is none */
  readonly engine: TsmixerEngine | null;
}

/** Config as it takes effect, code version, day and engines of a run. */
export function originOf(request: OriginRequest, market: Market): Origin {
  const { config, engine } = request;
  return {
    config: effectiveConfig(config, market),
    code: readCodeVersion(),
    asOf: Math.floor((request.asOf ?? request.clock()) / dayMs) * dayMs,
    engineVersion: request.engineVersion,
    networkEngine: config.tsmixer === null || engine === null ? null : engine,
  };
}

const noSimulator = { seed: 0, symbols: 1, days: 60, alpha: 0, structure: 'tabular' } as const;

/** Settings of the simulator mean nothing to a run on files, and names of files nothing to the simulator or a store. */
export function effectiveConfig(config: RetrainConfig, market: Market): RetrainConfig {
  const { origin, panel, stored } = market;
  const symbols = [...panel.symbols];
  const files = origin === 'files' ? config.data.files : [origin];
  const simulator = origin === 'simulator' ? config.data.simulator : noSimulator;
  return { ...config, data: { ...config.data, files, symbols, venue: stored.venue, simulator } };
}

/** The signing key of a folder, made if there is none: both halves of the pair appear at once. */
export async function signingKey(folder: string): Promise<string> {
  if (!existsSync(folder)) await publishFolder(folder, async (staging) => createKeyFiles(staging));
  return readKeyFile(join(folder, 'signing.key.pem'));
}
