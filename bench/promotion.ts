// Does the pipeline promote what is there and nothing else? Retrains on simulated markets: with a planted return the
// model arm must be promoted in at least 18 of 20 seeds, without one in at most 1 of 20. Every retrain is the whole
// main job, in a folder of its own; CPCV and walk-forward, which are reported but decide nothing, have fewer folds.
// usage: node bench/promotion.ts [--seeds 20] [--alphas 1,0]

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { silent, systemClock, writeFileAtomic } from '../core/index.ts';
import { judgeRuns } from '../serving/gate.ts';
import { retrain } from '../training/main.ts';
import { readRetrainConfig } from '../training/retrain/index.ts';
import { report } from './harness.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    alphas: { type: 'string', default: '1,0' },
    config: { type: 'string', default: 'configs/default.json' },
  },
});
/** The config with fewer of the folds that no rule reads. @returns path of the file */
function writeConfig(folder: string): string {
  const config = readRetrainConfig(values.config);
  const folds = { ...config.folds, cpcv_groups: 3, cpcv_test_groups: 1, walk_forward: 1 };
  const path = join(folder, 'config.json');
  writeFileAtomic(path, JSON.stringify({ ...config, folds }));
  return path;
}

const io = { env: {}, clock: systemClock, progress: silent, signal: new AbortController().signal };

interface Outcome {
  readonly seed: number;
  readonly promoted: boolean;
  readonly gate: string;
  readonly sharpe_daily: { readonly validation: number; readonly forward_oos: number };
  readonly broken: readonly string[];
}

async function outcomeOf(seed: number, alpha: number): Promise<Outcome> {
  const out = mkdtempSync(join(tmpdir(), 'sluice-promotion-'));
  try {
    const options = { config: writeConfig(out), out, device: 'cpu', seed, alpha } as const;
    const { json } = await retrain(options, io, judgeRuns);
    const { arms, gate } = json as unknown as RetrainJson;
    const arm = arms.find(({ policy }) => policy === 'tabular_only')!;
    return {
      seed,
      promoted: arm.promoted,
      gate: gate.status,
      sharpe_daily: {
        validation: arm.validation.metrics.sharpe_daily,
        forward_oos: arm.forward_oos.metrics.sharpe_daily,
      },
      broken: arm.reasons,
    };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

interface ArmWindowJson {
  readonly metrics: { readonly sharpe_daily: number };
}
interface RetrainJson {
  readonly arms: readonly {
    readonly policy: string;
    readonly promoted: boolean;
    readonly reasons: readonly string[];
    readonly validation: ArmWindowJson;
    readonly forward_oos: ArmWindowJson;
  }[];
  readonly gate: { readonly status: string };
}

const begin = process.hrtime.bigint();
const results = [];
for (const alpha of values.alphas.split(',').map(Number)) {
  const outcomes: Outcome[] = [];
  for (let seed = 1; seed <= Number(values.seeds); seed += 1) {
    const outcome = await outcomeOf(seed, alpha);
    outcomes.push(outcome);
    process.stderr.write(
      `alpha ${alpha} seed ${seed}: ${outcome.promoted ? 'promoted' : outcome.broken.join('; ')}\n`,
    );
  }
  const promoted = outcomes.filter((outcome) => outcome.promoted).length;
  const gatePassed = outcomes.filter(({ gate }) => gate === 'pass').length;
  results.push({ alpha, seeds: outcomes.length, promoted, gate_passed: gatePassed, outcomes });
}
const wanted = results.map(({ alpha, seeds, promoted, gate_passed }) => ({
  alpha,
  bar:
    alpha > 0
      ? `promoted in >= ${Math.ceil(0.9 * seeds)}`
      : `promoted in <= ${Math.floor(0.05 * seeds)}`,
  met:
    gate_passed === 0 &&
    (alpha > 0 ? promoted >= Math.ceil(0.9 * seeds) : promoted <= Math.floor(0.05 * seeds)),
}));
report('promotion', {
  wanted,
  results,
  minutes: Number(process.hrtime.bigint() - begin) / 6e10,
});
process.exitCode = wanted.every(({ met }) => met) ? 0 : 1;
