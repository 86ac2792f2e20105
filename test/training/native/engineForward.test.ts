import { expect } from 'chai';
import { encodeTsmixerOnnx } from '../../../models/artifact/index.ts';
import {
  tsmixerErrorBound,
  tsmixerForward,
  tsmixerOutputs,
  tsmixerTolerances,
} from '../../../models/score/index.ts';
import { ortNetworkScores } from '../../models/artifact/ortScores.ts';
import {
  allSamples,
  caseParameters,
  cpu,
  cpuPaths,
  type Device,
  type EngineCase,
  evaluateOn,
  forwardErrorBound,
  gathered,
  gpus,
  gradientErrorBound,
  member,
  openCase,
  predictOn,
  randomCase,
  referenceLosses,
  useCpuPath,
  withEmulatedGpu,
} from './engineCase.ts';

/** Distances of outputs from the float64 reference's, the largest in units of what rounding explains. */
async function worstDistance(
  problem: EngineCase,
  outputsOf: (windows: Float32Array) => Promise<Float32Array>,
  { precision }: Device = cpu,
): Promise<number> {
  const { shape, ends } = problem;
  const weights = { shape, values: caseParameters(shape) };
  const { windows } = gathered(problem);
  const expected = tsmixerForward(weights, windows, ends.length);
  const tolerances = tsmixerTolerances(weights, windows, ends.length);
  const coarser = forwardErrorBound(shape, precision) / tsmixerErrorBound(shape);
  const y = await outputsOf(windows);
  const shares = expected.map((v, i) => Math.abs(y[i]! - v) / (coarser * tolerances[i]!));
  return shares.reduce((worst, share) => Math.max(worst, share), 0);
}

async function engineOutputs(problem: EngineCase, device: Device = cpu): Promise<Float32Array> {
  const engine = openCase(problem, undefined, {}, device);
  const samples = allSamples(problem.ends.length);
  const y = await predictOn(engine, samples, tsmixerOutputs(problem.shape));
  engine.free();
  return y;
}

/** Random cases from seeds, `first` and those after it. */
async function expectReference(first: number, cases: number, device: Device): Promise<void> {
  for (let seed = first; seed < first + cases; seed += 1) {
    const problem = randomCase(seed);
    const worst = await worstDistance(problem, () => engineOutputs(problem, device), device);
    expect(worst, `case ${seed}`).to.be.at.most(1);
  }
}

async function expectWeightedLoss(first: number, cases: number, device: Device): Promise<void> {
  for (let seed = first; seed < first + cases; seed += 1) {
    const problem = { ...randomCase(seed), teacherLambda: 0 };
    const engine = openCase(problem, [member({ teacher: 3 })], {}, device);
    const [stats] = await evaluateOn(engine, allSamples(problem.batch));
    engine.free();
    const losses = referenceLosses(problem, Float64Array.from(caseParameters(problem.shape)));
    const expected = losses.reduce((sum, loss) => sum + loss, 0);
    expect(stats!.samples).to.equal(problem.batch);
    const bound = gradientErrorBound(problem.shape, problem.batch, device.precision);
    expect(stats!.loss, `case ${seed}`).to.be.closeTo(expected, 2 * bound * expected);
  }
}

describe('the native engine’s forward pass', () => {
  afterEach(() => {
    useCpuPath(null);
  });

  for (const path of cpuPaths) {
    it(`is that of the float64 reference, within what rounding explains (${path})`, async function () {
      if (!useCpuPath(path)) this.skip();
      await expectReference(200, 60, cpu);
    });
  }

  it('gives what ONNX Runtime gives of the network that is signed and served', async () => {
    for (let seed = 260; seed < 280; seed += 1) {
      const problem = randomCase(seed);
      const { shape, ends } = problem;
      const onnx = encodeTsmixerOnnx({ shape, values: caseParameters(shape) });
      const served = await ortNetworkScores(onnx, shape, gathered(problem).windows, ends.length);
      const ours = await engineOutputs(problem);
      // both lie within one bound of the reference, so within two of each other
      const distance = await worstDistance(problem, async () => served);
      expect(distance, `case ${seed}, ONNX Runtime`).to.be.at.most(1);
      expect(await worstDistance(problem, async () => ours)).to.be.at.most(1);
    }
  });

  it('evaluates to the weighted mean loss without teacher', () => expectWeightedLoss(300, 30, cpu));
});

for (const device of gpus) {
  describe(`the native engine’s forward pass on ${device.name}`, () => {
    withEmulatedGpu();

    it('is that of the float64 reference, within what rounding explains', () =>
      expectReference(200, 16, device));

    it('evaluates to the weighted mean loss without teacher', () =>
      expectWeightedLoss(300, 6, device));
  });
}
