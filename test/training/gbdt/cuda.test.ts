// Trees on CUDA, as far as that goes without a GPU: what is told, what is refused, and that nothing ends the process.

import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import {
  fitGbdt,
  type GbdtModel,
  gbdtEngine,
  gbdtParamsSchema,
  gbdtWarnings,
  loadGbdt,
  requireDevice,
  requireReproducible,
} from '../../../training/gbdt/index.ts';
import { lightgbmParameters } from '../../../training/gbdt/params.ts';
import {
  builtLightgbmPath,
  findLightgbm,
  gpuTools,
  lightgbmInfo,
} from '../../../training/native/index.ts';
import { refused } from '../../../training/native/lightgbmLibrary.ts';
import { drawnRows } from './samples.ts';

const data = { ...drawnRows(600), categorical: [] };
const params = { rounds: 20, learning_rate: 0.3, threads: 1 } as const;

const squaredError = (scores: Float64Array, labels: Float32Array) =>
  scores.reduce((sum, score, row) => sum + (score - labels[row]!) ** 2, 0);

describe('trees on cuda', () => {
  it('are not called reproducible, and those of the CPU are', () => {
    expect(gbdtEngine({ device: 'cuda' })).to.deep.equal({ device: 'cuda', reproducible: false });
    expect(gbdtEngine({ device: 'cpu' })).to.deep.equal({ device: 'cpu', reproducible: true });
    expect(() => requireReproducible({ device: 'cpu' })).to.not.throw();
    expect(() => requireReproducible({ device: 'cuda' }))
      .to.throw(SluiceError, /cannot be verified.*gbdt\.device to cpu/)
      .with.property('code', 'config_invalid');
  });

  it('come with warnings, and those of the CPU with none', () => {
    expect(gbdtWarnings({ device: 'cpu' })).to.deep.equal([]);
    const warnings = gbdtWarnings({ device: 'cuda' });
    expect(warnings.join(' '))
      .to.match(/not reproducible.*atomics/)
      .and.to.match(/on the CPU/);
  });

  it('are known by their text', async () => {
    const library = findLightgbm();
    const model = await fitGbdt(library, { ...data, params });
    expect(model.engine).to.deep.equal({ device: 'cpu', reproducible: true });
    const text = model.text.replace('[device_type: cpu]', '[device_type: cuda]');
    expect(text).to.not.equal(model.text);
    expect(loadGbdt(library, text).engine).to.deep.equal({ device: 'cuda', reproducible: false });
  });

  it('are asked of LightGBM without a promise that it does not keep there', () => {
    const told = (device: 'cpu' | 'cuda') =>
      lightgbmParameters(gbdtParamsSchema.parse({ device }), 1, []);
    expect(told('cpu')).to.match(/device_type=cpu deterministic=true force_col_wise=true/);
    expect(told('cuda')).to.match(/device_type=cuda deterministic=false force_col_wise=false/);
  });

  it('say what is missing where their library is not built', () => {
    expect(() => findLightgbm('/nowhere/lib_lightgbm_cuda.so'))
      .to.throw(SluiceError, /make native-cuda.*gbdt\.device to cpu/)
      .with.property('code', 'tool_missing');
  });

  it('are refused before any work where the library cannot grow them', () => {
    const library = findLightgbm();
    expect(() => requireDevice(library, { device: 'cpu' })).to.not.throw();
    if (lightgbmInfo(library).cuda) return;
    expect(() => requireDevice(library, { device: 'cuda' }))
      .to.throw(SluiceError, /built with CUDA/)
      .with.property('code', 'tool_missing');
  });

  it('turn what CUDA says into a sentence', () => {
    const call = 'LGBM_BoosterCreate(void *data)';
    const none = refused(call, '[CUDA] no CUDA-capable device is detected /a/b.cpp 16\n');
    expect(none.code).to.equal('tool_missing');
    expect(none.message).to.match(
      /train on the GPU: no CUDA-capable device is detected \(.*too old\)\. .*doctor/,
    );
    const full = refused(call, '[CUDA] out of memory /a/cuda_utils.hu 45\n\n');
    expect(full.code).to.equal('native_failed');
    expect(full.message).to.match(/train on the GPU: out of memory\./);
    expect(refused(call, 'label is NaN').message).to.match(/refused LGBM_BoosterCreate: label/);
  });
});

describe("LightGBM's library for GPUs", () => {
  before(function () {
    if (existsSync(builtLightgbmPath('cuda'))) return;
    process.stderr.write('SKIPPED, no lib_lightgbm_cuda (`make native-cuda` builds it)\n');
    this.skip();
  });
  const open = () => findLightgbm(builtLightgbmPath('cuda'));

  it('trains on the CPU to the bytes of the library without CUDA, in one process with it', async () => {
    expect(lightgbmInfo(open()).cuda).to.equal(true);
    const texts: string[] = [];
    for (const library of [open(), findLightgbm(), open()])
      texts.push((await fitGbdt(library, { ...data, params })).text);
    expect(texts[1]).to.equal(texts[0]);
    expect(texts[2]).to.equal(texts[0]);
  });

  for (const objective of ['regression', 'huber', 'binary'] as const) {
    it(`trains ${objective}, or says that there is no GPU, and the process goes on`, async () => {
      const labels = objective === 'binary' ? data.labels.map((y) => Number(y > 0)) : data.labels;
      const rows = { ...data, labels };
      const onGpu = { ...params, objective, device: 'cuda' } as const;
      const { tsmixer } = gpuTools({});
      const ended = await fitGbdt(open(), { ...rows, validation: rows, params: onGpu }).catch(
        (error: unknown) => error,
      );
      const tried = () => requireDevice(open(), { device: 'cuda' });
      if (ended instanceof SluiceError) {
        expect(tried).to.throw(SluiceError, ended.message);
        expect(tsmixer === false || 'error' in tsmixer, ended.message).to.equal(true);
        expect(ended.code).to.equal('tool_missing');
        expect(ended.message).to.match(/could not train on the GPU: .*doctor/);
      } else expect(tried).to.not.throw();
      const onCpu = await fitGbdt(open(), { ...rows, params: { ...params, objective } });
      expect(onCpu.engine).to.deep.equal(gbdtEngine({ device: 'cpu' }));
      if (ended instanceof SluiceError) return;
      const onCuda = ended as GbdtModel;
      expect(onCuda.engine).to.deep.equal(gbdtEngine({ device: 'cuda' }));
      // the same splits but for ties and the last bits: what wrong trees would differ in is far above 5 %
      const error = (model: GbdtModel) =>
        squaredError(model.predict(data.features, data.rows), labels);
      expect(error(onCuda) / error(onCpu)).to.be.within(0.95, 1.05);
      // what early stopping watches is the loss of the trees as they predict, missing values and all
      const watched = (model: GbdtModel) => model.history.at(-1)!.validation!;
      if (objective === 'regression')
        expect(watched(onCuda) / (error(onCuda) / rows.rows)).to.be.within(1 - 1e-6, 1 + 1e-6);
    });
  }
});
