// Reads an artifact's folder into memory, each file once: the bytes that are hashed are the bytes that are used.
// Nothing outside the folder is read: links are not followed, and names come from the folder, never from a file.

import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { asSluiceError } from '../../core/index.ts';
import { type Violation, violation } from './violations.ts';

/** Sizes that an artifact must not exceed. */
export interface ArtifactLimits {
  readonly fileBytes: number;
  readonly totalBytes: number;
  readonly files: number;
}

/** Enough for 3,000 trees of 255 leaves; reading takes about 40 times the size of the ONNX file in memory. */
export const defaultLimits: ArtifactLimits = {
  fileBytes: 32 * 2 ** 20,
  totalBytes: 64 * 2 ** 20,
  files: 32,
};

/** Files of a folder, and what kept others from being read. */
export interface FolderContent {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly violations: readonly Violation[];
}

/**
 * Reads the files of a folder. An empty folder inside it is ignored, as it has no content to sign.
 * @throws SluiceError `input_missing` | `io_failed` if the folder cannot be listed
 */
export function readFolder(path: string, limits: ArtifactLimits): FolderContent {
  const files = new Map<string, Buffer>();
  const violations: Violation[] = [];
  let room = limits.totalBytes;
  for (const entry of list(path)) {
    const shown = JSON.stringify(entry.name);
    const full = join(path, entry.name);
    if (entry.isSymbolicLink())
      violations.push(violation('symlink', `${shown} is a symbolic link.`));
    else if (entry.isDirectory()) {
      if (list(full).length > 0) {
        violations.push(violation('file_extra', `${shown} is a folder; an artifact has none.`));
      }
    } else if (!entry.isFile()) violations.push(violation('not_a_file', `${shown} is no file.`));
    else if (files.size >= limits.files) {
      violations.push(violation('file_extra', `There are more than ${limits.files} files.`));
      break;
    } else {
      const read = readWhole(full, Math.min(limits.fileBytes, room));
      if (Buffer.isBuffer(read)) {
        files.set(entry.name, read);
        room -= read.length;
      } else violations.push({ code: read.code, message: `${shown} ${read.message}` });
    }
  }
  return { files, violations };
}

function list(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw asSluiceError(error);
  }
}

/** One open, one check, one read through the same descriptor; a link or pipe put in meanwhile is not followed. */
function readWhole(path: string, maxBytes: number): Buffer | Violation {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return violation('file_missing', `cannot be opened: ${(error as Error).message}.`);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return violation('not_a_file', 'is no file.');
    if (stat.size > maxBytes) {
      return violation('file_too_large', `has ${stat.size} bytes, at most ${maxBytes} may remain.`);
    }
    return readExactly(fd, stat.size);
  } finally {
    closeSync(fd);
  }
}

function readExactly(fd: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let done = 0;
  for (let got = 1; got > 0 && done < size; done += got) {
    got = readSync(fd, bytes, done, size - done, done);
  }
  return bytes.subarray(0, done);
}
