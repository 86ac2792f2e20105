// Keys as files: the private one readable by its owner alone, neither ever overwritten.

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { asSluiceError, SluiceError } from '../../core/index.ts';
import { generateKeyPair, keyHint } from './signature.ts';

/** A key pair on disk. */
export interface KeyFiles {
  readonly privateKeyPath: string;
  readonly publicKeyPath: string;
  /** name of the key in signatures: sha256 of the public PEM text, hex */
  readonly hint: string;
}

/**
 * Makes `signing.key.pem` (mode 600) and `signing.pub.pem` in a folder.
 * @throws SluiceError `io_failed`, also if either file exists
 */
export function createKeyFiles(folder: string): KeyFiles {
  const privateKeyPath = join(folder, 'signing.key.pem');
  const publicKeyPath = join(folder, 'signing.pub.pem');
  for (const path of [privateKeyPath, publicKeyPath]) {
    if (!existsSync(path)) continue;
    throw new SluiceError(
      'io_failed',
      `${path} exists already; a key is never overwritten, choose another folder.`,
      { path },
    );
  }
  const { privateKeyPem, publicKeyPem } = generateKeyPair();
  try {
    mkdirSync(folder, { recursive: true });
    writeNew(privateKeyPath, privateKeyPem, 0o600);
    writeNew(publicKeyPath, publicKeyPem, 0o644);
  } catch (error) {
    throw asSluiceError(error);
  }
  return { privateKeyPath, publicKeyPath, hint: keyHint(publicKeyPem) };
}

/** Fails if the file exists, also if it appears between our look and this call. */
function writeNew(path: string, text: string, mode: number): void {
  const fd = openSync(path, 'wx', mode);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * The text of a key file.
 * @throws SluiceError `input_missing` | `io_failed`
 */
export function readKeyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw asSluiceError(error);
  }
}
