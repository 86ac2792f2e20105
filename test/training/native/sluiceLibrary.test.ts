import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import { tsmixerParameterCount } from '../../../models/score/index.ts';
import {
  builtLightgbmPath,
  builtSluicePath,
  findSluice,
  type NativeWatch,
  sluiceInfo,
} from '../../../training/native/index.ts';
import {
  allSamples,
  caseSamples,
  countGpus,
  cpu,
  type EngineCase,
  gpu,
  member,
  openCase,
  withEmulatedGpu,
} from './engineCase.ts';

const shape = {
  nTokens: 3,
  nChannels: 2,
  hidden: 2,
  blocks: 1,
  horizon: 1,
  head: 'flat',
  keptChannels: 2,
  activation: 'relu',
  revin: false,
} as const;
const count = 6;
const problem: EngineCase = {
  shape,
  batch: 2,
  loss: 'mse',
  huberDelta: 0,
  teacherLambda: 0,
  ...caseSamples(shape, 10, count, true),
};
const quiet: NativeWatch = { signal: new AbortController().signal, onProgress() {} };
const order = (toStep: number) => ({
  samples: allSamples(count),
  schedule: Float32Array.of(1),
  toStep,
  active: Uint8Array.of(1),
});

describe('findSluice', () => {
  it('says what to do when the library is not there', () => {
    expect(() => findSluice('/nowhere/libsluice.so'))
      .to.throw(SluiceError, /make native/)
      .with.property('code', 'tool_missing');
  });

  it('says what the library for GPUs needs', () => {
    expect(() => findSluice('/nowhere/libsluice_cuda.so'))
      .to.throw(SluiceError, /make native.*nvcc/)
      .with.property('code', 'tool_missing');
  });

  it('refuses a file that is no libsluice', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
    try {
      const path = join(folder, 'libsluice.so');
      writeFileSync(path, 'not a library');
      for (const other of [path, builtLightgbmPath()]) {
        expect(() => findSluice(other))
          .to.throw(SluiceError, /is not a libsluice/)
          .with.property('code', 'tool_missing');
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('tells what was found', () => {
    const info = sluiceInfo(findSluice());
    expect(info).to.include({ path: builtSluicePath(), abi: 2 });
    expect(info.kernels).to.match(/^[a-z][a-z0-9]+$/);
  });

  it('tells of the one CPU, and says what is wrong with another device', () => {
    const library = findSluice();
    const cpu = library.deviceInfo(0);
    expect(cpu).to.include({ name: library.kernels, capability: 0, driver: 0, runtime: 0 });
    expect(cpu.processors).to.be.at.least(1);
    expect(() => library.deviceInfo(1))
      .to.throw(SluiceError, /device 1/)
      .with.property('code', 'tool_missing');
  });
});

describe('the library for GPUs, emulated', () => {
  withEmulatedGpu();

  it('tells of its GPU, and in one sentence that there is none', () => {
    const library = findSluice(builtSluicePath('emulated'));
    expect(library.kernels).to.equal('emulated');
    expect(library.deviceInfo(0)).to.deep.equal({
      name: 'emulated GPU',
      capability: 90,
      processors: 4,
      driver: 13_000,
      runtime: 13_000,
      memoryBytes: 2 ** 32,
    });
    countGpus(0);
    expect(() => library.deviceInfo(0))
      .to.throw(SluiceError, /GPU/)
      .with.property('code', 'tool_missing');
  });

  it('lies beside that of the CPU in one process', () => {
    const [here, there] = [cpu, gpu.fp32].map((device) => {
      const engine = openCase(problem, undefined, {}, device);
      const gradient = new Float32Array(tsmixerParameterCount(shape));
      const loss = engine.gradient(0, allSamples(2), 0, gradient);
      return { engine, loss };
    });
    expect(there!.loss).to.be.closeTo(here!.loss, 1e-5 * here!.loss);
    for (const { engine } of [here!, there!]) engine.free();
  });
});

describe('a training inside libsluice', () => {
  it('is not made of what the library refuses, and its sentence is told', () => {
    expect(() => openCase(problem, [member({ dropout: 1 })]))
      .to.throw(SluiceError, /dropout/)
      .with.property('code', 'out_of_range');
    expect(() => openCase(problem, []))
      .to.throw(SluiceError, /members/)
      .with.property('code', 'out_of_range');
  });

  it('takes one call at a time, and none after its end', async () => {
    const engine = openCase(problem, [member({})]);
    const controller = new AbortController();
    const running = engine.train(order(1e9), { ...quiet, signal: controller.signal });
    for (const call of [() => engine.readState(0), () => engine.free()])
      expect(call).to.throw(SluiceError, /busy/).with.property('code', 'internal');
    const second = await engine.evaluate(allSamples(count), quiet).catch((error) => error);
    expect(second.code).to.equal('internal');
    controller.abort();
    expect((await running.catch((error) => error)).code).to.equal('cancelled');
    engine.free();
    engine.free();
    expect(() => engine.readState(0)).to.throw(SluiceError, /freed/);
  });

  it('tells how many steps it has made while it makes them', async () => {
    const engine = openCase(problem, [member({})]);
    const told: number[] = [];
    const controller = new AbortController();
    const onProgress = (steps: number) => {
      told.push(steps);
      if (told.length === 2) controller.abort();
    };
    await engine.train(order(1e9), { signal: controller.signal, onProgress }).catch(() => {});
    expect(told[0]).to.be.greaterThan(0);
    expect(told[1]).to.be.greaterThan(told[0]!);
    engine.free();
  });

  it('keeps what native code borrows, whatever the garbage collector does', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const expected = await stateAfter(40, () => {});
    const litter: Float32Array[] = [];
    const found = await stateAfter(40, () => {
      collect();
      for (let i = 0; i < 5000; i += 1) {
        // memory that was let go would be found by one of these, of the sizes of what was lent
        litter[i % 500] = new Float32Array(new ArrayBuffer(4 * [20, 6, 2, 1][i % 4]!)).fill(1e9);
      }
    });
    expect(found).to.deep.equal(expected);
  });

  /** State after some steps in calls of one step each; nothing here holds the arrays that are lent. */
  async function stateAfter(steps: number, meanwhile: () => void): Promise<Uint8Array> {
    const engine = openUnheld();
    for (let step = 1; step <= steps; step += 1) {
      const call = engine.train(order(step), quiet);
      meanwhile();
      await call;
    }
    const state = engine.readState(0);
    engine.free();
    return state;
  }

  const openUnheld = () =>
    openCase({ ...problem, ...caseSamples(shape, 10, count, true) }, [member({ dropout: 0.2 })]);
});
