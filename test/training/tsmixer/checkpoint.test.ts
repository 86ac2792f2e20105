import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import type { TsmixerEngine } from '../../../training/tsmixer/engine.ts';
import {
  type CheckpointPlace,
  fitTsmixer,
  nativeEngine,
  readCheckpoint,
  type TsmixerFit,
  type TsmixerRequest,
  tfjsEngine,
  writeCheckpoint,
} from '../../../training/tsmixer/index.ts';
import { stepOf } from '../../../training/tsmixer/state.ts';
import { foldScale } from '../../../training/tsmixer/targetScale.ts';
import { killedRequest } from './killedTraining.ts';
import { indices, plainMember, randomSamples, smallRequest, smallShape } from './problem.ts';

describe('a checkpoint', () => {
  let folder: string;
  let place: CheckpointPlace;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-tsmixer-'));
    place = {
      path: join(folder, 'training.ckpt'),
      normalization: ['a', 'b', 'c'].map((name) => ({ name, mean: 0.1, std: 2, clip: 5 })),
      ensembleAlpha: null,
      trainReportHash: null,
    };
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const members = [
    { ...plainMember, dropout: 0.2, teacherLambda: 0.5 },
    { ...plainMember, seed: 2, learningRate: 0.1, dropout: 0.1 },
    { ...plainMember, seed: 3, learningRate: 0.001 },
  ];
  /** 60 samples in batches of 1, so that an epoch of `many` is some calls of the engine. */
  const many = Int32Array.from({ length: 2500 }, (_, i) => i % 60);
  const long = { members, batch: 1, epochs: 4, patience: 1 };

  /** An engine whose training is stopped within a step of the given call. */
  function stoppedAt(engine: TsmixerEngine, call: number, controller: AbortController) {
    let calls = 0;
    return {
      name: engine.name,
      version: engine.version,
      device: engine.device,
      open(task) {
        const session = engine.open(task);
        return {
          ...session,
          async train(order, watch) {
            calls += 1;
            if (calls === call) setImmediate(() => controller.abort());
            return session.train(order, watch);
          },
        };
      },
    } satisfies TsmixerEngine;
  }

  /** The fit of a training that is stopped again and again, once in each call of the engine. */
  async function fitWithStops(engine: TsmixerEngine, request: TsmixerRequest) {
    for (let stops = 0; ; stops += 1) {
      const controller = new AbortController();
      const interrupted = stoppedAt(engine, 2, controller);
      try {
        const checkpoint = place;
        const fits = await fitTsmixer(interrupted, {
          ...request,
          checkpoint,
          signal: controller.signal,
        });
        return { fits, stops };
      } catch (error) {
        expect((error as SluiceError).code).to.equal('cancelled');
      }
    }
  }

  it('lets a stopped training end as the undisturbed one: bytes, best state and history', async () => {
    const request = smallRequest(long, { train: many });
    const whole = await fitTsmixer(nativeEngine(), request);
    const { fits, stops } = await fitWithStops(nativeEngine(), request);
    expect(stops).to.be.greaterThan(5);
    expect(fits).to.deep.equal(whole);
    expect(new Set(whole.map(({ history }) => history.length)).size).to.be.greaterThan(1);
  });

  it('lets a killed training end as the undisturbed one', async function () {
    this.timeout(30_000);
    const child = spawn(process.execPath, [
      join(import.meta.dirname, 'killedTraining.ts'),
      place.path,
    ]);
    const exited = once(child, 'exit');
    const killing = setInterval(() => {
      if (existsSync(place.path)) child.kill('SIGKILL');
    }, 2);
    expect((await exited)[1]).to.equal('SIGKILL');
    clearInterval(killing);
    expect(readCheckpoint(place.path).run.step).to.be.within(1, 7999);
    const resumed = await fitTsmixer(nativeEngine(), killedRequest(place.path));
    expect(resumed).to.deep.equal(await fitTsmixer(nativeEngine(), killedRequest()));
    expect(readdirSync(folder)).to.deep.equal(['training.ckpt']);
  });

  it('does so whichever engine it was stopped in', async () => {
    const request = smallRequest({ members: members.slice(0, 1), epochs: 3 });
    const whole = await fitTsmixer(tfjsEngine(), request);
    const { fits, stops } = await fitWithStops(tfjsEngine(), request);
    expect(stops).to.equal(2);
    expect(fits).to.deep.equal(whole);
  });

  it('may be resumed with another number of threads', async () => {
    const request = smallRequest({ members, epochs: 3, threads: 1 });
    const whole = await fitTsmixer(nativeEngine(), request);
    const controller = new AbortController();
    const stopped = { ...request, checkpoint: place, signal: controller.signal };
    await fitTsmixer(stoppedAt(nativeEngine(), 2, controller), stopped).catch(() => {});
    const training = { ...request.training, threads: 2 };
    const fits = await fitTsmixer(nativeEngine(), { ...request, training, checkpoint: place });
    expect(fits).to.deep.equal(whole);
  });

  it('of a finished training gives its result again, without training', async () => {
    const request = smallRequest({}, { checkpoint: place });
    const first = await fitTsmixer(nativeEngine(), request);
    const controller = new AbortController();
    const idle = stoppedAt(nativeEngine(), 1, controller);
    expect(await fitTsmixer(idle, { ...request, signal: controller.signal })).to.deep.equal(first);
    expect(controller.signal.aborted).to.equal(false);
    expect(readdirSync(folder)).to.deep.equal(['training.ckpt']);
  });

  it('says what it is of, and holds the networks', async () => {
    const fits: readonly TsmixerFit[] = await fitTsmixer(
      nativeEngine(),
      smallRequest({ members }, { checkpoint: { ...place, ensembleAlpha: 0.25 } }),
    );
    const checkpoint = readCheckpoint(place.path);
    expect(checkpoint.normalization).to.deep.equal(place.normalization);
    expect(checkpoint).to.include({ ensembleAlpha: 0.25, trainReportHash: null });
    expect(checkpoint.engine).to.match(/^native \d+-(avx2|avx512|neon|portable)$/);
    expect(checkpoint.shape).to.deep.equal(smallShape);
    const { mean, std } = checkpoint.targetScale!;
    const scale = { mean: Float64Array.from(mean), std: Float64Array.from(std) };
    checkpoint.run.members.forEach(({ best }, k) => {
      const found = foldScale({ shape: smallShape, values: best! }, scale);
      expect(found).to.deep.equal(fits[k]!.weights);
    });
    expect(checkpoint.run.states.map(stepOf)).to.deep.equal([16, 16, 16]);
    const header = readFileSync(place.path).subarray(12).toString('latin1').split('"}')[0]!;
    for (const field of [
      'type":"tsmixer_liquid',
      'normalization',
      'n_tokens":6',
      'n_channels":3',
      'ensemble_alpha":0.25',
      'train_report_hash":null',
    ])
      expect(header).to.include(`"${field}`);
  });

  it('is written as it was read', async () => {
    await fitTsmixer(nativeEngine(), smallRequest({ members }, { checkpoint: place }));
    const before = readFileSync(place.path);
    const checkpoint = readCheckpoint(place.path);
    writeCheckpoint(place.path, checkpoint);
    expect(readFileSync(place.path).equals(before)).to.equal(true);
    writeCheckpoint(place.path, { ...checkpoint, ensembleAlpha: 0.5, trainReportHash: 'abc' });
    expect(readCheckpoint(place.path)).to.include({ ensembleAlpha: 0.5, trainReportHash: 'abc' });
  });

  it('is none before a training begins, and of one that never began', async () => {
    const signal = AbortSignal.abort();
    const request = smallRequest({}, { checkpoint: place, signal });
    const error = await fitTsmixer(nativeEngine(), request).catch((e) => e);
    expect(error.code).to.equal('cancelled');
    expect(existsSync(place.path)).to.equal(false);
  });

  describe('is refused', () => {
    const request = () => smallRequest({}, { checkpoint: place });
    const refusal = async (of: TsmixerRequest, engine: TsmixerEngine = nativeEngine()) => {
      const error = await fitTsmixer(engine, of).then(
        () => null,
        (e) => e,
      );
      expect(error).to.be.instanceOf(SluiceError);
      expect(error.code).to.equal('input_invalid');
      expect(error.message.split('. ')).to.have.length(1);
      return error.message as string;
    };

    it('when it is cut short, anywhere', async () => {
      await fitTsmixer(nativeEngine(), request());
      const whole = readFileSync(place.path);
      for (const length of [0, 5, 8, 11, 30, whole.length / 2, whole.length - 1]) {
        writeFileSync(place.path, whole.subarray(0, length));
        expect(await refusal(request())).to.match(/cut short|another file/);
      }
    });

    it('when any byte of it has changed', async () => {
      await fitTsmixer(nativeEngine(), request());
      const whole = readFileSync(place.path);
      for (const at of [0, 9, 40, whole.length / 2, whole.length - 5].map(Math.floor)) {
        const damaged = Buffer.from(whole);
        damaged[at]! ^= 1;
        writeFileSync(place.path, damaged);
        expect(await refusal(request())).to.match(/damaged|another file/);
      }
    });

    it('when it is another file', async () => {
      writeFileSync(place.path, JSON.stringify({ type: 'tsmixer_liquid' }));
      expect(await refusal(request())).to.match(/another file/);
    });

    it('when it is of other data, parameters or another engine', async () => {
      await fitTsmixer(nativeEngine(), request());
      const { training, samples } = request();
      const others: Partial<TsmixerRequest>[] = [
        { training: { ...training, epochs: 5 } },
        { training: { ...training, members: [{ ...plainMember, seed: 2 }] } },
        { samples: randomSamples(smallShape, 80, 2) },
        { samples: { ...samples, weights: null } },
        { train: indices(0, 59) },
        { stop: new Int32Array(0) },
      ];
      for (const other of others) {
        expect(await refusal({ ...request(), ...other })).to.match(/of another training/);
      }
      expect(await refusal(request(), tfjsEngine())).to.match(/of another training/);
    });
  });
});
