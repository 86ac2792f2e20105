// The kernels of the GPU half with a flaw made in them: each barrier in turn left out, and an index swapped. The checks of
// CI must see all of it, or they would not see a kernel's author do the same.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';
import { openLibrary } from '../../../training/native/foreignCalls.ts';
import { findSluice, type SluiceLibrary } from '../../../training/native/index.ts';
import { emulatedSluice } from '../../../training/native/nativeBuild.ts';
import {
  allSamples,
  caseParameters,
  caseSamples,
  configOf,
  type EngineCase,
  evaluateOn,
  gradientErrorBound,
  member,
  predictOn,
  stateWith,
  trainTo,
} from './engineCase.ts';

/** What tests may do to the emulated GPU of a library; see emulation.h. */
function controls(path: string) {
  const library = openLibrary(path);
  const sites = library.func('int64_t slu_emulation_sites(char *out, int64_t bytes)');
  return {
    reset: library.func('void slu_emulation_reset()'),
    seed: library.func('void slu_emulation_seed(uint64_t)'),
    skip: library.func('void slu_emulation_skip(const char *site)'),
    shared: library.func('void slu_emulation_shared(int64_t bytes)'),
    liveBytes: library.func('int64_t slu_emulation_live_bytes()'),
    sites(): string[] {
      const out = Buffer.alloc(Number(sites(null, 0)));
      sites(out, out.length);
      return out
        .toString('latin1')
        .replace(/\n?\0$/, '')
        .split('\n');
    },
  };
}

const flat: EngineCase['shape'] = {
  nTokens: 5,
  nChannels: 3,
  hidden: 4,
  blocks: 2,
  horizon: 2,
  head: 'flat',
  keptChannels: 3,
  activation: 'gelu',
  revin: false,
};
const temporal: EngineCase['shape'] = {
  ...flat,
  nTokens: 7,
  head: 'temporal',
  keptChannels: 2,
  revin: true,
};
/** does not fit into little shared memory, and is wider than a slab of a product */
const wide = { nTokens: 33, nChannels: 17, hidden: 20, blocks: 1 };
/** of a block: enough for slabs of products, too little for the buffers of a wide network */
const littleShared = 30 * 1024;

const problemOf = (shape: EngineCase['shape'], batch: number): EngineCase => ({
  shape,
  batch,
  loss: 'huber',
  huberDelta: 0.5,
  teacherLambda: 0.5,
  ...caseSamples(shape, shape.nTokens + 40, batch, true),
});
/** `quick`: the batch is large, so one gradient is all that is asked for */
interface Run {
  readonly name: string;
  readonly problem: EngineCase;
  readonly precision: 'fp32' | 'tf32';
  readonly sharedBytes?: number;
  readonly quick?: boolean;
}
const cases: readonly Omit<Run, 'precision'>[] = [
  { name: 'flat', problem: problemOf(flat, 5) },
  { name: 'temporal', problem: problemOf(temporal, 5) },
  {
    name: 'flat, not resident',
    problem: problemOf({ ...flat, ...wide, keptChannels: 17 }, 5),
    sharedBytes: littleShared,
  },
  {
    name: 'temporal, not resident',
    problem: problemOf({ ...temporal, ...wide }, 5),
    sharedBytes: littleShared,
  },
];
const runs: readonly Run[] = [
  ...cases.map((one): Run => ({ ...one, name: `${one.name}, fp32`, precision: 'fp32' })),
  ...cases.map((one): Run => ({ ...one, name: `${one.name}, tf32`, precision: 'tf32' })),
  {
    name: 'two samples at a time',
    problem: problemOf({ ...temporal, nTokens: 4, blocks: 1 }, 256),
    precision: 'fp32',
    quick: true,
  },
];

/** More members times stripes of a batch than the emulated GPU holds blocks: a block works on several. */
const members = [
  member({ dropout: 0.3, teacher: 0.5, clip: 0.1 }),
  member({ seed: 2, weightDecay: 0.1 }),
];

/** Trains, evaluates and predicts. @returns the bytes of all that comes out */
async function outcome(library: SluiceLibrary, run: Run): Promise<Buffer> {
  const { problem, precision } = run;
  if (run.quick) return Buffer.from(gradientOf(library, problem).buffer);
  const { series, ends, targets, teacher, weights, shape } = problem;
  const engine = library.createTsmixer({ ...configOf(problem), precision }, members);
  try {
    engine.lend({ series, rows: series.length / shape.nChannels, ends, targets, teacher, weights });
    for (const k of members.keys()) engine.writeState(k, stateWith(caseParameters(shape)));
    const all = allSamples(ends.length);
    const trained = await trainTo(engine, all, 2);
    const evaluated = await evaluateOn(engine, all);
    const outputs = shape.horizon * (shape.head === 'flat' ? 1 : shape.keptChannels);
    const predicted = await predictOn(engine, all, outputs);
    const losses = Float64Array.from([...trained, ...evaluated], ({ loss }) => loss);
    const states = Array.from(members.keys(), (k) => engine.readState(k));
    return Buffer.concat([Buffer.from(losses.buffer), Buffer.from(predicted.buffer), ...states]);
  } finally {
    engine.free();
  }
}

/** The gradient of a case's first step, in float32 products. */
function gradientOf(library: SluiceLibrary, problem: EngineCase): Float32Array {
  const { series, ends, targets, teacher, weights, shape } = problem;
  const engine = library.createTsmixer(configOf(problem), [member({ teacher: 0.5 })]);
  try {
    const parameters = caseParameters(shape);
    engine.lend({ series, rows: series.length / shape.nChannels, ends, targets, teacher, weights });
    engine.writeState(0, stateWith(parameters));
    const gradient = new Float32Array(parameters.length);
    engine.gradient(0, allSamples(ends.length), 0, gradient);
    return gradient;
  } finally {
    engine.free();
  }
}

/** How far a library's gradient is from the CPU's, as a share of the largest number of it. */
function distanceToCpu(library: SluiceLibrary, problem: EngineCase): number {
  const expected = gradientOf(findSluice(), problem);
  const found = gradientOf(library, problem);
  const largest = expected.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
  return found.reduce((most, g, i) => Math.max(most, Math.abs(g - expected[i]!)), 0) / largest;
}

describe("the GPU half's kernels under emulation", function () {
  this.timeout(900_000); // they are compiled on their first run
  let library: SluiceLibrary;
  let gpu: ReturnType<typeof controls>;

  before(async () => {
    const path = await emulatedSluice();
    library = findSluice(path);
    gpu = controls(path);
  });
  const start = ({ sharedBytes }: Run, seed = 0) => {
    gpu.reset();
    gpu.seed(seed);
    if (sharedBytes !== undefined) gpu.shared(sharedBytes);
  };
  afterEach(() => gpu.reset());

  for (const run of runs) {
    it(`are silent and give the same bytes in every schedule: ${run.name}`, async () => {
      start(run);
      const first = await outcome(library, run);
      for (const seed of [1, 2]) {
        start(run, seed);
        expect((await outcome(library, run)).equals(first), `seed ${seed}`).to.equal(true);
      }
      expect(Number(gpu.liveBytes())).to.equal(0);
    });
  }

  it('need each of their barriers: without it some run is a fault', async () => {
    const without = async (site: string): Promise<boolean> => {
      for (const run of runs) {
        start(run);
        gpu.skip(site);
        try {
          await outcome(library, run);
        } catch (error) {
          expect(String(error)).to.match(/emulated GPU: .* without a barrier between/);
          return true;
        }
      }
      return false;
    };
    const sites = gpu.sites();
    const survivors: string[] = [];
    for (const site of sites) if (!(await without(site))) survivors.push(site);
    expect(sites.length).to.be.greaterThan(20);
    expect(survivors).to.deep.equal([]);
  });

  it('differ from the CPU when an index is swapped', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-mutant-'));
    try {
      cpSync(projectPath('training', 'native', 'sluice'), folder, { recursive: true });
      const product = join(folder, 'cuda', 'product.h');
      const source = readFileSync(product, 'utf8');
      const swapped = source.replace('n + 2 * t + e % 2, sums', 'n + 2 * t + 1 - e % 2, sums');
      expect(swapped, 'the columns of a tile have moved in product.h').to.not.equal(source);
      writeFileSync(product, swapped);
      const mutant = join(folder, 'mutant.so');
      const flags = [
        '-std=gnu++17',
        '-w',
        '-DSLU_EMULATED',
        '-fPIC',
        '-shared',
        '-ffp-contract=off',
      ];
      const files = ['handle.cpp', 'cuda/half.cu', 'cuda/emulation.cpp'];
      const { status, stderr } = spawnSync(
        'g++',
        [
          ...flags,
          '-I',
          folder,
          '-o',
          mutant,
          '-x',
          'c++',
          ...files.map((file) => join(folder, file)),
        ],
        { encoding: 'utf8' },
      );
      expect(status, stderr).to.equal(0);
      for (const { problem } of cases) {
        const bound = gradientErrorBound(problem.shape, problem.batch);
        expect(distanceToCpu(library, problem)).to.be.at.most(bound);
        expect(distanceToCpu(findSluice(mutant), problem)).to.be.greaterThan(100 * bound);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
