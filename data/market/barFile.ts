// One input file, looked at before anything is imported: digest, format by its first bytes, first line.
// A gzip file is unpacked once to its end here, because DuckDB reads a cut-off archive without a word.

import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SluiceError } from '../../core/index.ts';

/** What is known of an input file before its rows are read. */
export interface BarFile {
  readonly path: string;
  readonly name: string;
  /** sha256 of the file's bytes as they lie, hex. */
  readonly sha256: string;
  readonly format: 'csv' | 'parquet';
  readonly gzip: boolean;
  /** First line without its line end and byte order mark; empty for Parquet. */
  readonly headLine: string;
}

/**
 * Reads a file once, whole, and tells what it is.
 * @throws SluiceError `input_missing` | `input_invalid` (empty, damaged or cut-off archive, not text) | `cancelled`
 */
export async function inspectBarFile(path: string, signal: AbortSignal): Promise<BarFile> {
  const name = basename(path);
  const head = readHead(path, name);
  const gzip = head[0] === 0x1f && head[1] === 0x8b;
  const format = head.toString('latin1') === 'PAR1' ? 'parquet' : 'csv';
  const hash = createHash('sha256');
  const text = format === 'csv' ? createTextCheck(name) : parquetText;
  const bytes = createReadStream(path, { highWaterMark: 1 << 20 });
  bytes.on('data', (chunk) => hash.update(chunk));
  try {
    if (gzip) await pipeline(bytes, createGunzip({ chunkSize: 1 << 20 }), text.take, { signal });
    else await pipeline(bytes, text.take, { signal });
  } catch (error) {
    throw readError(error as NodeJS.ErrnoException, name, path);
  }
  return { path, name, sha256: hash.digest('hex'), format, gzip, headLine: text.headLine() };
}

function readHead(path: string, name: string): Buffer {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new SluiceError('input_missing', `No file ${path}; check the name.`, { path });
  }
  if (!stat.isFile() || stat.size === 0) {
    const found = stat.isFile() ? 'is empty' : 'is not a file';
    throw new SluiceError(
      'input_invalid',
      `${name} ${found}; give a CSV, CSV.gz or Parquet file.`,
      {
        path,
      },
    );
  }
  const head = Buffer.alloc(4);
  const fd = openSync(path, 'r');
  try {
    return head.subarray(0, readSync(fd, head));
  } finally {
    closeSync(fd);
  }
}

function readError(error: NodeJS.ErrnoException, name: string, path: string): unknown {
  if (error instanceof SluiceError) return error;
  if (error.name === 'AbortError') {
    return new SluiceError('cancelled', `Reading ${name} was stopped on request.`, { path });
  }
  if (error.code?.startsWith('Z_')) {
    const found = error.code === 'Z_BUF_ERROR' ? 'cut off before its end' : error.message;
    return new SluiceError(
      'input_invalid',
      `${name} is a damaged gzip archive (${found}); fetch it again.`,
      { path },
      error,
    );
  }
  return error;
}

/** Parquet is read only for its digest. */
const parquetText = {
  async take(chunks: AsyncIterable<Buffer>) {
    for await (const _ of chunks);
  },
  headLine: () => '',
};

const firstLineLimit = 65_536;

/** Keeps the first line and refuses bytes that no text table holds; 0x01 is also the import's own separator. */
function createTextCheck(name: string) {
  let first: string | undefined;
  let start = Buffer.alloc(0);
  const refuse = (found: string): never => {
    throw new SluiceError('input_invalid', `${name} is no CSV text: ${found}.`, { file: name });
  };
  const look = (chunk: Buffer, last: boolean) => {
    start = Buffer.concat([start, chunk.subarray(0, firstLineLimit)]);
    const text = start.toString('utf8').replace(/^\uFEFF/, '');
    const end = text.search(/[\r\n]/);
    if (end >= 0 || last) first = end >= 0 ? text.slice(0, end) : text;
    else if (start.length >= firstLineLimit) refuse('its first line is longer than 64 KiB');
  };
  return {
    async take(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        if (chunk.includes(0) || chunk.includes(1))
          refuse('it holds a control byte (0x00 or 0x01)');
        if (first === undefined) look(chunk, false);
      }
      if (first === undefined) look(Buffer.alloc(0), true);
    },
    headLine: () => first ?? '',
  };
}
