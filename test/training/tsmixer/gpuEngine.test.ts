// The native engine on a GPU, here an emulated one: what it says of itself, and that everything above the arithmetic is the
// CPU's.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import { findSluice } from '../../../training/native/index.ts';
import {
  availableEngine,
  engineId,
  fitTsmixer,
  nativeEngine,
  type TsmixerEngine,
} from '../../../training/tsmixer/index.ts';
import { countGpus, type Device, gpu, withEmulatedGpu } from '../native/engineCase.ts';
import { indices, plainMember, smallRequest, smallShape } from './problem.ts';

const engineOn = ({ path, precision }: Device): TsmixerEngine =>
  nativeEngine(findSluice(path), precision);

describe('the native engine on a GPU', function () {
  this.timeout(60_000);
  withEmulatedGpu();

  const members = [
    { ...plainMember, dropout: 0.2 },
    { ...plainMember, seed: 2, learningRate: 0.003 },
  ];
  const shape = { ...smallShape, blocks: 1 };
  const request = () =>
    smallRequest(
      { members, shape, epochs: 3, patience: 1 },
      { train: indices(0, 30), stop: indices(30, 40) },
    );

  it('has a name that tells what decides its bytes: release, GPU, precision', () => {
    expect(engineId(engineOn(gpu.tf32))).to.equal('native 2-emulated-sm90-tf32');
    expect(engineId(engineOn(gpu.fp32))).to.equal('native 2-emulated-sm90-fp32');
    expect(engineId(nativeEngine())).to.match(/^native 2-[a-z0-9]+$/);
  });

  it('tells its device, precision and driver', () => {
    expect(engineOn(gpu.tf32).device).to.deep.equal({
      kind: 'cuda',
      name: 'emulated GPU',
      precision: 'tf32',
      driver: '13.0',
    });
    expect(nativeEngine().device).to.include({ kind: 'cpu', precision: 'fp32', driver: null });
  });

  it('ends a training where the CPU ends it, within what rounding can have done over the steps', async () => {
    const [here, there] = [
      await fitTsmixer(nativeEngine(), request()),
      await fitTsmixer(engineOn(gpu.fp32), request()),
    ];
    for (const [k, { bestEpoch, history, weights }] of here!.entries()) {
      expect(there![k]!.bestEpoch).to.equal(bestEpoch);
      there![k]!.history.forEach(({ train, stop }, epoch) => {
        expect(train).to.be.closeTo(history[epoch]!.train, 1e-4);
        expect(stop).to.be.closeTo(history[epoch]!.stop!, 1e-4);
      });
      weights.values.forEach((value, i) => {
        expect(there![k]!.weights.values[i]).to.be.closeTo(value, 1e-3);
      });
    }
  });

  it('keeps a training in a checkpoint that goes on there and nowhere else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-gpu-'));
    try {
      const path = join(folder, 'run.checkpoint');
      const checkpoint = { path, normalization: [], ensembleAlpha: null, trainReportHash: null };
      const whole = await fitTsmixer(engineOn(gpu.tf32), request());
      const stop = new AbortController();
      const progress = {
        update: (_: string, done: number) => {
          if (done > 0.3) stop.abort();
        },
      };
      const stopped = { ...request(), progress, signal: stop.signal, checkpoint };
      const failure = await fitTsmixer(engineOn(gpu.tf32), stopped).catch((error) => error);
      expect(failure.code).to.equal('cancelled');
      for (const other of [nativeEngine(), engineOn(gpu.fp32)]) {
        const refusal = await fitTsmixer(other, { ...request(), checkpoint }).catch((e) => e);
        expect(refusal.code, engineId(other)).to.equal('input_invalid');
      }
      const resumed = await fitTsmixer(engineOn(gpu.tf32), { ...request(), checkpoint });
      expect(resumed).to.deep.equal(whole);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is what auto means where a GPU answers; else that is the CPU, with the reason', () => {
    const onGpu = () => engineOn(gpu.tf32);
    const found = availableEngine('tf32', onGpu);
    expect(found.engine.device.kind).to.equal('cuda');
    expect(found.reason).to.equal('device auto: emulated GPU, tf32');
    countGpus(0);
    const without = availableEngine('tf32', onGpu);
    expect(without.engine.device).to.deep.equal(nativeEngine().device);
    expect(without.reason).to.match(/^device auto: the CPU, in fp32\. .*GPU/);
    expect(without.reason).to.not.contain('\n');
    const missing = availableEngine('tf32', () =>
      nativeEngine(findSluice('/nowhere/libsluice_cuda.so')),
    );
    expect(missing.reason).to.match(/^device auto: the CPU, in fp32\. .*make native/);
    const broken = () => {
      throw new SluiceError('native_failed', 'The GPU fell off the bus.');
    };
    expect(() => availableEngine('tf32', broken)).to.throw(SluiceError, /bus/);
  });
});
