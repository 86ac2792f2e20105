// A lock of one process at a time.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { takeLock } from '../../core/index.ts';

describe('a lock', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('is had by one at a time, in one process too', () => {
    const path = join(folder, 'lock');
    const first = takeLock(path);
    expect(first).not.to.equal(null);
    expect(takeLock(path)).to.equal(null);
    first!();
    const second = takeLock(path);
    expect(second).not.to.equal(null);
    second!();
  });

  it('that cannot be made says so', () => {
    expect(() => takeLock(join(folder, 'none', 'lock')))
      .to.throw(/Cannot lock .*folder/)
      .with.property('code', 'io_failed');
  });
});
