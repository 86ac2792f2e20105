// Every way to call libsluice wrongly: a code, a sentence, and nothing changed. Straight at the C ABI, since the
// binding would not let most of these calls be made.

import { expect } from 'chai';
import { type ForeignFunction, openLibrary } from '../../../training/native/foreignCalls.ts';
import {
  countGpus,
  cpu,
  type Device,
  gpu,
  limitDeviceMemory,
  limitSharedMemory,
  withEmulatedGpu,
} from './engineCase.ts';

const [invalid, memory, nonFinite, noDevice] = [-1, -2, -3, -5];

/** Fields of slu_tsmixer_config in their order, and a configuration that is accepted. */
const fine = {
  struct_bytes: 80,
  members: 2,
  tokens: 4,
  channels: 3,
  hidden: 5,
  blocks: 1,
  horizon: 2,
  head: 1,
  kept_channels: 2,
  activation: 0,
  revin: 1,
  batch: 8,
  loss: 1,
  threads: 1,
  huber_delta: 1,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  device: 0,
  precision: 0,
};
type Config = typeof fine;
const floatFields = ['huber_delta', 'beta1', 'beta2', 'epsilon'];
const parameterCount = 12 * 4 + 16 + 4 + 15 + 5 + 15 + 3 + 8 + 2 + 6;

/** Fields of slu_tsmixer_member after its seed. */
const fineMember = { learning_rate: 0.01, weight_decay: 0, dropout: 0.1, teacher: 0, clip: 0 };
type Member = typeof fineMember;

function configBytes(config: Config): Uint8Array {
  const fields = Object.entries(config);
  const bytes = new Uint8Array(4 * fields.length);
  const [integers, floats] = [new Int32Array(bytes.buffer), new Float32Array(bytes.buffer)];
  for (const [i, [name, value]] of fields.entries()) {
    (floatFields.includes(name) ? floats : integers)[i] = value;
  }
  return bytes;
}

function memberBytes(members: readonly Member[]): Uint8Array {
  const bytes = new Uint8Array(32 * members.length);
  members.forEach((member, k) => {
    new Float32Array(bytes.buffer, 32 * k + 8, 5).set(Object.values(member));
  });
  return bytes;
}

const rows = 30;
const samples = 10;
const fineData = {
  series: Float32Array.from({ length: rows * 3 }, (_, i) => Math.sin(i * i)),
  rows,
  ends: Int32Array.from({ length: samples }, (_, i) => 3 + 2 * i),
  samples,
  targets: null as Float32Array | null,
  teacher: null as Float32Array | null,
  weights: null as Float32Array | null,
};
type Data = typeof fineData;

const prototypes = {
  error: 'const char *slu_error(void *handle)',
  create: 'int slu_tsmixer_create(void *config, void *members, void *out)',
  free: 'void slu_tsmixer_free(void *handle)',
  data: 'int slu_tsmixer_data(void *handle, void *series, int64_t rows, void *ends, int64_t samples, void *targets, void *teacher, void *weights)',
  train:
    'int slu_tsmixer_train(void *handle, void *train, int64_t n, void *schedule, int64_t n_schedule, int64_t to_step, void *active, void *stats)',
  evaluate: 'int slu_tsmixer_evaluate(void *handle, void *samples, int64_t n, void *stats)',
  predict: 'int slu_tsmixer_predict(void *handle, void *samples, int64_t n, void *y)',
  gradient:
    'int slu_tsmixer_gradient(void *handle, int32_t member, void *samples, int64_t n, int64_t step, void *gradient, void *loss)',
  stateBytes: 'int64_t slu_tsmixer_state_bytes(void *handle)',
  state:
    'int slu_tsmixer_state(void *handle, int32_t member, int32_t direction, void *state, int64_t bytes)',
} as const;

for (const device of [cpu, gpu.fp32]) {
  describe(`libsluice refuses on ${device.name}`, () => {
    if (device !== cpu) withEmulatedGpu();
    refusals(device);
  });
}

function refusals(device: Device): void {
  let api: Record<keyof typeof prototypes, ForeignFunction>;
  let handle: bigint;

  before(() => {
    const library = openLibrary(device.path);
    api = Object.fromEntries(
      Object.entries(prototypes).map(([name, text]) => [name, library.func(text)]),
    ) as typeof api;
  });

  const create = (config: Partial<Config>, member: Partial<Member> = {}) => {
    const out = new BigUint64Array(1);
    const count = config.members ?? fine.members;
    // as many members as the call may read: an absurd number must be refused before they are read
    const members = Array(Math.min(Math.max(count, 1), 64)).fill({ ...fineMember, ...member });
    const code = api.create(configBytes({ ...fine, ...config }), memberBytes(members), out);
    return { code: code as number, handle: out[0]! };
  };
  const data = (changes: Partial<Data> = {}) => {
    const { series, ends, targets, teacher, weights, ...sizes } = { ...fineData, ...changes };
    kept.push(series, ends, targets, teacher, weights);
    const args = [series, sizes.rows, ends, sizes.samples, targets, teacher, weights];
    return api.data(handle, ...args) as number;
  };
  let kept: unknown[] = []; // the library holds on to what it is lent
  const stats = new Uint8Array(2 * 24);
  const all = Int32Array.from({ length: samples }, (_, i) => i);
  const train = (
    order: Int32Array,
    { n = order.length, schedule = Float32Array.of(1), toStep = 1 } = {},
  ) => api.train(handle, order, n, schedule, schedule.length, toStep, null, stats) as number;
  const sentence = (of: bigint = handle) => api.error(of) as string;
  const state = (member = 0, direction = 0, bytes = new Uint8Array(8 + 12 * parameterCount)) => ({
    code: api.state(handle, member, direction, bytes, bytes.length) as number,
    bytes,
  });
  /** A fresh state of small parameters. */
  const begun = () => {
    const bytes = new Uint8Array(8 + 12 * parameterCount);
    const values = new Float32Array(bytes.buffer, 8, parameterCount);
    values.forEach((_, i) => {
      values[i] = 0.3 + 0.2 * Math.cos(i);
    });
    return bytes;
  };

  const expectRefusal = (found: number, codes: readonly number[], what: string, of?: bigint) => {
    expect(found, what).to.be.oneOf([...codes]);
    expect(sentence(of), what).to.match(/^\S.{10,}/);
  };

  beforeEach(() => {
    const made = create({});
    expect(made.code).to.equal(0);
    handle = made.handle;
    for (const k of [0, 1]) expect(state(k, 1, begun()).code).to.equal(0);
  });
  afterEach(() => {
    api.free(handle);
    kept = [];
  });

  it('accepts what the refusals below differ from', () => {
    expect(Number(api.stateBytes(handle))).to.equal(8 + 12 * parameterCount);
    expect(data()).to.equal(0);
    expect(train(all, { toStep: 5 })).to.equal(0);
  });

  const wrongConfigs: readonly Partial<Config>[] = [
    ...[0, 72, 79, 81, 1000, -80].map((struct_bytes) => ({ struct_bytes })),
    ...(
      ['members', 'tokens', 'channels', 'hidden', 'horizon', 'kept_channels', 'batch'] as const
    ).flatMap((name) => [{ [name]: 0 }, { [name]: -1 }, { [name]: -(2 ** 31) }]),
    { blocks: 0 },
    { blocks: -1 },
    { kept_channels: 4 },
    { head: 2 },
    { head: -1 },
    { head: 0 }, // with RevIN
    { activation: 2 },
    { revin: 2 },
    { revin: -1 },
    { loss: 2 },
    { threads: -1 },
    ...[0, -1, Number.NaN, Infinity].map((huber_delta) => ({ huber_delta })),
    ...[1, -0.1, Number.NaN].flatMap((beta) => [{ beta1: beta }, { beta2: beta }]),
    ...[-1e-8, Number.NaN, Infinity].map((epsilon) => ({ epsilon })),
    { precision: 2 },
    { precision: -1 },
  ];
  for (const wrong of wrongConfigs) {
    it(`a configuration with ${JSON.stringify(wrong, (_, v) => (typeof v === 'number' ? String(v) : v))}`, () => {
      const made = create(wrong);
      expectRefusal(made.code, [invalid], '', 0n);
      expect(made.handle).to.equal(0n);
    });
  }

  const wrongMembers: readonly Partial<Member>[] = [
    ...(['learning_rate', 'weight_decay', 'dropout', 'teacher', 'clip'] as const).flatMap((name) =>
      [-0.5, Number.NaN, Infinity].map((value) => ({ [name]: value })),
    ),
    { dropout: 1 },
    { dropout: 1.5 },
  ];
  for (const wrong of wrongMembers) {
    it(`a member with ${JSON.stringify(wrong, (_, v) => (typeof v === 'number' ? String(v) : v))}`, () => {
      const made = create({}, wrong);
      expectRefusal(made.code, [invalid], '', 0n);
      expect(made.handle).to.equal(0n);
    });
  }

  it('sizes that no memory holds, alone and multiplied', () => {
    const huge = 2 ** 31 - 1;
    const absurd: readonly Partial<Config>[] = [
      { tokens: huge },
      { channels: huge },
      { hidden: huge },
      { blocks: huge },
      { horizon: huge },
      { batch: huge, tokens: 4096, channels: 4096 },
      { members: huge },
      { tokens: huge, channels: huge, hidden: huge, blocks: huge, horizon: huge },
      { tokens: 65_536, channels: 65_536, hidden: 65_536 },
      { tokens: 46_341, channels: 46_341 },
    ];
    for (const sizes of absurd) {
      const made = create(sizes);
      expectRefusal(made.code, [invalid, memory], JSON.stringify(sizes), 0n);
      expect(made.handle).to.equal(0n);
    }
  });

  /** Lends the engine samples and asks for what looks at all of them: the code of the first refusal, or 0. */
  const use = (changes: Partial<Data>) => {
    const lent = data(changes);
    return lent === 0 ? train(all) : lent;
  };

  it('samples that do not fit their series', () => {
    const end = (value: number) => fineData.ends.with(3, value);
    const wrong: readonly Partial<Data>[] = [
      { rows: 0 },
      { rows: -1 },
      { rows: 3 },
      { samples: 0 },
      { samples: -1 },
      { samples: 2 ** 31 },
      { ends: end(2) }, // its window would begin before the series
      { ends: end(-1) },
      { ends: end(rows) },
      { ends: end(rows - 2) }, // two rows are predicted, one is left
      { ends: end(2 ** 31 - 1) },
      { ends: end(-(2 ** 31)) },
    ];
    for (const changes of wrong) expectRefusal(use(changes), [invalid], Object.keys(changes)[0]!);
    expect(state(0).bytes).to.deep.equal(begun());
  });

  it('numbers that are not finite, weights below 0', () => {
    const outputs = samples * 4;
    const bad = (length: number, value: number) => new Float32Array(length).with(7, value);
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      for (const row of [0, 5, 22]) {
        const series = fineData.series.with(3 * row + 1, value);
        expectRefusal(use({ series }), [invalid], `series, row ${row}`);
      }
      expectRefusal(use({ targets: bad(outputs, value) }), [invalid], 'targets');
      expectRefusal(use({ weights: bad(samples, value) }), [invalid], 'weights');
      if (!Number.isNaN(value)) {
        expectRefusal(use({ teacher: bad(outputs, value) }), [invalid], 'teacher');
      }
    }
    expectRefusal(use({ weights: bad(samples, -1) }), [invalid], 'weights');
    expect(state(0).bytes).to.deep.equal(begun());
    const unknown = bad(outputs, Number.NaN);
    expect(use({ teacher: unknown }), 'no teacher for a number').to.equal(0);
  });

  it('work before it has samples', () => {
    const gradient = new Float32Array(parameterCount);
    const loss = new Float64Array(1);
    expectRefusal(train(all), [invalid], 'train');
    expectRefusal(api.evaluate(handle, all, samples, stats) as number, [invalid], 'evaluate');
    const y = new Float32Array(2 * samples * 4);
    expectRefusal(api.predict(handle, all, samples, y) as number, [invalid], 'predict');
    const asked = api.gradient(handle, 0, all, 8, 0, gradient, loss);
    expectRefusal(asked as number, [invalid], 'gradient');
  });

  it('orders of training that mean nothing', () => {
    expect(data()).to.equal(0);
    const schedule = (...values: number[]) => ({ schedule: Float32Array.from(values) });
    for (const index of [-1, samples, 2 ** 31 - 1, -(2 ** 31)]) {
      expectRefusal(train(all.with(4, index)), [invalid], `index ${index}`);
    }
    expectRefusal(train(all, { n: 0 }), [invalid], 'no sample');
    expectRefusal(train(all, { n: -1 }), [invalid], 'n below 0');
    expectRefusal(train(all, schedule()), [invalid], 'no schedule');
    expectRefusal(train(all, schedule(1, Number.NaN)), [invalid], 'schedule NaN');
    expectRefusal(train(all, schedule(Infinity)), [invalid], 'schedule infinite');
    expectRefusal(train(all, schedule(-1)), [invalid], 'schedule below 0');
    expectRefusal(train(all, schedule(1, 1e37)), [invalid], 'a rate beyond 1e32');
  });

  it('samples that are not there, to evaluate, predict and take gradients', () => {
    expect(data()).to.equal(0);
    const y = new Float32Array(2 * samples * 4);
    const gradient = new Float32Array(parameterCount);
    const loss = new Float64Array(1);
    for (const index of [-1, samples, 2 ** 31 - 1]) {
      const wrong = all.with(9, index);
      expectRefusal(api.evaluate(handle, wrong, samples, stats) as number, [invalid], 'evaluate');
      expectRefusal(api.predict(handle, wrong, samples, y) as number, [invalid], 'predict');
      const last = wrong.subarray(2);
      const asked = api.gradient(handle, 0, last, 8, 0, gradient, loss);
      expectRefusal(asked as number, [invalid], 'gradient');
    }
    for (const n of [0, -1]) {
      expectRefusal(api.evaluate(handle, all, n, stats) as number, [invalid], 'evaluate none');
      const asked = api.gradient(handle, 0, all, n, 0, gradient, loss);
      expectRefusal(asked as number, [invalid], 'gradient of none');
    }
    for (const member of [-1, 2]) {
      const asked = api.gradient(handle, member, all, 8, 0, gradient, loss);
      expectRefusal(asked as number, [invalid], `gradient of member ${member}`);
    }
    const early = api.gradient(handle, 0, all, 8, -1, gradient, loss);
    expectRefusal(early as number, [invalid], 'gradient of step -1');
  });

  it('states of another size, member or direction, and ones that hold no numbers', () => {
    for (const member of [-1, 2]) expectRefusal(state(member).code, [invalid], `member ${member}`);
    for (const direction of [-1, 2]) {
      expectRefusal(state(0, direction, begun()).code, [invalid], `direction ${direction}`);
    }
    for (const length of [0, 8, 7 + 12 * parameterCount, 9 + 12 * parameterCount]) {
      expectRefusal(state(0, 1, new Uint8Array(length)).code, [invalid], `${length} bytes`);
    }
    const poisoned = begun();
    new Float32Array(poisoned.buffer, 8)[5] = Number.NaN;
    expectRefusal(state(0, 1, poisoned).code, [invalid], 'NaN');
    const early = begun();
    new DataView(early.buffer).setBigInt64(0, -1n, true);
    expectRefusal(state(0, 1, early).code, [invalid], 'step -1');
    expect(state(0).bytes).to.deep.equal(begun());
  });

  it('to go on where numbers leave their range: it names step and member, and both stand before that step', () => {
    api.free(handle);
    handle = create({ loss: 0 }, { learning_rate: 1e30, weight_decay: 0 }).handle;
    for (const k of [0, 1]) expect(state(k, 1, begun()).code).to.equal(0);
    expect(data({ targets: new Float32Array(samples * 4).fill(1e15) })).to.equal(0);
    expectRefusal(train(all, { toStep: 50 }), [nonFinite], 'explodes');
    expect(sentence())
      .to.match(/step \d+/)
      .and.to.match(/member \d+/);
    for (const k of [0, 1]) {
      const { bytes } = state(k);
      const step = Number(new DataView(bytes.buffer).getBigInt64(0, true));
      expect(step).to.be.within(0, 49);
      expect(new Float32Array(bytes.buffer, 8).every(Number.isFinite), 'all finite').to.equal(true);
    }
  });

  if (device === cpu) {
    it('other devices than the one CPU, and TF32', () => {
      for (const wrong of [{ device: 1 }, { device: -1 }, { precision: 1 }]) {
        expectRefusal(create(wrong).code, [invalid, noDevice], JSON.stringify(wrong), 0n);
      }
    });
  } else {
    it('a GPU that is not there', () => {
      for (const ordinal of [-1, 1, 2 ** 31 - 1]) {
        expectRefusal(create({ device: ordinal }).code, [noDevice], `GPU ${ordinal}`, 0n);
      }
      countGpus(0);
      expectRefusal(create({}).code, [noDevice], 'no GPU', 0n);
      expect(sentence(0n)).to.match(/GPU/);
    });

    it('more members than a grid counts, a window beyond 2^30 words, and a GPU of little shared memory', () => {
      expectRefusal(create({ members: 65536 }).code, [invalid], 'members', 0n);
      expect(sentence(0n)).to.match(/members/);
      const wide = { tokens: 30_000, channels: 8000, hidden: 1, blocks: 1 };
      expectRefusal(create(wide).code, [invalid], 'a window', 0n);
      expect(sentence(0n)).to.match(/window/);
      limitSharedMemory(16 * 1024);
      const tiled = { tokens: 64, channels: 64, hidden: 64 };
      expectRefusal(create(tiled).code, [noDevice], 'slabs of products', 0n);
      expect(sentence(0n)).to.match(/shared memory/);
    });

    it('what the memory of the GPU does not hold, and goes on when it has more', () => {
      expect(data()).to.equal(0);
      limitDeviceMemory(1);
      expectRefusal(create({}).code, [memory], 'another handle', 0n);
      expectRefusal(data(), [memory], 'samples');
      expectRefusal(train(all), [invalid, memory], 'a training of samples that are not there');
      limitDeviceMemory(2 ** 30);
      expect(state(0).bytes).to.deep.equal(begun());
      expect(data()).to.equal(0);
      expect(train(all)).to.equal(0);
    });
  }

  it('nothing afterwards: a handle that has refused still trains as one that has not', () => {
    expect(data()).to.equal(0);
    expectRefusal(train(all.with(0, -5)), [invalid], 'index');
    expectRefusal(data({ rows: 0 }), [invalid], 'rows');
    expect(data()).to.equal(0);
    expect(train(all, { toStep: 3 })).to.equal(0);
    const after = state(0).bytes;
    expect(state(0, 1, begun()).code).to.equal(0);
    expect(train(all, { toStep: 3 })).to.equal(0);
    expect(state(0).bytes).to.deep.equal(after);
  });
}
