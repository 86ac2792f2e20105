// The tree-structured Parzen estimator: of candidates drawn from a density of good trials, the one that is most likely under
// it and least under the density of the others. Bergstra et al. 2011; as Optuna 5.0 does it, suggestion by suggestion.

import type { FrozenTrial, Sampler, StudySnapshot, TrialParam } from '../study/index.ts';
import { createHistory, isObserved, type SeenTrial } from './history.ts';
import type { MersenneTwister } from './mt19937.ts';
import { type ParzenEstimator, parzenEstimator, recencyWeights } from './parzen.ts';
import { randomSampler } from './random.ts';
import { relativeParamsAttributes } from './relativeParams.ts';
import { type SearchSpace, sharedSpace } from './searchSpace.ts';
import { chooseBelow } from './split.ts';
import { type Seeding, streamsOf } from './streams.ts';

/** Settings of TPE, with Optuna's names and defaults where it has them. */
export interface TpeOptions extends Seeding {
  /** finished trials before the first suggestion that is not uniform; 10 */
  readonly startupTrials?: number;
  /** candidates for each suggestion; 24 */
  readonly candidates?: number;
  /** parameters that all trials share are chosen together; by default if there is one objective */
  readonly multivariate?: boolean;
  /** running trials count as bad ones, so that workers keep apart; true */
  readonly constantLiar?: boolean;
}

/** The trials to learn from: those that ended and, with a liar, those that run elsewhere; by number. */
interface Known {
  readonly all: SeenTrial[];
  readonly ended: SeenTrial[];
  /** of those that ended */
  readonly spaces: Set<SearchSpace>;
}

/**
 * Makes a TPE sampler: suggestions equal those of `optuna.samplers.TPESampler` (5.0, numpy without its AVX sorts).
 * It reads the constraints of Optuna's system attributes (feasible <= 0), pruned trials and several objectives.
 * @throws SluiceError `out_of_range` if the seed is none
 */
export function tpeSampler(options: TpeOptions): Sampler {
  const { startupTrials = 10, candidates = 24, constantLiar = true } = options;
  const streams = streamsOf(options);
  const startup = randomSampler(options);
  const history = createHistory();
  const belowOf = rememberLast(chooseBelow);
  const isMultivariate = ({ directions }: StudySnapshot) =>
    options.multivariate ?? directions.length === 1;

  const look = (study: StudySnapshot, trial: FrozenTrial): Known => {
    const known: Known = { all: [], ended: [], spaces: new Set() };
    for (const other of study.trials) {
      const hasEnded = isObserved(other);
      const isRunningElsewhere = other.state === 'RUNNING' && other.number !== trial.number;
      if (!hasEnded && !(constantLiar && isRunningElsewhere)) continue;
      const seen = history.see(other);
      known.all.push(seen);
      if (!hasEnded) continue;
      if (seen.space !== known.ended.at(-1)?.space) known.spaces.add(seen.space);
      known.ended.push(seen);
    }
    return known;
  };
  const suggest = (
    study: StudySnapshot,
    { all, ended }: Known,
    space: SearchSpace,
    random: MersenneTwister,
  ): Float64Array => {
    const below = belowOf(ended, study.directions);
    const good = history.observe(below, space);
    const bad = history.observe(without(all, below), space);
    const weightsOfGood = study.directions.length === 1 ? recencyWeights : uniformWeights;
    return bestCandidate(
      parzenEstimator(good, weightsOfGood(good[0]!.values.length)),
      parzenEstimator(bad, recencyWeights(bad[0]!.values.length)),
      random,
      candidates,
    );
  };

  return {
    relative(study, trial) {
      const known = look(study, trial);
      const none = new Map<string, TrialParam>();
      if (!isMultivariate(study) || known.ended.length < startupTrials) return none;
      const space = sharedSpace(known.spaces);
      if (space.size === 0) return none;
      const values = suggest(study, known, space, streams(trial, null));
      const params = [...space].map(([name, distribution], i): [string, TrialParam] => [
        name,
        { value: values[i]!, distribution },
      ]);
      return new Map(params);
    },
    remember: (_study, _trial, relative) =>
      constantLiar ? relativeParamsAttributes(relative) : new Map(),
    independent(study, trial, name, distribution) {
      const known = look(study, trial);
      if (known.ended.length < startupTrials) {
        return startup.independent(study, trial, name, distribution);
      }
      const space = new Map([[name, distribution]]);
      return suggest(study, known, space, streams(trial, name))[0]!;
    },
  };
}

const uniformWeights = (n: number): Float64Array => new Float64Array(n).fill(1);

/** Draws candidates from the density of good trials and returns the one that speaks most for it: a value for each parameter. */
function bestCandidate(
  good: ParzenEstimator,
  bad: ParzenEstimator,
  random: MersenneTwister,
  count: number,
): Float64Array {
  const points = good.sample(random, count);
  const [ofGood, ofBad] = [good.logDensity(points), bad.logDensity(points)];
  let best = 0;
  for (let i = 1; i < count; i += 1) {
    if (ofGood[i]! - ofBad[i]! > ofGood[best]! - ofBad[best]!) best = i;
  }
  return Float64Array.from(points, (values) => values[best]!);
}

/** The choice of the last call, if it was asked the same: parameters chosen one by one share it. */
function rememberLast(choose: typeof chooseBelow): typeof chooseBelow {
  let [lastTrials, lastDirections]: Parameters<typeof chooseBelow> = [[], []];
  let chosen: ReturnType<typeof chooseBelow> = [];
  return (trials, directions) => {
    if (!areSame(trials, lastTrials) || !areSame(directions, lastDirections)) {
      chosen = choose(trials, directions);
      [lastTrials, lastDirections] = [trials, directions];
    }
    return chosen;
  };
}

const areSame = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i]);

/** The trials that are not below; both by number. */
function without(trials: readonly SeenTrial[], below: readonly SeenTrial[]): SeenTrial[] {
  const rest: SeenTrial[] = [];
  let passed = 0;
  for (const seen of trials) {
    if (seen === below[passed]) passed += 1;
    else rest.push(seen);
  }
  return rest;
}
