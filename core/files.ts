// Files that appear whole or not at all: written beside, flushed, renamed.

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SluiceError } from './errors.ts';

/** Absolute path of a file of the project, from its path below the project's root. */
export function projectPath(...parts: string[]): string {
  return join(dirname(fileURLToPath(import.meta.url)), '..', ...parts);
}

/** Path of the hidden sibling in which something is prepared before its rename. */
export function stagingPath(path: string): string {
  const full = resolve(path);
  return join(dirname(full), `.${basename(full)}.staging-${process.pid}`);
}

/** Removes what killed processes left in preparation directly inside a folder; what a living process prepares stays. */
export function sweepStaging(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const pid = /^\..+\.staging-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) {
      rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
}

/** True if a process with this id runs on this machine, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Writes a file that is either the old one or the new one, whole, whatever happens meanwhile. */
export function writeFileAtomic(path: string, bytes: Uint8Array | string): void {
  const staging = stagingPath(path);
  mkdirSync(dirname(path), { recursive: true });
  try {
    writeFlushed(staging, bytes);
    renameSync(staging, path);
  } catch (error) {
    rmSync(staging, { force: true });
    throw new SluiceError(
      'io_failed',
      `Cannot write ${path}: ${(error as Error).message}`,
      { path },
      error,
    );
  }
}

function writeFlushed(path: string, bytes: Uint8Array | string): void {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  const fd = openSync(path, 'w');
  try {
    for (let done = 0; done < buffer.length; ) done += writeSync(fd, buffer, done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Builds a folder beside its final place and renames it there when it is whole.
 * @throws SluiceError `io_failed` when the place is taken
 */
export async function publishFolder<T>(
  path: string,
  build: (staging: string) => Promise<T>,
): Promise<T> {
  const staging = stagingPath(path);
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
  try {
    const result = await build(staging);
    if (existsSync(path))
      throw new SluiceError(
        'io_failed',
        `${path} exists already; choose another name or remove it.`,
        { path },
      );
    renameSync(staging, path);
    return result;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/**
 * Reads and parses a JSON file.
 * @throws SluiceError `input_missing` | `input_invalid`
 */
export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SluiceError(
      'input_missing',
      `Cannot read ${path}: ${(error as Error).message}`,
      { path },
      error,
    );
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SluiceError(
      'input_invalid',
      `${path} is not JSON: ${(error as Error).message}`,
      { path },
      error,
    );
  }
}
