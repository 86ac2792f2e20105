// Our binding of LightGBM against its Python package on the very same shared library, data and parameters, in
// alternating runs. Ours is timed from call to usable model: checks, bins, training, leaves put on their grid, loading.
// usage: PEER_PYTHON=python node bench/lightgbm.ts [--rows N] [--repeats N]

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectPath } from '../core/index.ts';
import { fitGbdt } from '../training/gbdt/index.ts';
import { findLightgbm } from '../training/native/index.ts';
import { report, summarise } from './harness.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '200000' },
    repeats: { type: 'string', default: '7' },
  },
});
const rows = Number(values.rows);
const repeats = Number(values.repeats);
const [featureCount, rounds, leaves, threads] = [40, 100, 31, 2];
const wanted = 0.97;

const python = process.env.PEER_PYTHON;
if (python === undefined) {
  process.stderr.write(
    'SKIPPED bench lightgbm: set PEER_PYTHON to a Python with lightgbm and numpy.\n',
  );
  process.exit(0);
}

function peer(...args: readonly string[]): Readonly<Record<string, number | string>> {
  const script = projectPath('bench', 'peers', 'lightgbm_python.py');
  return JSON.parse(execFileSync(python!, [script, ...args], { encoding: 'utf8' }));
}

function floats(path: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return new Float32Array(buffer as ArrayBuffer, byteOffset, byteLength / 4);
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
try {
  await main(folder);
} finally {
  rmSync(folder, { recursive: true });
}

async function main(data: string): Promise<void> {
  const { library: path, version } = peer('--library');
  const library = findLightgbm(String(path));
  peer('--make', data, '--rows', String(rows), '--features', String(featureCount));
  const features = floats(join(data, 'x.f32'));
  const labels = floats(join(data, 'y.f32'));
  const params = { rounds, leaves, learning_rate: 0.1, seed: 0, threads };
  const theirParams = JSON.stringify({
    objective: 'regression',
    num_leaves: leaves,
    learning_rate: 0.1,
    seed: 0,
    num_threads: threads,
    deterministic: true,
    force_col_wise: true,
    enable_bundle: false,
  });
  const ourRun = (count: number) =>
    fitGbdt(library, {
      features,
      rows,
      featureCount,
      labels,
      params: { ...params, rounds: count },
    });
  (await ourRun(3)).close();

  const ours: number[] = [];
  const theirs: number[] = [];
  let largestDifference = 0;
  for (let run = 0; run < repeats; run += 1) {
    const begin = process.hrtime.bigint();
    const model = await ourRun(rounds);
    ours.push(Number(process.hrtime.bigint() - begin) / 1e9);
    const answer = peer(
      '--data',
      data,
      '--features',
      String(featureCount),
      '--rounds',
      String(rounds),
      '--params',
      theirParams,
    );
    theirs.push(Number(answer.total_s));
    const scores = model.predict(features, rows);
    model.close();
    const bytes = readFileSync(join(data, 'p.f64'));
    scores.forEach((score, row) => {
      largestDifference = Math.max(
        largestDifference,
        Math.abs(score - bytes.readDoubleLE(8 * row)),
      );
    });
  }
  if (!(largestDifference < 1e-12))
    throw new Error(`The two models disagree by ${largestDifference}; the times mean nothing.`);

  const [our, their] = [summarise(ours), summarise(theirs)];
  const ratio = their.median_s / our.median_s;
  report('lightgbm', {
    task: { rows, features: featureCount, rounds, leaves, threads },
    library: { lightgbm: version, same_shared_library: true },
    ours: our,
    python_package: their,
    speed_ratio: ratio,
    wanted_ratio: wanted,
    reached: ratio >= wanted,
    largest_score_difference: largestDifference,
  });
  if (ratio < wanted) process.exitCode = 1;
}
