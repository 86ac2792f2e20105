// Trials of a search as rows: for `hpo top`, `hpo export`, and programs.

import {
  constraintsOf,
  type FrozenTrial,
  isFeasible,
  type Json,
  type ParamValue,
  type Storage,
} from '../study/index.ts';
import { type Plan, type StageName, stageNames, studyName } from './plan.ts';
import { byValue, failReasonOf, paramsOf, ranked } from './ranking.ts';

/** A trial and its place. */
export interface TrialRow {
  readonly stage: StageName;
  readonly study: string;
  readonly trial: FrozenTrial;
}

/** All trials of a search, stage by stage, by number. */
export async function readTrialRows(storage: Storage, plan: Plan): Promise<readonly TrialRow[]> {
  const rows: TrialRow[] = [];
  for (const stage of stageNames) {
    const study = studyName(plan, stage);
    const found = await storage.findStudy(study);
    const trials = found === null ? [] : await storage.readTrials(found.id, -1, []);
    rows.push(...trials.map((trial) => ({ stage, study, trial })));
  }
  return rows;
}

/** The best trials of each stage, the last stage first, which shows those that it did not confirm too. */
export async function topTrials(
  storage: Storage,
  plan: Plan,
  count: number,
): Promise<readonly TrialRow[]> {
  const rows = await readTrialRows(storage, plan);
  return stageNames.toReversed().flatMap((stage) => {
    const trials = rows.filter((row) => row.stage === stage).map(({ trial }) => trial);
    const best = ranked(trials);
    const refused = stage === 'confirm' ? byValue(trials.filter((one) => !isFeasible(one))) : [];
    return [...best, ...refused]
      .slice(0, count)
      .map((trial) => ({ stage, study: studyName(plan, stage), trial }));
  });
}

/** A row as JSON; a value or report that JSON cannot say is null. */
export function trialJson({ stage, study, trial }: TrialRow): Readonly<Record<string, Json>> {
  return {
    stage,
    study,
    number: trial.number,
    state: trial.state,
    value: finite(trial.values?.[0]),
    feasible: isFeasible(trial),
    fail_reason: failReasonOf(trial),
    params: paramsOf(trial),
    constraints: Object.fromEntries(constraintsOf(trial)),
    reports: [...trial.reports].map(([step, value]) => [step, finite(value)]),
    user_attributes: Object.fromEntries(trial.userAttributes),
    started_at: trial.startedAt,
    completed_at: trial.completedAt,
  };
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;

/** Terms that a line of `hpo top` shows. */
const shown = ['pnl_per_year_frac', 'max_drawdown', 'turnover', 'reject_rate'] as const;

/** A table for people. */
export function topText(rows: readonly TrialRow[]): string {
  if (rows.length === 0) return 'No trial is complete yet.';
  const head = ['stage', 'trial', 'value', ...shown, 'holds'];
  const lines = rows.map(({ stage, trial }) => [
    stage,
    String(trial.number),
    trial.values![0]!.toFixed(4),
    ...shown.map((term) => Number(trial.userAttributes.get(term) ?? Number.NaN).toFixed(4)),
    isFeasible(trial) ? 'yes' : 'no',
  ]);
  const widths = head.map((name, i) =>
    Math.max(name.length, ...lines.map((line) => line[i]!.length)),
  );
  return [head, ...lines]
    .map((line) => line.map((cell, i) => cell.padStart(widths[i]!)).join('  '))
    .join('\n');
}

/** All rows as CSV, one column for each parameter and each attribute that is a number. */
export function exportCsv(rows: readonly TrialRow[]): string {
  const params = rows.map(({ trial }) => paramsOf(trial));
  const numbers = rows.map(({ trial }) =>
    Object.fromEntries(
      [...trial.userAttributes].filter(
        (entry): entry is [string, number] => typeof entry[1] === 'number',
      ),
    ),
  );
  const [paramNames, numberNames] = [namesOf(params), namesOf(numbers)];
  const head = ['stage', 'study', 'number', 'state', 'value', ...paramNames, ...numberNames];
  const lines = rows.map(({ stage, study, trial }, i) => [
    ...[stage, study, trial.number, trial.state, trial.values?.[0] ?? null],
    ...paramNames.map((name) => params[i]![name] ?? null),
    ...numberNames.map((name) => numbers[i]![name] ?? null),
  ]);
  return [head, ...lines].map((line) => line.map(csvCell).join(',')).join('\n');
}

const namesOf = (records: readonly Readonly<Record<string, unknown>>[]): readonly string[] => [
  ...new Set(records.flatMap((record) => Object.keys(record))),
];

/** RFC 4180: quoted where it must be. */
function csvCell(value: ParamValue): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
