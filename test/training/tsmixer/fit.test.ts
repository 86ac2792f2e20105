import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import { tsmixerForward } from '../../../models/score/index.ts';
import { fitRidge } from '../../../training/baseline/index.ts';
import { gatherBatch } from '../../../training/tsmixer/batch.ts';
import type { TsmixerEngine } from '../../../training/tsmixer/engine.ts';
import {
  fitTsmixer,
  nativeEngine,
  predictTsmixer,
  type TsmixerRequest,
  type TsmixerTraining,
  tfjsEngine,
  tsmixerParamsSchema,
  tsmixerTraining,
} from '../../../training/tsmixer/index.ts';
import { indices, plainMember, randomSamples, smallRequest, smallShape } from './problem.ts';

const engine = nativeEngine();
const signal = new AbortController().signal;

async function failureOf(request: TsmixerRequest, by: TsmixerEngine = engine) {
  try {
    await fitTsmixer(by, request);
  } catch (error) {
    expect(error).to.be.instanceOf(SluiceError);
    return error as SluiceError;
  }
  throw new Error('It was not refused.');
}

describe('fitTsmixer', () => {
  it('gives each member what it would have become alone', async () => {
    const members = [
      { ...plainMember, dropout: 0.3 },
      { ...plainMember, seed: 5, teacherLambda: 1 },
      { ...plainMember, seed: 6, learningRate: 0.1 },
    ];
    const together = await fitTsmixer(engine, smallRequest({ members, patience: 1, epochs: 8 }));
    for (const [k, member] of members.entries()) {
      const request = smallRequest({ members: [member], patience: 1, epochs: 8 });
      const [alone] = await fitTsmixer(engine, request);
      expect(alone).to.deep.equal(together[k]);
    }
    const lengths = together.map(({ history }) => history.length);
    expect(new Set(lengths).size, 'some stop earlier than others').to.be.greaterThan(1);
  });

  it('gives the same bytes with 1, 2 and 3 threads', async () => {
    const members = [plainMember, { ...plainMember, seed: 2, dropout: 0.5 }];
    const fits = [];
    for (const threads of [1, 2, 3]) {
      fits.push(await fitTsmixer(engine, smallRequest({ members, threads, batch: 40 })));
    }
    expect(fits[1]).to.deep.equal(fits[0]);
    expect(fits[2]).to.deep.equal(fits[0]);
  });

  it('gives back the parameters of the best epoch', async () => {
    const members = [{ ...plainMember, learningRate: 0.05 }];
    const full = smallRequest({ members, epochs: 12, schedule: 'constant', warmupFrac: 0 });
    const [fit] = await fitTsmixer(engine, full);
    const stops = fit!.history.map(({ stop }) => stop!);
    expect(fit!.bestEpoch).to.equal(1 + stops.indexOf(Math.min(...stops)));
    expect(fit!.bestEpoch, 'random targets are overfitted').to.be.lessThan(12);
    // with a constant rate the first epochs are those of a shorter training
    const short = smallRequest(
      { members, epochs: fit!.bestEpoch, schedule: 'constant', warmupFrac: 0 },
      { stop: new Int32Array(0) },
    );
    const [last] = await fitTsmixer(engine, short);
    expect(last!.weights).to.deep.equal(fit!.weights);
    expect(last!.history.map(({ stop }) => stop)).to.deep.equal(last!.history.map(() => null));
  });

  it('stops a member that has not become better for as many epochs as it has patience', async () => {
    const members = [{ ...plainMember, learningRate: 0.05 }];
    const [fit] = await fitTsmixer(engine, smallRequest({ members, epochs: 40, patience: 3 }));
    expect(fit!.history).to.have.length(fit!.bestEpoch + 3);
    expect(fit!.history.map(({ epoch }) => epoch)).to.deep.equal([
      ...indices(1, fit!.history.length + 1),
    ]);
  });

  it('tells losses of the samples in the unit that it learns in', async () => {
    const members = [{ ...plainMember, learningRate: 0 }];
    const samples = { ...randomSamples(smallShape, 80), weights: null };
    // each sample 30 times in batches of 1: an epoch of several calls of the engine
    const train = Int32Array.from({ length: 1800 }, (_, i) => i % 60);
    const request = smallRequest({ members, epochs: 2, batch: 1 }, { samples, train });
    const [fit] = await fitTsmixer(engine, request);
    const targetsOf = (rows: Int32Array) => [...rows].map((row) => samples.targets![row]!);
    const mean = average(targetsOf(train));
    const variance = average(targetsOf(train).map((target) => (target - mean) ** 2));
    for (const part of ['train', 'stop'] as const) {
      const rows = request[part];
      const { windows } = gatherBatch(smallShape, samples, rows);
      const y = tsmixerForward(fit!.weights, windows, rows.length);
      const loss = average(targetsOf(rows).map((target, at) => (target - y[at]!) ** 2));
      for (const epoch of fit!.history) {
        expect(epoch[part]).to.be.closeTo(loss / variance, (1e-5 * loss) / variance);
      }
    }
  });

  it('does not train a member any more that has stopped', async () => {
    const masks: string[] = [];
    const spying: TsmixerEngine = {
      ...engine,
      open(task) {
        const session = engine.open(task);
        return {
          ...session,
          train(order, watch) {
            masks.push(order.active.join(''));
            return session.train(order, watch);
          },
        };
      },
    };
    const members = [plainMember, { ...plainMember, seed: 6, learningRate: 0.1 }];
    const [first, second] = await fitTsmixer(
      spying,
      smallRequest({ members, epochs: 30, patience: 2 }),
    );
    const expected = Array.from({ length: 30 }, (_, e) =>
      [first, second].map((fit) => (e < fit!.history.length ? 1 : 0)).join(''),
    ).filter((mask) => mask !== '00');
    expect(new Set(masks)).to.include(first!.history.length < second!.history.length ? '01' : '10');
    expect(masks).to.deep.equal(expected);
  });

  it('gives label units, however large or small', async () => {
    const samples = randomSamples(smallShape, 80);
    const [plain] = await fitTsmixer(engine, smallRequest({}, { samples }));
    const targets = samples.targets!.map((y) => 1024 * y - 4096);
    const teacher = samples.teacher!.map((y) => 1024 * y - 4096);
    const scaled = { ...samples, targets, teacher };
    const [fit] = await fitTsmixer(engine, smallRequest({}, { samples: scaled }));
    const ask = (weights: typeof fit) =>
      predictTsmixer(engine, [weights!.weights], samples, indices(60, 80), { threads: 1, signal });
    const [expected] = await ask(plain);
    const [found] = await ask(fit);
    // 1024 y - 4096 is rounded to float32: 2^-12 at most, some 1e-7 of a standard deviation in every target
    expected!.forEach((y, i) => {
      expect(found![i]).to.be.closeTo(1024 * y - 4096, 1);
    });
  });

  it('learns what no linear map of the window can', async function () {
    this.timeout(20_000);
    const shape = { ...smallShape, nTokens: 4, nChannels: 2, keptChannels: 2 };
    const samples = { ...randomSamples(shape, 3000, 8), teacher: null, weights: null };
    const at = (i: number, lag: number) => samples.series[(samples.windowEnds[i]! - lag) * 2]!;
    const targets = Float32Array.from(samples.windowEnds, (_, i) => Math.sign(at(i, 0) * at(i, 3)));
    const request = smallRequest(
      tsmixerTraining(
        tsmixerParamsSchema.parse({
          n_tokens: 4,
          hidden: 32,
          batch: 32,
          learning_rate: 0.01,
          epochs: 30,
          patience: 0,
          dropout: 0,
        }),
        2,
      ),
      { samples: { ...samples, targets }, train: indices(0, 2400), stop: indices(2400, 3000) },
    );
    const [fit] = await fitTsmixer(engine, request);
    const best = fit!.history[fit!.bestEpoch - 1]!.stop!;
    const windows = gatherBatch(shape, request.samples, indices(0, 3000)).windows;
    const linear = fitRidge({
      features: windows,
      labels: targets,
      featureCount: 8,
      rows: request.train,
      folds: [],
      lambdas: [1e-3],
    });
    const ridge = linear.score(windows.subarray(2400 * 8), 600);
    const linearLoss = average([...ridge].map((y, i) => (y - targets[2400 + i]!) ** 2));
    expect(linearLoss).to.be.greaterThan(0.95);
    expect(best).to.be.lessThan(linearLoss / 2);
  });

  it('names epoch, step and member when a loss stops being a number', async () => {
    const members = [
      plainMember,
      { ...plainMember, learningRate: 1e30, weightDecay: 0, clipNorm: 0 },
    ];
    for (const by of [engine, tfjsEngine()]) {
      const error = await failureOf(smallRequest({ members }), by);
      expect(error.code).to.equal('non_finite');
      expect(error.context).to.include({ epoch: 1, member: 1 });
      expect(error.message).to.match(/member 1 .* epoch 1, at step [123];/);
    }
  });

  it('stops soon on request, and tells how far it was before', async () => {
    const controller = new AbortController();
    const told: string[] = [];
    const progress = {
      update(stage: string, doneFrac: number, note?: string) {
        expect(doneFrac).to.be.within(0, 1);
        told.push(`${stage}: ${note}`);
      },
    };
    setTimeout(() => controller.abort(), 250);
    const request = smallRequest({ epochs: 1e5 }, { progress, signal: controller.signal });
    const error = await failureOf(request);
    expect(error.code).to.equal('cancelled');
    expect(error.message).to.match(/stopped in epoch \d+ of 100000, on request/);
    expect(told.at(-1)).to.match(
      /^tsmixer: epoch \d+\/100000, loss \S+, \S+ steps\/s, \d+ (s|min) left$/,
    );
  });

  it('leaves the event loop free while it trains', async () => {
    let turns = 0;
    const counting = setInterval(() => {
      turns += 1;
    }, 1);
    const shape = { ...smallShape, nTokens: 64, hidden: 64 };
    const samples = randomSamples(shape, 400);
    const request = smallRequest(
      { shape, epochs: 1 },
      { samples, train: indices(0, 400).map((i) => i % 400), stop: new Int32Array(0) },
    );
    const many = { ...request, train: Int32Array.from({ length: 20_000 }, (_, i) => i % 400) };
    await fitTsmixer(engine, many);
    clearInterval(counting);
    expect(turns).to.be.greaterThan(5);
  });
});

describe('the memory of a fit', () => {
  it('holds the series, never its windows', async function () {
    this.timeout(20_000);
    const shape = { ...smallShape, nTokens: 64, nChannels: 8, keptChannels: 8, blocks: 1 };
    const count = 100_000; // windows would take 205 MB
    const series = new Float32Array((count + 64) * 8).map((_, i) => Math.sin(i * i));
    const samples = {
      series,
      windowEnds: indices(64, count + 64),
      targets: series.slice(0, count),
      teacher: null,
      weights: null,
    };
    const request = smallRequest(
      { shape, epochs: 1, batch: 256, threads: 2 },
      { samples, train: indices(0, count), stop: indices(0, 10_000) },
    );
    const before = process.memoryUsage.rss();
    let most = before;
    const watching = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss());
    }, 5);
    await fitTsmixer(engine, request);
    clearInterval(watching);
    expect((most - before) / 2 ** 20).to.be.lessThan(60);
  });
});

describe('fitTsmixer refuses', () => {
  const samples = randomSamples(smallShape, 80);
  const changed = (values: Float32Array, at: number, value: number) => {
    const copy = values.slice();
    copy[at] = value;
    return copy;
  };
  const withSamples = (change: Partial<typeof samples>): TsmixerRequest =>
    smallRequest({}, { samples: { ...samples, ...change } });
  const withTraining = (change: Partial<TsmixerTraining>) => smallRequest(change);
  const withMember = (change: Partial<typeof plainMember>) =>
    smallRequest({ members: [plainMember, { ...plainMember, ...change }] });
  const refusals: [string, string, RegExp, TsmixerRequest][] = [
    [
      'a series that is not finite',
      'non_finite',
      /series\[7\]/,
      withSamples({ series: changed(samples.series, 7, Number.NaN) }),
    ],
    [
      'a target that is not finite',
      'non_finite',
      /targets\[3\]/,
      withSamples({ targets: changed(samples.targets!, 3, 1 / 0) }),
    ],
    [
      'an infinite teacher',
      'non_finite',
      /teacher\[3\]/,
      withSamples({ teacher: changed(samples.teacher!, 3, 1 / 0) }),
    ],
    [
      'a weight that is not finite',
      'non_finite',
      /weights\[0\]/,
      withSamples({ weights: changed(samples.weights!, 0, Number.NaN) }),
    ],
    [
      'a negative weight',
      'out_of_range',
      /weights\[2\]/,
      withSamples({ weights: changed(samples.weights!, 2, -1) }),
    ],
    [
      'weights of zero only',
      'out_of_range',
      /weight 0/,
      withSamples({ weights: samples.weights!.map(() => 0) }),
    ],
    [
      'targets of another length',
      'length_mismatch',
      /targets/,
      withSamples({ targets: samples.targets!.slice(1) }),
    ],
    [
      'a series that is no matrix',
      'length_mismatch',
      /series/,
      withSamples({ series: samples.series.slice(1) }),
    ],
    [
      'a window that begins before the series',
      'out_of_range',
      /Sample 0/,
      withSamples({ windowEnds: samples.windowEnds.map((end) => end - 1) }),
    ],
    [
      'a window that ends after the series',
      'out_of_range',
      /Sample 78/,
      withSamples({ windowEnds: samples.windowEnds.map((end) => end + 4) }),
    ],
    [
      'rows after the window that are not there',
      'out_of_range',
      /Sample 79/,
      withSamples({
        targets: null,
        teacher: null,
        windowEnds: samples.windowEnds.map((end) => end + 2),
      }),
    ],
    [
      'no samples to train on',
      'out_of_range',
      /at least one/,
      smallRequest({}, { train: new Int32Array(0) }),
    ],
    [
      'a sample that there is not',
      'out_of_range',
      /stop\[1\] is 80/,
      smallRequest({}, { stop: Int32Array.of(3, 80) }),
    ],
    [
      'a negative sample',
      'out_of_range',
      /train\[0\] is -1/,
      smallRequest({}, { train: Int32Array.of(-1) }),
    ],
    ['no members', 'out_of_range', /member/, withTraining({ members: [] })],
    [
      'a shape of no tokens',
      'out_of_range',
      /nTokens/,
      withTraining({ shape: { ...smallShape, nTokens: 0 } }),
    ],
    ['a batch of none', 'out_of_range', /batch/, withTraining({ batch: 0 })],
    ['no epochs', 'out_of_range', /epochs/, withTraining({ epochs: 0 })],
    ['half an epoch', 'out_of_range', /epochs/, withTraining({ epochs: 0.5 })],
    ['a warm-up of everything', 'out_of_range', /warmupFrac/, withTraining({ warmupFrac: 1 })],
    [
      'a huber loss without its delta',
      'out_of_range',
      /delta/,
      withTraining({ loss: { kind: 'huber', delta: 0 } }),
    ],
    ['a negative rate', 'out_of_range', /member 1: learningRate/, withMember({ learningRate: -1 })],
    ['a dropout of everything', 'out_of_range', /member 1: dropout/, withMember({ dropout: 1 })],
    ['a seed that is no integer', 'out_of_range', /member 1: seed/, withMember({ seed: 0.5 })],
  ];
  for (const [what, code, message, request] of refusals) {
    it(what, async () => {
      const error = await failureOf(request);
      expect(error.code).to.equal(code);
      expect(error.message).to.match(message);
    });
  }

  it('all that is wrong with the numbers at once', async () => {
    const error = await failureOf(smallRequest({ batch: 0, epochs: -1, members: [] }));
    expect(error.context.violations).to.have.length(3);
  });
});

const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
