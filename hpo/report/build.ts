// From a search to the document that its report shows. Pure.

import { parameterImportance } from '../importance/index.ts';
import {
  constraintsOf,
  type Direction,
  type FrozenTrial,
  isFeasible,
  type Json,
  type ParamValue,
  paretoFront,
  type StudySnapshot,
  type TrialState,
  toExternal,
} from '../study/index.ts';
import { evenly } from './evenly.ts';
import type { Search, StudyRecord } from './search.ts';
import type {
  CandidateReport,
  Figure,
  ImportanceReport,
  ParameterReport,
  SearchReport,
  StageReport,
  StudyReport,
  TrialName,
  TrialReport,
} from './types.ts';

/** What a report is made from beside the search itself. */
export interface ReportFacts {
  /** Unix ms */
  readonly madeAt: number;
  readonly candidates?: readonly CandidateReport[] | undefined;
}

/** What fANOVA looks at: its time grows with the square of the trials, and a thousand say as much as all. */
const importanceTrials = 1000;

/** The document of a search. */
export function buildReport(
  search: Search,
  { madeAt, candidates = [] }: ReportFacts,
): SearchReport {
  const own = search.studies.filter((record) => isOfSearch(record, search));
  const names = new Set(own.map(nameOf));
  const winners = candidates.filter(({ study }) => names.has(study));
  const taken = new Set(
    own.flatMap(({ parents }) =>
      [...parents.values()].map(({ studyName, number }) => keyOf({ study: studyName, number })),
    ),
  );
  const chosen = new Set(winners.map(keyOf));
  const studies = search.studies.map((record) =>
    own.includes(record) ? studyReport(record, taken, chosen) : countOnly(record),
  );
  return {
    report_version: 'hpo_report_v1',
    made_at: madeAt,
    name: search.name,
    lineage_id: search.lineageId,
    trial_count: sum(studies, (study) => study.trial_count),
    stages: stageReports(studies.filter(({ of_search }) => of_search)),
    studies,
    candidates: winners,
  };
}

const nameOf = ({ snapshot, lineage }: StudyRecord): string =>
  snapshot?.name ?? lineage?.studyName ?? '';

/** A lineage may hold several searches of one market; the studies of one share a config. */
function isOfSearch({ lineage }: StudyRecord, { name, studies }: Search): boolean {
  const asked = studies.find((record) => nameOf(record) === name);
  return lineage === null || lineage.configDigest === asked?.lineage?.configDigest;
}

/** A study of another search. */
function countOnly(record: StudyRecord): StudyReport {
  const { lineage, snapshot } = record;
  const emptied = { ...record, snapshot: snapshot && { ...snapshot, trials: [] } };
  const { trial_count, ...rest } = studyReport(emptied, new Set(), new Set());
  return { ...rest, of_search: false, trial_count: lineage?.trialCount ?? trial_count };
}

const keyOf = ({ study, number }: TrialName): string => `${number} ${study}`;

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

function studyReport(
  record: StudyRecord,
  taken: ReadonlySet<string>,
  chosen: ReadonlySet<string>,
): StudyReport {
  const { lineage, snapshot, metricNames, parents } = record;
  const name = nameOf(record);
  const study = snapshot ?? { name, directions: [], trials: [] };
  const { directions } = study;
  const trials = study.trials.map((trial): TrialReport => {
    const parent = parents.get(trial.number);
    const key = keyOf({ study: name, number: trial.number });
    return {
      ...trialFacts(trial),
      parent: parent === undefined ? null : { study: parent.studyName, number: parent.number },
      went_on: taken.has(key),
      candidate: chosen.has(key),
    };
  });
  return {
    name,
    stage: lineage?.stage ?? null,
    parent: lineage?.parent ?? null,
    config_digest: lineage?.configDigest ?? null,
    of_search: true,
    deleted: snapshot === null,
    trial_count: lineage?.trialCount ?? trials.length,
    directions,
    objectives: directions.map(
      (_, at) => metricNames?.[at] ?? (directions.length === 1 ? 'value' : `value ${at}`),
    ),
    states: countStates(study.trials),
    parameters: parametersOf(study.trials),
    best: bestOf(study).map(({ number }) => number),
    best_so_far: directions.map((direction, at) => bestSoFar(study.trials, direction, at)),
    importance: directions.flatMap((_, at) => importanceOf(study.trials, at)),
    started_at: extreme(study.trials, (trial) => trial.startedAt, Math.min),
    ended_at: extreme(study.trials, (trial) => trial.completedAt, Math.max),
    trials,
  };
}

function trialFacts(trial: FrozenTrial): Omit<TrialReport, 'parent' | 'went_on' | 'candidate'> {
  const { startedAt, completedAt } = trial;
  return {
    number: trial.number,
    state: trial.state,
    values: trial.values?.map(figure) ?? null,
    params: Object.fromEntries(
      [...trial.params].map(([name, { distribution, value }]): [string, ParamValue] => [
        name,
        toExternal(distribution, value),
      ]),
    ),
    reports: [...trial.reports]
      .sort(([a], [b]) => a - b)
      .map(([step, value]) => [step, figure(value)]),
    constraints: Object.fromEntries(
      [...constraintsOf(trial)].map(([name, value]) => [name, figure(value)]),
    ),
    feasible: isFeasible(trial),
    user_attributes: Object.fromEntries<Json>(trial.userAttributes),
    failure: failureOf(trial),
    seconds: startedAt === null || completedAt === null ? null : (completedAt - startedAt) / 1000,
  };
}

/** Where Optuna keeps it too. */
function failureOf({ state, systemAttributes }: FrozenTrial): string | null {
  const reason = systemAttributes.get('fail_reason');
  return state === 'FAIL' && typeof reason === 'string' ? reason : null;
}

function figure(value: number): Figure {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

function countStates(trials: readonly FrozenTrial[]): Record<TrialState, number> {
  const counts = { RUNNING: 0, COMPLETE: 0, PRUNED: 0, FAIL: 0, WAITING: 0 };
  for (const { state } of trials) counts[state] += 1;
  return counts;
}

/** In the order in which trials first had them. */
function parametersOf(trials: readonly FrozenTrial[]): ParameterReport[] {
  const found = new Map<string, ParameterReport>();
  for (const { params } of trials) {
    for (const [name, { distribution }] of params) found.set(name, { name, distribution });
  }
  return [...found.values()];
}

const isBetter = (direction: Direction, a: number, b: number): boolean =>
  direction === 'MINIMIZE' ? a < b : a > b;

const counts = (trial: FrozenTrial): boolean => trial.state === 'COMPLETE' && isFeasible(trial);

/** Of one direction the best ten, the earlier of equals first; of several the Pareto front. */
function bestOf(study: StudySnapshot): readonly FrozenTrial[] {
  const [direction, ...others] = study.directions;
  if (direction === undefined) return [];
  if (others.length > 0) return paretoFront(study);
  const sign = direction === 'MINIMIZE' ? 1 : -1;
  // equal infinities have no difference
  const compare = (a: number, b: number): number => (a === b ? 0 : sign * (a - b));
  return study.trials
    .filter(counts)
    .sort((a, b) => compare(a.values![0]!, b.values![0]!) || a.number - b.number)
    .slice(0, 10);
}

function bestSoFar(
  trials: readonly FrozenTrial[],
  direction: Direction,
  at: number,
): [number, Figure][] {
  const steps: [number, Figure][] = [];
  let best: number | undefined;
  for (const trial of trials.filter(counts)) {
    const value = trial.values![at]!;
    if (best !== undefined && !isBetter(direction, value, best)) continue;
    best = value;
    steps.push([trial.number, figure(value)]);
  }
  return steps;
}

/** None where nothing can be told. */
function importanceOf(trials: readonly FrozenTrial[], objective: number): ImportanceReport[] {
  const complete = trials.filter(({ state }) => state === 'COMPLETE');
  const found = parameterImportance(evenly(complete, importanceTrials), { objective });
  if (found === null) return [];
  const parameters = found.shares.map(({ parameters: [name], share }) => ({ name: name!, share }));
  return [{ objective, trial_count: found.trialCount, parameters }];
}

function extreme(
  trials: readonly FrozenTrial[],
  of: (trial: FrozenTrial) => number | null,
  pick: (a: number, b: number) => number,
): number | null {
  return trials.reduce<number | null>((found, trial) => {
    const value = of(trial);
    return value === null || found === null ? (found ?? value) : pick(found, value);
  }, null);
}

/** The funnel, first stage first. */
function stageReports(studies: readonly StudyReport[]): StageReport[] {
  const stages = [...new Set(studies.map(({ stage }) => stage))];
  return stages
    .sort((a, b) => (a ?? 0) - (b ?? 0))
    .map((stage) => {
      const own = studies.filter((study) => study.stage === stage);
      const trials = own.flatMap((study) => study.trials);
      return {
        stage,
        studies: own.length,
        trial_count: sum(own, (study) => study.trial_count),
        complete: sum(own, ({ states }) => states.COMPLETE),
        pruned: sum(own, ({ states }) => states.PRUNED),
        failed: sum(own, ({ states }) => states.FAIL),
        open: sum(own, ({ states }) => states.RUNNING + states.WAITING),
        went_on: trials.filter((trial) => trial.went_on).length,
        candidates: trials.filter((trial) => trial.candidate).length,
      };
    });
}
