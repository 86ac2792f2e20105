// Does the pipeline promote what is there and nothing else? Retrains on simulated markets, each the whole main job in a
// folder of its own: with a return that rows of features show, some policy must be promoted in at least 18 of 20 seeds;
// with one that only the order of bars shows, nn_only or a blend in at least 16 of 20; without one, any in at most 1 of 20.
// Folds, blocks of the network and its candidates are fewer than in the committed config, so that sixty runs take half an
// hour.
// usage: node bench/promotion.ts [--seeds 20] [--cases tabular,sequence,none]

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
    cases: { type: 'string', default: 'tabular,sequence,none' },
    config: { type: 'string', default: 'configs/default.json' },
  },
});

/** A kind of market and what must be promoted on it. */
interface Case {
  readonly structure: 'tabular' | 'sequence';
  readonly alpha: number;
  readonly bar: string;
  met(outcomes: readonly Outcome[]): boolean;
}

const share = (outcomes: readonly Outcome[], holds: (outcome: Outcome) => boolean): number =>
  outcomes.filter(holds).length / outcomes.length;
const cases: Readonly<Record<string, Case>> = {
  tabular: {
    structure: 'tabular',
    alpha: 1,
    bar: 'promoted in >= 18 of 20',
    met: (outcomes) => share(outcomes, ({ promoted }) => promoted !== null) >= 0.9,
  },
  sequence: {
    structure: 'sequence',
    alpha: 1,
    bar: 'nn_only or a blend promoted in >= 16 of 20',
    met: (outcomes) =>
      share(outcomes, ({ promoted }) => promoted !== null && promoted !== 'tabular_only') >= 0.8,
  },
  none: {
    structure: 'sequence',
    alpha: 0,
    bar: 'promoted in <= 1 of 20',
    met: (outcomes) => share(outcomes, ({ promoted }) => promoted !== null) <= 0.05,
  },
};

/** The committed config with the case's market, fewer folds, a smaller network and fewer candidates. @returns path */
function writeConfig(folder: string, structure: Case['structure']): string {
  const { data, folds, tsmixer, ...config } = readRetrainConfig(values.config);
  const path = join(folder, 'config.json');
  const small = {
    ...config,
    data: { ...data, simulator: { ...data.simulator, structure } },
    folds: { ...folds, purged_k: 3, cpcv_groups: 3, cpcv_test_groups: 1, walk_forward: 1 },
    tsmixer: tsmixer && { ...tsmixer, blocks: 1, teacher_lambdas: [0, 0.5], seeds: 1 },
    ensemble: { alphas: [0.5] },
  };
  writeFileAtomic(path, JSON.stringify(small));
  return path;
}

const io = { env: {}, clock: systemClock, progress: silent, signal: new AbortController().signal };

interface Outcome {
  readonly seed: number;
  readonly promoted: string | null;
  readonly gate: string;
  readonly lambda: number | null;
  readonly alpha: number | null;
  /** per policy: Sharpe of both windows, and the rules that it broke */
  readonly policies: readonly {
    readonly policy: string;
    readonly sharpe_daily: { readonly validation: number; readonly forward_oos: number };
    readonly broken: readonly string[];
  }[];
  readonly seconds: number;
}

async function outcomeOf(seed: number, { structure, alpha }: Case): Promise<Outcome> {
  const out = mkdtempSync(join(tmpdir(), 'sluice-promotion-'));
  try {
    const config = writeConfig(out, structure);
    const { json } = await retrain({ config, out, device: 'cpu', seed, alpha }, io, judgeRuns);
    const { arms, gate, ...found } = json as unknown as RetrainJson;
    const judged = arms.filter((arm) => arm.promoted !== null);
    return {
      seed,
      promoted: found.promoted_policy,
      gate: gate.status,
      lambda: found.lambda,
      alpha: found.alpha,
      policies: judged.map(({ policy, validation, forward_oos, reasons }) => ({
        policy,
        sharpe_daily: {
          validation: validation.metrics.sharpe_daily,
          forward_oos: forward_oos.metrics.sharpe_daily,
        },
        broken: reasons,
      })),
      seconds: found.seconds,
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
    readonly promoted: boolean | null;
    readonly reasons: readonly string[];
    readonly validation: ArmWindowJson;
    readonly forward_oos: ArmWindowJson;
  }[];
  readonly promoted_policy: string | null;
  readonly lambda: number | null;
  readonly alpha: number | null;
  readonly gate: { readonly status: string };
  readonly seconds: number;
}

const begin = process.hrtime.bigint();
const results = [];
for (const name of values.cases.split(',')) {
  const kind = cases[name];
  if (kind === undefined) throw new Error(`${name} is none of ${Object.keys(cases).join(', ')}`);
  const outcomes: Outcome[] = [];
  for (let seed = 1; seed <= Number(values.seeds); seed += 1) {
    const outcome = await outcomeOf(seed, kind);
    outcomes.push(outcome);
    const sharpes = outcome.policies.map(
      ({ policy, sharpe_daily: { validation, forward_oos } }) =>
        `${policy} ${validation.toFixed(1)} ${forward_oos.toFixed(1)}`,
    );
    process.stderr.write(
      `${name} seed ${seed}: ${outcome.promoted ?? 'nothing'} promoted in ${outcome.seconds.toFixed(0)} s; sharpe_daily of validation and forward OOS: ${sharpes.join(', ')}\n`,
    );
  }
  const counts: Record<string, number> = {};
  for (const { promoted } of outcomes) {
    const key = promoted ?? 'nothing';
    counts[key] = (counts[key] ?? 0) + 1;
  }
  const gatePassed = outcomes.filter(({ gate }) => gate === 'pass').length;
  const { structure, alpha, bar } = kind;
  const met = gatePassed === 0 && kind.met(outcomes);
  results.push({
    ...{ case: name, structure, alpha, bar, met },
    ...{ seeds: outcomes.length, promoted: counts, gate_passed: gatePassed, outcomes },
  });
}
report('promotion', { results, minutes: Number(process.hrtime.bigint() - begin) / 6e10 });
process.exitCode = results.every(({ met }) => met) ? 0 : 1;
