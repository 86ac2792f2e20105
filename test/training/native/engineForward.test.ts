import { expect } from 'chai';
import { tsmixerForward, tsmixerOutputs, tsmixerTolerances } from '../../../models/score/index.ts';
import {
  allSamples,
  caseParameters,
  type EngineCase,
  evaluateOn,
  gathered,
  gradientErrorBound,
  member,
  openCase,
  predictOn,
  randomCase,
  referenceLosses,
} from './engineCase.ts';

/** Expects predictions within what rounding explains. @returns largest distance in units of it */
async function checkPredictions(problem: EngineCase): Promise<number> {
  const { shape, ends } = problem;
  const weights = { shape, values: caseParameters(shape) };
  const { windows } = gathered(problem);
  const expected = tsmixerForward(weights, windows, ends.length);
  const tolerances = tsmixerTolerances(weights, windows, ends.length);
  const engine = openCase(problem);
  const y = await predictOn(engine, allSamples(ends.length), tsmixerOutputs(shape));
  engine.free();
  const shares = expected.map((v, i) => Math.abs(y[i]! - v) / tolerances[i]!);
  return shares.reduce((worst, share) => Math.max(worst, share), 0);
}

describe('the native engine’s forward pass', () => {
  it('is that of the float64 reference, within what rounding explains', async () => {
    for (let seed = 200; seed < 260; seed += 1) {
      expect(await checkPredictions(randomCase(seed)), `case ${seed}`).to.be.at.most(1);
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
