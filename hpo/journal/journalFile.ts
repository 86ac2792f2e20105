// The bytes of a journal: whole lines, each ended by a newline and flushed to the disk. What follows the last newline was
// never promised to anybody.

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { SluiceError } from '../../core/index.ts';

const newline = 0x0a;

/** Opens a file for reading and writing at any place, and makes its name last if it is new. */
export function openLasting(path: string): number {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o666);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
  return fd;
}

/** A whole line and where it ends. */
export interface Line {
  readonly text: string;
  /** bytes from the file's beginning, newline included */
  readonly end: number;
}

/**
 * Yields the whole lines of an open file from its beginning; a tail without a newline is left out. Bytes that are no UTF-8
 * become U+FFFD.
 */
export function* wholeLines(fd: number): Generator<Line> {
  const chunk = Buffer.alloc(1 << 16);
  let pending: Buffer[] = [];
  let end = 0;
  let at = 0;
  for (let got = readSync(fd, chunk, 0, chunk.length, at); got > 0; ) {
    let from = 0;
    for (let to = chunk.indexOf(newline); to >= 0 && to < got; to = chunk.indexOf(newline, from)) {
      const bytes = Buffer.concat([...pending, chunk.subarray(from, to)]);
      pending = [];
      end += bytes.length + 1;
      yield { text: bytes.toString('utf8'), end };
      from = to + 1;
    }
    pending.push(Buffer.from(chunk.subarray(from, got)));
    at += got;
    got = readSync(fd, chunk, 0, chunk.length, at);
  }
}

/** Appends to whole lines, or adds nothing. */
export interface LineAppender {
  /**
   * Adds lines and returns when they are on the disk.
   * @param lines each with its newline
   * @throws SluiceError `io_failed`; what was there stays, and nothing of the lines counts
   */
  append(lines: string): void;
}

/** Cuts an open file to its first `size` bytes, and appends from there. */
export function appendFrom(fd: number, size: number, path: string): LineAppender {
  let whole = size;
  // after a flush that failed nobody knows what the disk has: neither the next flush nor a look at the file would tell
  let isBroken = false;
  const cut = () => {
    if (fstatSync(fd).size === whole) return;
    ftruncateSync(fd, whole);
    fsyncSync(fd);
  };
  cut();
  const failed = (error: unknown) =>
    new SluiceError(
      'io_failed',
      `Cannot write ${path}: ${(error as Error).message}. What it held before is safe${isBroken ? '; open it anew before the next trial' : ''}.`,
      { path },
      error,
    );
  return {
    append(lines) {
      if (isBroken) throw failed(new Error('an earlier write could not be undone'));
      const bytes = Buffer.from(lines);
      try {
        for (let done = 0; done < bytes.length; )
          done += writeSync(fd, bytes, done, bytes.length - done, whole + done);
      } catch (error) {
        try {
          cut();
        } catch {
          isBroken = true;
        }
        throw failed(error);
      }
      try {
        fsyncSync(fd);
      } catch (error) {
        isBroken = true;
        throw failed(error);
      }
      whole += bytes.length;
    },
  };
}
