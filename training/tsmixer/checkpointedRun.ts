// Keeps a training on disk while it runs, and finds where a stopped one goes on.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { canonicalJson, SluiceError, sweepStaging } from '../../core/index.ts';
import { type RunRecord, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { engineId, type TsmixerEngine } from './engine.ts';
import type { TargetScale } from './targetScale.ts';
import type { TsmixerRequest } from './types.ts';

/** Keeps the records of one training. */
export interface RunKeeper {
  /** false: nobody asked for a checkpoint, and records need no states */
  readonly wanted: boolean;
  /** where the training was stopped; null = it begins */
  readonly found: RunRecord | null;
  keep(run: RunRecord): void;
  /** Writes the last record, if that has not been done. */
  close(): void;
}

/** A killed process loses at most so much work, and one call of the engine. */
const writeEveryMs = 5000;

const nowhere: RunKeeper = { wanted: false, found: null, keep() {}, close() {} };

/**
 * Opens the checkpoint that a request names.
 * @throws SluiceError `input_invalid` for a file that is no checkpoint, or one of another training
 */
export function openCheckpoint(
  engine: TsmixerEngine,
  request: TsmixerRequest,
  scale: TargetScale | null,
): RunKeeper {
  const place = request.checkpoint;
  if (place === undefined) return nowhere;
  sweepStaging(dirname(place.path));
  const requestDigest = digestOfRequest(request);
  const found = existsSync(place.path) ? readCheckpoint(place.path) : null;
  if (
    found !== null &&
    (found.engine !== engineId(engine) || found.requestDigest !== requestDigest)
  )
    throw new SluiceError(
      'input_invalid',
      `${place.path} is the checkpoint of another training (other data, parameters or engine); remove it or name another.`,
      { path: place.path, expected: requestDigest, found: found.requestDigest },
    );
  let latest: RunRecord | null = null;
  let writtenMs = Number.NEGATIVE_INFINITY; // the first record shows whether the place can be written
  const write = () => {
    if (latest === null) return;
    writeCheckpoint(place.path, {
      normalization: place.normalization,
      ensembleAlpha: place.ensembleAlpha,
      trainReportHash: place.trainReportHash,
      shape: request.training.shape,
      targetScale: scale === null ? null : { mean: [...scale.mean], std: [...scale.std] },
      engine: engineId(engine),
      requestDigest,
      run: latest,
    });
    latest = null;
    writtenMs = performance.now();
  };
  return {
    wanted: true,
    found: found?.run ?? null,
    keep(run) {
      latest = run;
      if (performance.now() - writtenMs >= writeEveryMs) write();
    },
    close: write,
  };
}

/** sha256 of what decides a byte of the result: all but the number of threads. */
function digestOfRequest({ training, samples, train, stop }: TsmixerRequest): string {
  const { threads: _, ...decisive } = training;
  const { series, windowEnds, targets, teacher, weights } = samples;
  const hash = createHash('sha256').update(canonicalJson(decisive));
  for (const array of [series, windowEnds, targets, teacher, weights, train, stop]) {
    hash.update(array === null ? 'null' : `,${array.length}:`);
    if (array !== null) hash.update(array);
  }
  return hash.digest('hex');
}
