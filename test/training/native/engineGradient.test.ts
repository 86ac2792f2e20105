import { expect } from 'chai';
import { createRandom } from '../../../core/index.ts';
import { tsmixerParameterCount, tsmixerParameters } from '../../../models/score/index.ts';
import { tsmixerLayers, tsmixerTrunk } from '../../../models/score/tsmixerForward.ts';
import {
  allSamples,
  caseParameters,
  caseSamples,
  cpu,
  cpuPaths,
  type Device,
  type EngineCase,
  gathered,
  gpus,
  gradientErrorBound,
  limitSharedMemory,
  littleSharedMemory,
  openCase,
  randomCase,
  referenceLosses,
  useCpuPath,
  withEmulatedGpu,
} from './engineCase.ts';

/** Derivative of the loss by one parameter, how far it may be off, and the sum of the samples' absolute shares. */
interface Difference {
  readonly value: number;
  readonly error: number;
  readonly magnitude: number;
}

const width = 1e-5;

/** Central differences of two widths in float64, extrapolated; where a relu turns between them they differ. */
function difference(problem: EngineCase, at: number): Difference {
  const parameters = Float64Array.from(caseParameters(problem.shape));
  const centre = parameters[at]!;
  const slopes = [width, width / 2].map((h) => {
    parameters[at] = centre + h;
    const above = referenceLosses(problem, parameters);
    parameters[at] = centre - h;
    const below = referenceLosses(problem, parameters);
    return above.map((loss, i) => (loss - below[i]!) / (2 * h));
  });
  const sum = (values: Float64Array) => values.reduce((total, v) => total + v, 0);
  const [wide, narrow] = slopes.map(sum) as [number, number];
  return {
    value: (4 * narrow - wide) / 3,
    error: Math.abs(narrow - wide),
    magnitude: sum(slopes[1]!.map(Math.abs)),
  };
}

/** Largest mean square over variance that a layer norm meets: what centring nearly equal numbers costs. */
function worstCondition(problem: EngineCase): number {
  const { shape } = problem;
  const trunk = tsmixerTrunk(tsmixerLayers({ shape, values: caseParameters(shape) }));
  const size = shape.nTokens * shape.nChannels;
  const { windows } = gathered(problem);
  const conditions = Array.from(problem.ends, (_, i) =>
    size === 1 ? 1 : trunk(windows.subarray(i * size, (i + 1) * size)).condition,
  );
  return Math.max(...conditions);
}

function engineGradient(
  problem: EngineCase,
  device: Device,
): { gradient: Float32Array; loss: number } {
  const engine = openCase(problem, undefined, {}, device);
  try {
    const gradient = new Float32Array(tsmixerParameterCount(problem.shape));
    return { loss: engine.gradient(0, allSamples(problem.batch), 0, gradient), gradient };
  } finally {
    engine.free();
  }
}

/** Compares at these parameters, with the kernels of each path. @returns at how many there is no derivative to speak of */
function compare(
  problem: EngineCase,
  parameters: readonly number[],
  paths: readonly ((typeof cpuPaths)[number] | null)[],
  device: Device = cpu,
): number {
  const losses = referenceLosses(problem, Float64Array.from(caseParameters(problem.shape)));
  const own = gradientErrorBound(problem.shape, problem.batch, device.precision);
  const bound = own * worstCondition(problem);
  const expected = losses.reduce((sum, v) => sum + v, 0);
  const differences = parameters.map((at) => difference(problem, at));
  const tolerance = bound * Math.max(...differences.map(({ magnitude }) => magnitude));
  const names = tsmixerParameters(problem.shape);
  const nameOf = (at: number) => names.findLast(({ offset }) => offset <= at)!.name;
  for (const path of paths) {
    if (path !== null) useCpuPath(path);
    const { gradient, loss } = engineGradient(problem, device);
    expect(loss, 'loss').to.be.closeTo(expected, 2 * bound * expected);
    for (const [i, { value, error }] of differences.entries()) {
      if (error > tolerance) continue;
      const at = parameters[i]!;
      expect(gradient[at], `${path ?? device.name}: ${nameOf(at)}, ${at}`).to.be.closeTo(
        value,
        tolerance + error,
      );
    }
  }
  return differences.filter(({ error }) => error > tolerance).length;
}

describe('the native engine’s gradient', () => {
  afterEach(() => {
    useCpuPath(null);
  });

  it('is that of finite differences of the float64 reference, for every parameter of random shapes', function () {
    this.timeout(240_000);
    const paths = cpuPaths.filter(useCpuPath);
    expect(paths).to.include('portable');
    let [compared, turned] = [0, 0];
    for (let seed = 0; seed < 30; seed += 1) {
      const problem = randomCase(seed);
      const parameters = [...allSamples(tsmixerParameterCount(problem.shape))];
      turned += compare(problem, parameters, paths);
      compared += parameters.length;
    }
    expect(compared).to.be.greaterThan(5000);
    expect(turned / compared, 'a relu turned within the width').to.be.lessThan(0.01);
  });

  const large: readonly Window[] = [
    [64, 32, 64, 17, 'flat'],
    [96, 21, 64, 3, 'flat'],
    [33, 17, 5, 31, 'temporal'],
    [130, 3, 40, 5, 'temporal'],
  ];
  for (const window of large) {
    it(`is so too in a window of ${window[0]} x ${window[1]}, at parameters drawn from each tensor`, function () {
      this.timeout(240_000);
      const problem = problemOf(window);
      expect(compare(problem, drawnOf(problem), cpuPaths.filter(useCpuPath))).to.equal(0);
    });
  }
});

/** Tokens, channels, hidden numbers, batch, head. */
type Window = readonly [number, number, number, number, 'flat' | 'temporal'];

function problemOf([nTokens, nChannels, hidden, batch, head]: Window): EngineCase {
  const shape = {
    nTokens,
    nChannels,
    hidden,
    blocks: 2,
    horizon: 3,
    head,
    keptChannels: nChannels,
    activation: 'gelu',
    revin: head === 'temporal',
  } as const;
  return {
    shape,
    batch,
    loss: 'mse',
    huberDelta: 1,
    teacherLambda: 0.5,
    ...caseSamples(shape, nTokens + 40, batch, true),
  };
}

/** Two parameters of each tensor. */
function drawnOf({ shape }: EngineCase): number[] {
  const random = createRandom(shape.nTokens);
  return tsmixerParameters(shape).flatMap(({ offset, size }) => [
    offset + size - 1,
    offset + random.integer(size),
  ]);
}

for (const device of gpus) {
  describe(`the native engine’s gradient on ${device.name}`, function () {
    this.timeout(240_000);
    withEmulatedGpu();

    it('is that of finite differences of the float64 reference, for every parameter of random shapes', () => {
      let [compared, turned] = [0, 0];
      for (let seed = 0; seed < 9; seed += 1) {
        const problem = smooth(randomCase(seed), device);
        const parameters = [...allSamples(tsmixerParameterCount(problem.shape))];
        turned += compare(problem, parameters, [null], device);
        compared += parameters.length;
      }
      expect(compared).to.be.greaterThan(1500);
      expect(turned / compared, 'a relu turned within the width').to.be.lessThan(0.01);
    });

    const odd: readonly Window[] = [
      [96, 21, 64, 2, 'flat'],
      [33, 17, 5, 3, 'temporal'],
      [130, 3, 40, 2, 'temporal'],
    ];
    for (const window of odd) {
      it(`is so too in a window of ${window[0]} x ${window[1]}, at parameters drawn from each tensor`, () => {
        const problem = problemOf(window);
        expect(compare(problem, drawnOf(problem), [null], device)).to.equal(0);
      });
    }

    it('is so too where shared memory is too small for a window', () => {
      limitSharedMemory(littleSharedMemory);
      const wide: readonly Window[] = [
        [96, 21, 64, 2, 'flat'],
        [65, 9, 40, 2, 'temporal'],
      ];
      for (const window of wide) {
        const problem = problemOf(window);
        expect(compare(problem, drawnOf(problem), [null], device)).to.equal(0);
      }
    });
  });
}

/** In TF32 a relu may turn where that of the reference does not, and no bound speaks of that. */
const smooth = (problem: EngineCase, { precision }: Device): EngineCase =>
  precision === 'fp32' ? problem : { ...problem, shape: { ...problem.shape, activation: 'gelu' } };
