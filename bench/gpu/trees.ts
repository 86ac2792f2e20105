// LightGBM's CUDA library beside its CPU library on the same rows: the same task learnt about as well, and in what time.

import { existsSync } from 'node:fs';
import { createRandom, projectPath } from '../../core/index.ts';
import { fitGbdt } from '../../training/gbdt/index.ts';
import { findLightgbm } from '../../training/native/index.ts';
import { judge, type Look, type Protocol, skip } from './protocol.ts';

const featureCount = 40;
const rounds = 100;
/**
 * Both grow trees of the same rows from the same bins; the GPU's adds up histograms in another order and may break a tie
 * of splits the other way, which changes trees and not what they explain: the errors may differ by a part in fifty.
 */
const closeness = 0.02;

/** Looks at one training on each library. */
export async function lookAtTrees(protocol: Protocol, rows: number): Promise<void> {
  await protocol.look('trees', `${rows} rows of ${featureCount} features, ${rounds} rounds`, () =>
    compare(protocol, rows),
  );
}

async function compare(protocol: Protocol, rows: number): Promise<Look> {
  const paths = ['lib_lightgbm', 'lib_lightgbm_cuda'].map((name) =>
    projectPath('build', 'native', `${name}.so`),
  );
  const missing = paths.find((path) => !existsSync(path));
  if (missing !== undefined) return skip(`not built: ${missing}`);
  const task = makeRows(rows);
  const [cpu, cuda] = [await timed(paths[0]!, task, 'cpu'), await timed(paths[1]!, task, 'cuda')];
  const ratio = cpu.seconds / cuda.seconds;
  protocol.record('trees', { rows, featureCount, rounds, cpu, cuda, times_cpu: ratio });
  const close = Math.abs(cuda.mse / cpu.mse - 1);
  return judge(
    close <= closeness && cpu.mse < 0.05,
    `mse ${cuda.mse.toPrecision(4)}, CPU ${cpu.mse.toPrecision(4)}; ${ratio.toPrecision(2)} times the CPU's speed`,
  );
}

interface Rows {
  readonly rows: number;
  readonly features: Float32Array;
  readonly labels: Float32Array;
}

/** A sum of two features' effects and noise of variance 0.0075. */
function makeRows(rows: number): Rows {
  const random = createRandom(1);
  const features = Float32Array.from({ length: rows * featureCount }, () => random.uniform());
  const labels = Float32Array.from({ length: rows }, (_, row) => {
    const [a, b] = [features[row * featureCount]!, features[row * featureCount + 1]!];
    return 2 * a + Math.sin(6 * b) + 0.3 * random.uniform();
  });
  return { rows, features, labels };
}

async function timed(path: string, { rows, features, labels }: Rows, device: 'cpu' | 'cuda') {
  const library = findLightgbm(path);
  const task = { features, rows, featureCount, labels };
  const params = { rounds, leaves: 31, learning_rate: 0.1, device };
  (await fitGbdt(library, { ...task, params: { ...params, rounds: 3 } })).close();
  const begin = process.hrtime.bigint();
  const model = await fitGbdt(library, { ...task, params });
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const scores = model.predict(features, rows);
  model.close();
  const mse = scores.reduce((sum, score, row) => sum + (score - labels[row]!) ** 2, 0) / rows;
  return { seconds, mse };
}
