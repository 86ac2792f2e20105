// LightGBM's CUDA library beside its CPU library on the same rows: the same task learnt about as well, in what time, and
// whether the loss that it watches while training is that of the model it ends with, missing values included.

import { existsSync } from 'node:fs';
import { createRandom } from '../../core/index.ts';
import { fitGbdt } from '../../training/gbdt/index.ts';
import { builtLightgbmPath, findLightgbm } from '../../training/native/index.ts';
import { judge, type Look, type Protocol, skip } from './protocol.ts';

const featureCount = 40;
/**
 * Both grow trees of the same rows from the same bins; the GPU's adds up histograms in another order and may break a tie
 * of splits the other way, which changes trees and not what they explain: the errors may differ by a part in fifty.
 */
const closeness = 0.02;
/** LightGBM adds up a watched loss in float64 from scores that each hold some hundred trees' leaves. */
const watchedCloseness = 1e-6;

/** Where trees grow. */
interface Learner {
  readonly path: string;
  readonly device: 'cpu' | 'cuda';
}

/** The learners of the two libraries that the builds make. */
export const builtLearners: readonly [Learner, Learner] = [
  { path: builtLightgbmPath(), device: 'cpu' },
  { path: builtLightgbmPath('cuda'), device: 'cuda' },
];

/** Looks at one training by each: the first is believed, the second looked at. */
export async function lookAtTrees(
  protocol: Protocol,
  [believed, looked]: readonly [Learner, Learner],
  rows: number,
  rounds: number,
): Promise<void> {
  const missing = [believed, looked].find(({ path }) => !existsSync(path));
  const task = makeRows(rows);
  let cuda: Grown | null = null;
  await protocol.look(
    'trees',
    `${rows} rows of ${featureCount} features, ${rounds} rounds`,
    async () => {
      if (missing !== undefined) return skip(`not built: ${missing.path}`);
      const cpu = await grow(believed, task, rounds);
      cuda = await grow(looked, task, rounds);
      const times = cpu.seconds / cuda.seconds;
      protocol.record('trees', { rows, featureCount, rounds, cpu, cuda, times_cpu: times });
      return compareErrors(cpu, cuda, times, task);
    },
  );
  await protocol.look('trees', 'the watched loss is that of the model', () => {
    if (missing !== undefined) return skip(`not built: ${missing.path}`);
    if (cuda === null) return skip('there is no model');
    const distance = Math.abs(cuda.watched / cuda.mse - 1);
    return judge(distance <= watchedCloseness, `distance ${distance.toExponential(1)}`);
  });
}

function compareErrors(cpu: Grown, cuda: Grown, times: number, { labels }: Rows): Look {
  const close = Math.abs(cuda.mse / cpu.mse - 1);
  const mean = labels.reduce((sum, y) => sum + y, 0) / labels.length;
  const variance = labels.reduce((sum, y) => sum + (y - mean) ** 2, 0) / labels.length;
  return judge(
    close <= closeness && cpu.mse < variance / 4,
    `mse ${cuda.mse.toPrecision(4)}, CPU ${cpu.mse.toPrecision(4)}; ${times.toPrecision(2)} times the CPU's speed`,
  );
}

interface Rows {
  readonly rows: number;
  readonly features: Float32Array;
  readonly labels: Float32Array;
}

/** A sum of two features' effects and noise of variance 0.0075; in a third feature every tenth value is missing. */
function makeRows(rows: number): Rows {
  const random = createRandom(1);
  const features = Float32Array.from({ length: rows * featureCount }, (_, at) => {
    const value = random.uniform();
    return at % featureCount === 2 && value < 0.1 ? Number.NaN : value;
  });
  const labels = Float32Array.from({ length: rows }, (_, row) => {
    const [a, b, c] = features.subarray(row * featureCount);
    return 2 * a! + Math.sin(6 * b!) + (Number.isNaN(c!) ? 0.5 : 0) + 0.3 * random.uniform();
  });
  return { rows, features, labels };
}

interface Grown {
  readonly seconds: number;
  /** of the model's own predictions */
  readonly mse: number;
  /** what the training said of the same rows after its last round */
  readonly watched: number;
}

async function grow(
  { path, device }: Learner,
  { rows, features, labels }: Rows,
  rounds: number,
): Promise<Grown> {
  const library = findLightgbm(path);
  const task = { features, rows, featureCount, labels };
  const params = { rounds, leaves: 31, learning_rate: 0.1, device };
  (await fitGbdt(library, { ...task, params: { ...params, rounds: 3 } })).close();
  const begin = process.hrtime.bigint();
  const model = await fitGbdt(library, { ...task, params });
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  model.close();
  const validation = { features, rows, labels };
  const watching = await fitGbdt(library, { ...task, params, validation });
  const scores = watching.predict(features, rows);
  const watched = watching.history.at(-1)!.validation!;
  watching.close();
  const mse = scores.reduce((sum, score, row) => sum + (score - labels[row]!) ** 2, 0) / rows;
  return { seconds, mse, watched };
}
