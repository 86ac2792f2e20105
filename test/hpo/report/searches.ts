// Searches to report on, made up: their numbers follow from a seed.

import { createRandom } from '../../../core/index.ts';
import type { Search, StudyRecord } from '../../../hpo/report/index.ts';
import {
  categoricalDistribution,
  type Direction,
  type FrozenTrial,
  floatDistribution,
  intDistribution,
  type Json,
  type LineageStudy,
  type TrialParam,
  type TrialState,
} from '../../../hpo/study/index.ts';

/** A complete trial without parameters; its fields to be replaced. */
export const trialOf = (number: number, fields: Partial<FrozenTrial> = {}): FrozenTrial => ({
  id: number + 1,
  number,
  state: 'COMPLETE',
  values: [number],
  params: new Map(),
  reports: new Map(),
  userAttributes: new Map(),
  systemAttributes: new Map(),
  startedAt: 1_800_000_000_000 + 1000 * number,
  completedAt: 1_800_000_000_500 + 1000 * number,
  ...fields,
});

/** A study of trials, of a stage or of no lineage. */
export function recordOf(
  name: string,
  directions: readonly Direction[],
  trials: readonly FrozenTrial[],
  { lineage = null, parents = new Map(), metricNames = null }: Partial<StudyRecord> = {},
): StudyRecord {
  return { lineage, snapshot: { name, directions, trials }, metricNames, parents };
}

/** A study alone. */
export const alone = (record: StudyRecord): Search => ({
  name: record.snapshot!.name,
  lineageId: null,
  studies: [record],
});

export const lineageOf = (fields: Partial<LineageStudy>): LineageStudy => ({
  studyName: 's',
  lineageId: 'a1b2c3',
  configDigest: 'd'.repeat(64),
  stage: 1,
  parent: null,
  deleted: false,
  trialCount: 0,
  ...fields,
});

const learningRate = floatDistribution(1e-4, 0.3, { log: true });
const leaves = intDistribution(4, 256, { log: true });
const fraction = floatDistribution(0.2, 1);
const boosting = categoricalDistribution(['gbdt', 'goss', 'dart', null, true]);
const dropRate = floatDistribution(0, 0.5, { step: 0.05 });

/**
 * Trials of a tuning of trees as they might be: one in four is pruned, one in thirty fails, the last runs; `drop_rate` is
 * there with one choice of `boosting` only.
 */
export function treeTrials(count: number, seed: number, objectives = 1): FrozenTrial[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, number) => {
    const params = new Map<string, TrialParam>([
      ['learning_rate', { value: 1e-4 * 3000 ** random.uniform(), distribution: learningRate }],
      ['num_leaves', { value: Math.round(4 * 64 ** random.uniform()), distribution: leaves }],
      ['feature_fraction', { value: 0.2 + 0.8 * random.uniform(), distribution: fraction }],
      ['boosting', { value: Math.floor(5 * random.uniform()), distribution: boosting }],
    ]);
    if (params.get('boosting')!.value === 2) {
      params.set('drop_rate', {
        value: 0.05 * Math.floor(10 * random.uniform()),
        distribution: dropRate,
      });
    }
    const rate = params.get('learning_rate')!.value;
    const drawdown = 0.05 + 0.1 * random.uniform();
    const pnl = 0.05 - 0.01 * Math.log10(rate / 0.02) ** 2 - 0.02 * random.uniform();
    const turnover = 0.5 + random.uniform();
    const score = pnl - 0.2 * drawdown - 0.01 * turnover;
    const state: TrialState =
      number === count - 1 && count > 1
        ? 'RUNNING'
        : number % 30 === 29
          ? 'FAIL'
          : number % 4 === 3
            ? 'PRUNED'
            : 'COMPLETE';
    const steps =
      state === 'PRUNED' ? 1 + Math.floor(5 * random.uniform()) : state === 'FAIL' ? 0 : 10;
    const reports = new Map(
      Array.from({ length: steps }, (_, i): [number, number] => [
        i,
        score - 0.05 * 0.6 ** i + 0.002 * random.uniform(),
      ]),
    );
    const terms: Json = { pnl_after_cost: pnl, max_drawdown: drawdown, reject_rate: 0, turnover };
    const values = objectives === 1 ? [score] : [pnl, drawdown];
    return trialOf(number, {
      state,
      params,
      reports,
      values:
        state === 'COMPLETE'
          ? values
          : state === 'PRUNED' && objectives === 1
            ? [reports.get(steps - 1)!]
            : null,
      userAttributes: new Map<string, Json>(
        state === 'COMPLETE'
          ? [
              ['terms', terms],
              ['rounds', 40 + (number % 60)],
            ]
          : [],
      ),
      systemAttributes: new Map<string, Json>(
        state === 'FAIL' ? [['fail_reason', 'worker died']] : [['constraints', [drawdown - 0.13]]],
      ),
      completedAt: state === 'RUNNING' ? null : 1_800_000_000_500 + 1000 * number,
    });
  });
}

/** Three stages, and one deleted study whose 40 trials still count. */
export function threeStages(): Search {
  const stage = (
    name: string,
    number: number,
    parent: string | null,
    trials: readonly FrozenTrial[],
  ) =>
    recordOf(name, ['MAXIMIZE'], trials, {
      lineage: lineageOf({ studyName: name, stage: number, parent, trialCount: trials.length }),
      parents: new Map(
        parent === null
          ? []
          : trials.map(({ number: n }) => [n, { studyName: parent, number: 2 * n }]),
      ),
    });
  return {
    name: 'liquid-coarse',
    lineageId: 'a1b2c3',
    studies: [
      {
        lineage: lineageOf({ studyName: 'liquid-first-try', deleted: true, trialCount: 40 }),
        snapshot: null,
        metricNames: null,
        parents: new Map(),
      },
      stage('liquid-coarse', 1, null, treeTrials(150, 1)),
      stage('liquid-refine', 2, 'liquid-coarse', treeTrials(21, 2)),
      stage('liquid-forward', 3, 'liquid-refine', treeTrials(5, 3)),
    ],
  };
}
