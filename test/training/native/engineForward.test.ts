import { expect } from 'chai';
import { encodeTsmixerOnnx } from '../../../models/artifact/index.ts';
import { tsmixerForward, tsmixerOutputs, tsmixerTolerances } from '../../../models/score/index.ts';
import { ortNetworkScores } from '../../models/artifact/ortScores.ts';
import {
  allSamples,
  caseParameters,
  cpuPaths,
  type EngineCase,
  evaluateOn,
  gathered,
  gradientErrorBound,
  member,
  openCase,
  predictOn,
  randomCase,
  referenceLosses,
  useCpuPath,
} from './engineCase.ts';

/** Distances of outputs from the float64 reference's, the largest in units of what rounding explains. */
async function worstDistance(
  problem: EngineCase,
  outputsOf: (windows: Float32Array) => Promise<Float32Array>,
): Promise<number> {
  const { shape, ends } = problem;
  const weights = { shape, values: caseParameters(shape) };
  const { windows } = gathered(problem);
  const expected = tsmixerForward(weights, windows, ends.length);
  const tolerances = tsmixerTolerances(weights, windows, ends.length);
  const y = await outputsOf(windows);
  const shares = expected.map((v, i) => Math.abs(y[i]! - v) / tolerances[i]!);
  return shares.reduce((worst, share) => Math.max(worst, share), 0);
}

async function engineOutputs(problem: EngineCase): Promise<Float32Array> {
  const engine = openCase(problem);
  const samples = allSamples(problem.ends.length);
  const y = await predictOn(engine, samples, tsmixerOutputs(problem.shape));
  engine.free();
  return y;
}

describe('the native engine’s forward pass', () => {
  afterEach(() => {
    useCpuPath(null);
  });

  for (const path of cpuPaths) {
    it(`is that of the float64 reference, within what rounding explains (${path})`, async function () {
      if (!useCpuPath(path)) this.skip();
      for (let seed = 200; seed < 260; seed += 1) {
        const problem = randomCase(seed);
        const worst = await worstDistance(problem, () => engineOutputs(problem));
        expect(worst, `case ${seed}`).to.be.at.most(1);
      }
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

  it('evaluates to the weighted mean loss without teacher', async () => {
    for (let seed = 300; seed < 330; seed += 1) {
      const problem = { ...randomCase(seed), teacherLambda: 0 };
      const engine = openCase(problem, [member({ teacher: 3 })]);
      const [stats] = await evaluateOn(engine, allSamples(problem.batch));
      engine.free();
      const losses = referenceLosses(problem, Float64Array.from(caseParameters(problem.shape)));
      const expected = losses.reduce((sum, loss) => sum + loss, 0);
      expect(stats!.samples).to.equal(problem.batch);
      const bound = 2 * gradientErrorBound(problem.shape, problem.batch) * expected;
      expect(stats!.loss).to.be.closeTo(expected, bound);
    }
  });
});
