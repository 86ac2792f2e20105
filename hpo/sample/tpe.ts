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

  /** The trials to learn from: those that ended and, with a liar, those that run elsewhere. */
  const look = (study: StudySnapshot, trial: FrozenTrial) => {
    const isRunningElsewhere = (other: FrozenTrial) =>
      constantLiar && other.state === 'RUNNING' && other.number !== trial.number;
    const all = history.see(
      study.trials.filter((other) => isObserved(other) || isRunningElsewhere(other)),
    );
    return { all, ended: all.filter((seen) => isObserved(seen.trial)) };
  };
  const suggest = (
    study: StudySnapshot,
    { all, ended }: ReturnType<typeof look>,
    space: SearchSpace,
    random: MersenneTwister,
  ): Float64Array => {
    const below = belowOf(ended, study.directions);
    const parts: Record<'good' | 'bad', SeenTrial[]> = { good: [], bad: [] };
    for (const seen of all) parts[below.has(seen) ? 'good' : 'bad'].push(seen);
    const good = history.observe(parts.good, space);
    const bad = history.observe(parts.bad, space);
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
      const space = sharedSpace(new Set(known.ended.map((seen) => seen.space)));
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

/** The choice of the last call, if the trials are the same: parameters chosen one by one share it. */
function rememberLast(choose: typeof chooseBelow): typeof chooseBelow {
  let last: Parameters<typeof chooseBelow>[0] = [];
  let chosen: ReturnType<typeof chooseBelow> = new Set();
  return (trials, directions) => {
    const isSame = trials.length === last.length && trials.every((trial, i) => trial === last[i]);
    if (!isSame) {
      chosen = choose(trials, directions);
      last = trials;
    }
    return chosen;
  };
}
