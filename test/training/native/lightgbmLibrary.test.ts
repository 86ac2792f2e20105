import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import { findLightgbm, lightgbmInfo } from '../../../training/native/index.ts';

describe('findLightgbm', () => {
  it('says what to do when the library is not there', () => {
    expect(() => findLightgbm('/nowhere/lib_lightgbm.so'))
      .to.throw(SluiceError, /make native/)
      .with.property('code', 'tool_missing');
  });

  it('refuses a file that is no library of LightGBM 4', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
    try {
      const path = join(folder, 'lib_lightgbm.so');
      writeFileSync(path, 'not a library');
      expect(() => findLightgbm(path))
        .to.throw(SluiceError, /not a LightGBM 4 library/)
        .with.property('code', 'tool_missing');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('throws what LightGBM says when it refuses a call', () => {
    expect(() => findLightgbm().loadBooster('tree\nnum_class=1\n'))
      .to.throw(SluiceError, /LGBM_BoosterLoadModelFromString.*label index/s)
      .with.property('code', 'native_failed');
  });

  it('tells what the library was built with', () => {
    expect(lightgbmInfo(findLightgbm())).to.include({ openmp: true });
  });
});
