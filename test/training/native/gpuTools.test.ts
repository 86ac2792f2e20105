import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { failureIn, libraryIn } from '../../../training/native/buildStamp.ts';
import { gpuLines } from '../../../training/native/gpuTools.ts';
import { builtLightgbmPath, builtSluicePath, gpuTools } from '../../../training/native/index.ts';

describe('what doctor says of GPUs', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-gpu-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  const noCompiler = { CUDACXX: '/nowhere/nvcc' };
  const look = () => gpuTools(noCompiler, folder);

  it('is that nothing is there, and what would build it', () => {
    expect(look()).to.deep.equal({ nvcc: null, tsmixer: false, lightgbm: false });
    const [nvcc, tsmixer, lightgbm] = gpuLines(look());
    expect(nvcc).to.match(/^nvcc +not found, and needed only to build/);
    expect(tsmixer).to.match(/^ +TSMixer +not built.*`make native`/);
    expect(lightgbm).to.match(/^ +LightGBM +not built.*`make native-cuda`/);
  });

  it('is where to read on after a build that failed', () => {
    writeFileSync(failureIn(folder, 'libsluice_cuda'), 'inputs');
    const { tsmixer } = look();
    expect(tsmixer).to.have.property('error').that.includes(join(folder, 'libsluice_cuda.log'));
    expect(gpuLines(look())[1]).to.match(/TSMixer +Its last build failed/);
  });

  it('is why a library is of no use', () => {
    writeFileSync(libraryIn(folder, 'libsluice_cuda'), 'not a library');
    copyFileSync(builtLightgbmPath(), libraryIn(folder, 'lib_lightgbm_cuda'));
    const { tsmixer, lightgbm } = look();
    expect(tsmixer)
      .to.have.property('error')
      .that.matches(/is not a libsluice/);
    expect(lightgbm)
      .to.have.property('error')
      .that.matches(/without CUDA/);
  });

  it('is what a library says of its first device', () => {
    copyFileSync(builtSluicePath(), libraryIn(folder, 'libsluice_cuda'));
    expect(look().tsmixer).to.include({ capability: 0, driver: '0.0' }); // a CPU is one, too
  });

  it('is the device, when there is one', () => {
    const lines = gpuLines({
      nvcc: { path: '/cuda/bin/nvcc', version: '13.0.88' },
      tsmixer: {
        path: '/b/libsluice_cuda.so',
        name: 'NVIDIA H200',
        capability: 90,
        driver: '13.0',
        runtime: '12.8',
        memory_bytes: 150 * 10 ** 9,
      },
      lightgbm: { path: '/b/lib_lightgbm_cuda.so', version: '4.1.0.99' },
    });
    expect(lines.map((line) => line.replace(/ +/g, ' '))).to.deep.equal([
      'nvcc 13.0.88, /cuda/bin/nvcc',
      ' TSMixer NVIDIA H200, sm_90, 140 GiB, driver for CUDA 13.0, /b/libsluice_cuda.so',
      ' LightGBM 4.1.0.99, /b/lib_lightgbm_cuda.so',
    ]);
  });
});
