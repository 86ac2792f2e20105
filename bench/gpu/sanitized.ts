// A small training with every call of the library once, for compute-sanitizer to watch: gpu/sanitizer.ts starts it.
// usage: node bench/gpu/sanitized.ts LIBRARY tf32|fp32

import {
  allSamples,
  evaluateOn,
  member,
  predictOn,
  trainTo,
} from '../../test/training/native/engineCase.ts';
import { findSluice, type Precision } from '../../training/native/index.ts';
import { comparison, networks, openEngine, tinyNetworks } from './cases.ts';

const [path, precision] = process.argv.slice(2);
const place = { library: findSluice(path), precision: precision as Precision, threads: 0 };
const members = [
  member({ dropout: 0.3, teacher: 0.3, clip: 0.05, weightDecay: 0.1 }),
  member({ seed: 4 }),
];
// all tiny ones, then the two whose way through the kernels depends on their size
const small = [...tinyNetworks, ...networks.slice(2).map((one) => ({ ...one, batch: 3 }))];
for (const network of small) {
  const problem = comparison(network);
  const engine = openEngine(place, problem, members);
  const samples = allSamples(problem.ends.length);
  await trainTo(engine, samples, 3);
  await evaluateOn(engine, samples);
  const { head, horizon, keptChannels } = problem.shape;
  await predictOn(engine, samples, head === 'flat' ? horizon : horizon * keptChannels);
  const parameters = (engine.stateBytes - 8) / 12;
  engine.gradient(0, samples, 0, new Float32Array(parameters));
  engine.free();
}
process.stdout.write('trained\n');
