// How long until a search has five trials as good as the best five of a serial grid: the grid one point after another in
// this process, with all cores for its native threads, against a search with a process for each core. Both try the same
// four parameters of the coarse stage of configs/hpo.json, on the same real bars.

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { projectPath, silent, systemClock } from '../../core/index.ts';
import { distributionsOf, evaluate, type Task } from '../../hpo/objective/index.ts';
import { medianPruner } from '../../hpo/prune/index.ts';
import { createStopSwitch, runStudy } from '../../hpo/run/index.ts';
import { tpeSampler } from '../../hpo/sample/index.ts';
import { planSearch, readSearchConfig, taskOf } from '../../hpo/stages/index.ts';
import { openSqliteStorage } from '../../hpo/storage/index.ts';
import type { Json, ParamValue } from '../../hpo/study/index.ts';
import { openTrialMarket } from '../../training/retrain/index.ts';
import { summarise } from '../harness.ts';
import { inFolder, seconds } from './searches.ts';

const best = 5;
const wanted = 5;

/** The grid's points of each parameter; a search may take any number between the first and the last. */
const axes = {
  'gbdt.leaves': [4, 8, 16, 32],
  'gbdt.learning_rate': [0.01, 0.045, 0.2],
  'trade.sizing.gain': [0.5, 3, 20],
  'trade.sizing.entry_score': [0.002, 0.014, 0.1],
} as const;

const points = (): Record<string, ParamValue>[] =>
  Object.entries(axes).reduce<Record<string, ParamValue>[]>(
    (all, [name, values]) =>
      all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );

/**
 * Measures the grid once and the search with each seed.
 * @param data folder of the real bars
 * @param share of the grid's points that are tried: 1 = all; less only to see that the program runs
 */
export const raceGrid = (data: string, seeds: readonly number[], share: number) =>
  inFolder(async (folder) => {
    const { config, base } = readSearchConfig(projectPath('configs', 'hpo.json'));
    const { signal } = new AbortController();
    const store = join(folder, 'bars');
    const request = { config: base, dataFolder: data, store, progress: silent, signal };
    const market = await openTrialMarket(request);
    const plan = planSearch({ config, market, seed: 1, deterministic: false });
    const task = taskOf(plan, 'coarse');
    const grid = points().filter((_, i, all) => i < all.length * share);
    const serial = await serialGrid(grid, task);
    const goal = serial.values.sort((a, b) => b - a)[best - 1]!;
    const searches = [];
    for (const seed of seeds) searches.push(await searchFor(goal, task, seed, folder));
    const search = summarise(searches.map((one) => one.s));
    const ratio = serial.s / search.median_s;
    return {
      ...{ grid_points: grid.length, cores: availableParallelism(), goal_value: goal, best },
      ...{ grid_s: serial.s, search, searches, ratio, wanted, is_met: ratio >= wanted },
    };
  });

async function serialGrid(grid: readonly Record<string, ParamValue>[], task: Task) {
  const values: number[] = [];
  const begin = seconds();
  for (const [number, params] of grid.entries()) {
    const order = { studyName: 'grid', number, params, task: task as unknown as Json };
    const outcome = await evaluate({ ...order, threads: availableParallelism() });
    const isFeasible = Object.values(outcome.constraints ?? {}).every((c) => c <= 0);
    if (outcome.values !== null && isFeasible) values.push(outcome.values[0]!);
  }
  if (values.length < best)
    throw new Error(`only ${values.length} points of the grid can be judged`);
  return { s: seconds() - begin, values };
}

/** Seconds and trials until so many feasible trials are as good as the goal; its processes' start is included. */
async function searchFor(goal: number, task: Task, seed: number, folder: string) {
  const space = Object.fromEntries(
    Object.entries(axes).map(([name, values]) => {
      const kind = name === 'gbdt.leaves' ? ('int' as const) : ('float' as const);
      return [name, { kind, low: values[0], high: values.at(-1)!, log: true }];
    }),
  );
  const storage = openSqliteStorage(join(folder, `search-${seed}.db`));
  const stop = createStopSwitch();
  let [s, trials, good] = [Number.NaN, 0, 0];
  const begin = seconds();
  await runStudy({
    study: {
      ...{ storage, name: 'race', directions: ['MAXIMIZE'], clock: systemClock },
      sampler: tpeSampler({ seed, perTrial: true }),
      pruner: medianPruner({ startupTrials: 8, warmupSteps: 1 }),
    },
    space: distributionsOf(space, task.base, 'tabular_only'),
    journal: join(folder, `search-${seed}.jsonl`),
    module: projectPath('hpo', 'objective', 'evaluate.ts'),
    task: task as unknown as Json,
    trials: 400,
    workers: availableParallelism(),
    stop,
    onProgress({ trial, finished }) {
      if (trial?.state !== 'COMPLETE' || trial.values![0]! < goal || good === best) return;
      const constraints = trial.systemAttributes.get('constraints') as
        | readonly number[]
        | undefined;
      if (constraints?.some((c) => c > 0)) return;
      good += 1;
      if (good < best) return;
      [s, trials] = [seconds() - begin, finished];
      stop.press();
    },
  });
  await storage.close();
  if (good < best)
    throw new Error(`seed ${seed}: 400 trials found ${good} as good as the grid's ${best}`);
  return { seed, s, trials };
}
