// How long until a search has five trials as good as the best five of a serial grid: the grid one point after another in
// this process, with all cores for its native threads, against a search with a process for each core, whose start
// counts. Both try the same parameters of configs/hpo.json, in the coarse stage's window, on the same real bars; the
// rest is as the base config has it, and the search has that config's sampler and pruner. A grid has three points of
// each parameter, the ends of its range and their geometric mean, so each parameter triples it, which is what a search
// is for; every size is raced. Parameters come in the order in which one would tune by hand: how wild the trees are,
// when and how much to trade, then what LightGBM's guide names next.

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { projectPath, silent, systemClock } from '../../core/index.ts';
import { evaluate, type Task } from '../../hpo/objective/index.ts';
import { medianPruner } from '../../hpo/prune/index.ts';
import { createStopSwitch, runStudy } from '../../hpo/run/index.ts';
import { tpeSampler } from '../../hpo/sample/index.ts';
import { planSearch, readSearchConfig, type SearchConfig, taskOf } from '../../hpo/stages/index.ts';
import { openSqliteStorage } from '../../hpo/storage/index.ts';
import {
  type Distribution,
  floatDistribution,
  intDistribution,
  isFeasible,
  type Json,
  type ParamValue,
} from '../../hpo/study/index.ts';
import { openTrialMarket } from '../../training/retrain/index.ts';
import { summarise } from '../harness.ts';
import { inFolder, seconds } from './searches.ts';

const best = 5;
const wanted = 5;

/** All are uniform in the logarithm. */
const parameters = [
  'gbdt.leaves',
  'gbdt.learning_rate',
  'trade.sizing.entry_score',
  'trade.sizing.gain',
  'gbdt.min_data_in_leaf',
  'gbdt.rounds',
] as const;

type Params = Readonly<Record<string, ParamValue>>;

/** What all trials of a race share. */
interface Race {
  readonly task: Task;
  readonly config: SearchConfig;
  readonly space: Readonly<Record<string, Distribution>>;
  /** every point has it: an entry score below the base's exit score would be refused */
  readonly fixed: Params;
  readonly folder: string;
}

/**
 * Measures each grid once, and the search for each with each seed.
 * @param data folder of the real bars
 * @param sizes numbers of parameters, one for each race
 */
export const raceGrids = (data: string, seeds: readonly number[], sizes: readonly number[]) =>
  inFolder(async (folder) => {
    const { config, base } = readSearchConfig(projectPath('configs', 'hpo.json'));
    const { signal } = new AbortController();
    const store = join(folder, 'bars');
    const request = { config: base, dataFolder: data, store, progress: silent, signal };
    const market = await openTrialMarket(request);
    const plan = planSearch({ config, market, seed: 1, deterministic: false });
    const { entry_score: entry, exit_score: exit } = plan.base.trade.sizing;
    const fixed = { 'trade.sizing.exit_frac_of_entry': exit / entry };
    const races = [];
    for (const size of sizes) {
      const space = spaceOf(config, parameters.slice(0, size));
      const race = { task: taskOf(plan, 'coarse'), config, space, fixed, folder };
      races.push(await raceGrid(race, seeds));
    }
    return { cores: availableParallelism(), best, wanted, races };
  });

async function raceGrid(race: Race, seeds: readonly number[]) {
  const points = pointsOf(race.space);
  const grid = await serialGrid(race, points);
  const goal = grid.values.sort((a, b) => b - a)[best - 1];
  if (goal === undefined) throw new Error(`fewer than ${best} points of the grid can be judged`);
  const searches = [];
  for (const seed of seeds) searches.push(await searchFor(goal, race, seed, points.length));
  const search = summarise(searches.map(({ s }) => s));
  const ratio = grid.s / search.median_s;
  return {
    ...{ parameters: Object.keys(race.space), grid_points: points.length, grid_s: grid.s },
    ...{ goal_value: goal, search, searches, ratio, is_met: ratio >= wanted },
  };
}

const spaceOf = ({ space }: SearchConfig, names: readonly string[]): Race['space'] =>
  Object.fromEntries(
    names.map((name) => {
      const { kind, low, high, log } = space[name] as Exclude<
        SearchConfig['space'][string],
        { readonly kind: 'categorical' }
      >;
      if (log !== true) throw new Error(`${name} has no geometric mean`);
      const distribution = kind === 'int' ? intDistribution : floatDistribution;
      return [name, distribution(low, high, { log })];
    }),
  );

const pointsOf = (space: Race['space']): readonly Params[] =>
  Object.entries(space).reduce<readonly Params[]>(
    (all, [name, distribution]) =>
      all.flatMap((one) => valuesOf(distribution).map((value) => ({ ...one, [name]: value }))),
    [{}],
  );

function valuesOf(distribution: Distribution): readonly number[] {
  const { low, high, kind } = distribution as Exclude<Distribution, { kind: 'categorical' }>;
  const mean = Math.sqrt(low * high);
  return [low, kind === 'int' ? Math.round(mean) : mean, high];
}

async function serialGrid({ task, fixed }: Race, points: readonly Params[]) {
  const values: number[] = [];
  const begin = seconds();
  for (const [number, point] of points.entries()) {
    const order = { studyName: 'grid', number, task: task as unknown as Json };
    const params = { ...point, ...fixed };
    const outcome = await evaluate({ ...order, params, threads: availableParallelism() });
    if (outcome.values === null) throw new Error(`point ${number}: ${outcome.failure}`);
    const broken = Object.values(outcome.constraints ?? {}).some((value) => value > 0);
    if (!broken) values.push(outcome.values[0]!);
  }
  return { s: seconds() - begin, values };
}

/** Seconds until so many feasible trials are as good as the goal; Infinity = not with as many trials as the grid has. */
async function searchFor(goal: number, race: Race, seed: number, trials: number) {
  const { sampler, pruner } = race.config;
  if (pruner.kind !== 'median') throw new Error(`a race with the pruner ${pruner.kind}`);
  const name = `${trials}-${seed}`;
  const storage = openSqliteStorage(join(race.folder, `${name}.db`));
  const stop = createStopSwitch();
  const fixed = Object.entries(race.fixed).map(([key, value]): [string, Distribution] => [
    key,
    floatDistribution(value as number, value as number),
  ]);
  const found = { s: Number.POSITIVE_INFINITY, first_trial_s: 0, trials: 0, pruned: 0, good: 0 };
  const begin = seconds();
  await runStudy({
    study: {
      ...{ storage, name, directions: ['MAXIMIZE'], clock: systemClock },
      sampler: tpeSampler({ seed, perTrial: true, startupTrials: sampler.startup_trials }),
      pruner: medianPruner({
        startupTrials: pruner.startup_trials,
        warmupSteps: pruner.warmup_steps,
      }),
    },
    space: { ...race.space, ...Object.fromEntries(fixed) },
    journal: join(race.folder, `${name}.jsonl`),
    module: projectPath('hpo', 'objective', 'evaluate.ts'),
    task: race.task as unknown as Json,
    trials,
    workers: availableParallelism(),
    stop,
    onProgress({ trial }) {
      if (trial.state === 'FAIL') throw new Error(`seed ${seed}: trial ${trial.number} failed`);
      if (found.good === best) return;
      found.trials += 1;
      if (found.trials === 1) found.first_trial_s = seconds() - begin;
      if (trial.state === 'PRUNED') found.pruned += 1;
      if (trial.state !== 'COMPLETE' || !isFeasible(trial) || trial.values![0]! < goal) return;
      found.good += 1;
      if (found.good < best) return;
      found.s = seconds() - begin;
      stop.press();
    },
  });
  await storage.close();
  return { seed, ...found };
}
