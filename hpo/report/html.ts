// One self-contained HTML file: tables and pictures of a search, readable without network or script.

import { card, cards, escapeHtml, renderPage, section, table } from '../../core/page/index.ts';
import type { Distribution, Json } from '../study/index.ts';
import {
  chooseLines,
  drawFront,
  drawFunnel,
  drawHistory,
  drawImportance,
  drawParallel,
  drawReports,
  isComparable,
  isDrawn,
  shownParameters,
} from './charts.ts';
import {
  attributeText,
  figureText,
  flatten,
  nameText,
  spanText,
  stageName,
  timeText,
  valueText,
} from './text.ts';
import type { CandidateReport, Figure, SearchReport, StudyReport, TrialReport } from './types.ts';

/** The report as an HTML document. Every number it shows stands in the report's JSON too. */
export function renderReport(report: SearchReport): string {
  const { name, lineage_id, studies } = report;
  const kept = studies.filter(({ of_search, deleted }) => of_search && !deleted);
  const body = [
    cards(summaryCards(report)),
    section('Stages', (lineage_id === null ? '' : drawFunnel(report.stages)) + stageTable(report)),
    ...(report.candidates.length === 0
      ? []
      : [section('Candidates', candidateTable(report.candidates))]),
    ...kept.flatMap(studySections),
    section('Search space', `<div class="text">${spaceTable(kept)}</div>`),
    section('Lineage', `<div class="text">${lineageTable(report)}</div>`),
  ];
  const origin = lineage_id === null ? 'of no lineage' : `of lineage ${lineage_id}`;
  return renderPage({
    title: `Sluice: search ${name}`,
    heading: name,
    lead: `${counted(kept.length, 'study', 'studies')} ${origin}, with ${counted(report.trial_count, 'trial')} ever made in it; seen ${timeText(report.made_at)}.`,
    body: body.join('\n'),
  });
}

const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

/** The newest study with a best trial stands for the search. */
function summaryCards({
  lineage_id,
  studies,
  trial_count,
  stages,
  candidates,
}: SearchReport): string[] {
  const study = studies.findLast(({ best }) => best.length > 0);
  const failed = stages.reduce((total, stage) => total + stage.failed, 0);
  return [
    card(
      'Best',
      study === undefined ? 'no feasible trial is complete' : bestText(study),
      tone(study !== undefined),
    ),
    card('Trials ever made', figureText(trial_count), 'good'),
    card('Failed trials', figureText(failed), tone(failed === 0)),
    ...(lineage_id === null
      ? []
      : [
          card(
            'Candidates for the gate',
            figureText(candidates.length),
            tone(candidates.length > 0),
          ),
        ]),
  ];
}

const tone = (fine: boolean) => (fine ? 'good' : 'warn');

function bestText(study: StudyReport): string {
  const [first] = study.best;
  return study.directions.length > 1
    ? `${counted(study.best.length, 'trial')} in the Pareto front`
    : `${figureText(study.trials[first!]!.values![0]!)} (${nameText(study.name)}, trial ${first})`;
}

function stageTable({ stages }: SearchReport): string {
  const rows = stages.map((stage) => [
    stageName(stage.stage),
    ...[
      stage.studies,
      stage.trial_count,
      stage.complete,
      stage.pruned,
      stage.failed,
      stage.open,
      stage.went_on,
      stage.candidates,
    ].map(figureText),
  ]);
  const head = [
    'stage',
    'studies',
    'trials ever made',
    'complete',
    'pruned',
    'failed',
    'running or waiting',
    'went on',
    'candidates',
  ];
  return `${table(head, rows)}<p class="note">Trials ever made: those of deleted studies included. Went on: taken up by a trial of a later stage.</p>`;
}

function candidateTable(candidates: readonly CandidateReport[]): string {
  const figures = candidates.map((candidate) => flatten(candidate.figures));
  const names = [...new Set(figures.flatMap((one) => [...one.keys()]))];
  const rows = [
    ['study', ...candidates.map(({ study }) => study)],
    ['trial', ...candidates.map(({ number }) => String(number))],
    ...names.map((name) => [name, ...figures.map((one) => attributeText(name, one.get(name)))]),
  ];
  return table(
    ['candidate', ...candidates.map(({ candidate_id }) => nameText(candidate_id, 20))],
    rows,
  );
}

function studySections(study: StudyReport): string[] {
  const title = (what: string) =>
    `${study.stage === null ? '' : `${stageName(study.stage)}: `}${what} (${study.name})`;
  const part = (what: string, body: string) => section(title(what), body);
  return [
    part('Optimisation history', history(study)),
    ...(study.directions.length === 2 ? [part('Pareto front', front(study))] : []),
    part('Best trials', bestTable(study)),
    ...(study.states.FAIL === 0 ? [] : [part('Failed trials', failureTable(study))]),
    part('Parallel coordinates', parallel(study)),
    part('Parameter importance', importances(study)),
    part('Intermediate values', reports(study)),
  ];
}

const remark = (sentence: string): string => `<p class="note">${escapeHtml(sentence)}</p>`;

function history(study: StudyReport): string {
  const ended = study.trials.filter(({ values }) => values !== null);
  if (ended.length === 0) return remark('No trial has a value yet.');
  return study.objectives
    .map((_, at) =>
      withUndrawn(
        ended.map(({ values }) => values![at]!),
        () => drawHistory(study, at),
      ),
    )
    .join('');
}

function front(study: StudyReport): string {
  const complete = study.trials.filter(({ state }) => state === 'COMPLETE');
  if (complete.length === 0) return remark('No trial is complete.');
  return withUndrawn(
    complete.map(({ values }) => values!.find((value) => !isDrawn(value)) ?? 0),
    () => drawFront(study),
  );
}

/** A picture of values, one of each trial; what has no place in it is counted, and axes without a point are none. */
function withUndrawn(values: readonly Figure[], draw: () => string): string {
  const undrawn = values.filter((value) => !isDrawn(value)).length;
  if (undrawn === 0) return draw();
  const what = `${counted(undrawn, 'trial')} of ${figureText(values.length)} cannot be drawn: a value is infinite or beyond 1e100.`;
  return (undrawn === values.length ? '' : draw()) + remark(what);
}

/** Says how many lines a picture has left out; empty = none. */
const omission = (drawn: number, all: number, what: string): string =>
  drawn === all
    ? ''
    : remark(
        `${figureText(drawn)} of ${figureText(all)} ${what} are drawn: the best, and of the others as many as stay readable, evenly chosen. All are in the JSON.`,
      );

function parallel(study: StudyReport): string {
  const trials = study.trials.filter(isComparable);
  if (trials.length === 0 || study.parameters.length === 0) {
    return remark('No complete trial has parameters, and values that can be drawn.');
  }
  const shown = shownParameters(study).length;
  return [
    drawParallel(study),
    omission(chooseLines(study, trials).length, trials.length, 'trials'),
    shown === study.parameters.length
      ? ''
      : remark(
          `${shown} of ${study.parameters.length} parameters have an axis: the most important ones.`,
        ),
  ].join('');
}

function reports(study: StudyReport): string {
  const trials = study.trials.filter((trial) => trial.reports.length > 0);
  if (trials.length === 0) return remark('No trial reported a value on its way.');
  if (!trials.some((trial) => trial.reports.some(([, value]) => isDrawn(value)))) {
    return remark('No report can be drawn: all are NaN, infinite or beyond 1e100.');
  }
  return drawReports(study) + omission(chooseLines(study, trials).length, trials.length, 'trials');
}

function importances(study: StudyReport): string {
  if (study.importance.length === 0) {
    return remark('Cannot be told: it takes complete trials whose parameters and values differ.');
  }
  return study.importance
    .map((one) => {
      const title =
        study.objectives.length > 1
          ? `<h3>${escapeHtml(study.objectives[one.objective]!)}</h3>`
          : '';
      const note = `fANOVA over ${counted(one.trial_count, 'complete trial')} and the parameters that all of them have. What is missing to 1 is what several parameters do together.`;
      return title + drawImportance(one) + remark(note);
    })
    .join('');
}

/** Trials run across and their values, parameters and terms down, so that the table stays as wide as the page. */
function bestTable(study: StudyReport): string {
  const best = study.best.slice(0, 10).map((number) => study.trials[number]!);
  if (best.length === 0) return remark('No feasible trial is complete.');
  const terms = best.map(({ user_attributes }) => {
    // they stand among the values, each with its number
    const { constraint_names: _, ...others } = user_attributes;
    return flatten(others);
  });
  const row = (name: string, of: (trial: TrialReport, at: number) => string) => [
    name,
    ...best.map(of),
  ];
  const keys = <T>(of: (trial: TrialReport) => Readonly<Record<string, T>>) => [
    ...new Set(best.flatMap((trial) => Object.keys(of(trial)))),
  ];
  const cell = (fields: Readonly<Record<string, Json>>, key: string) =>
    valueText(Object.hasOwn(fields, key) ? fields[key] : undefined);
  const group = (name: string, rows: string[][]) =>
    rows.length === 0
      ? ''
      : `<h3>${name}</h3>${table(['', ...best.map(({ number }) => `trial ${number}`)], rows)}`;
  return [
    group('values', [
      ...study.objectives.map((name, at) => row(name, ({ values }) => figureText(values![at]))),
      ...keys((trial) => trial.constraints).map((key) =>
        row(`constraint ${key}`, ({ constraints }) => figureText(constraints[key])),
      ),
      row('seconds', ({ seconds }) => figureText(seconds)),
      row('takes up', ({ parent }) =>
        parent === null ? '–' : `${tail(parent.study)} ${parent.number}`,
      ),
      row('then', (trial) => fate(trial)),
    ]),
    group(
      'parameters',
      keys((trial) => trial.params).map((key) => row(key, ({ params }) => cell(params, key))),
    ),
    group(
      'terms of the objective and other attributes',
      [...new Set(terms.flatMap((one) => [...one.keys()]))].map((key) =>
        row(key, (_, at) => attributeText(key, terms[at]!.get(key))),
      ),
    ),
    omissionOfBest(study),
  ].join('');
}

/** Reasons by how often they were given, with the trials that have them. */
function failureTable({ trials }: StudyReport): string {
  const failed = trials.filter(({ state }) => state === 'FAIL');
  const numbers = Map.groupBy(failed, ({ failure }) => failure);
  const reasons = [...numbers].sort(([, a], [, b]) => b.length - a.length);
  const rows = reasons.slice(0, 10).map(([reason, having]) => [
    reason === null
      ? 'not said: its process was silent for too long, or another program ended it'
      : nameText(reason, 160),
    figureText(having.length),
    having
      .slice(0, 8)
      .map(({ number }) => number)
      .join(', ') + (having.length > 8 ? ', …' : ''),
  ]);
  const note = `The first 10 of ${figureText(reasons.length)} reasons; all are in the JSON.`;
  return `<div class="text">${table(['why', 'failed', 'trials'], rows)}</div>${reasons.length > 10 ? remark(note) : ''}`;
}

/** The end of a study's name, which tells the stage. */
const tail = (name: string): string => (name.length <= 16 ? name : `…${name.slice(-12)}`);

const fate = ({ candidate, went_on }: TrialReport): string =>
  candidate ? 'candidate' : went_on ? 'went on' : '–';

const omissionOfBest = ({ best, directions }: StudyReport): string =>
  directions.length > 1 && best.length > 10
    ? remark(
        `The first 10 of ${figureText(best.length)} trials in the Pareto front; all are in the JSON.`,
      )
    : '';

function lineageTable({ studies, trial_count }: SearchReport): string {
  const rows = studies.map((study) => [
    study.name,
    study.stage === null ? '–' : String(study.stage),
    study.parent ?? '–',
    figureText(study.trial_count),
    study.deleted ? 'deleted' : study.of_search ? 'of this search' : 'of another search',
    timeText(study.started_at),
    study.started_at === null || study.ended_at === null
      ? '–'
      : spanText((study.ended_at - study.started_at) / 1000),
    study.config_digest === null ? '–' : study.config_digest.slice(0, 12),
  ]);
  const head = [
    'study',
    'stage',
    'goes on from',
    'trials ever made',
    'what it is',
    'first trial',
    'to its last end',
    'config digest',
  ];
  return table(head, [...rows, ['all', '', '', figureText(trial_count), '', '', '', '']]);
}

/** Parameters run down and studies across: a later stage may search a narrower space. */
function spaceTable(studies: readonly StudyReport[]): string {
  const ranges = studies.map(
    ({ parameters }) =>
      new Map(parameters.map(({ name, distribution }) => [name, rangeText(distribution)])),
  );
  const names = [...new Set(ranges.flatMap((range) => [...range.keys()]))];
  return table(
    ['parameter', ...studies.map(({ name }) => name)],
    names.map((name) => [name, ...ranges.map((range) => range.get(name) ?? '–')]),
  );
}

function rangeText(distribution: Distribution): string {
  if (distribution.kind === 'categorical') return distribution.choices.map(String).join(', ');
  const { kind, low, high, step, log } = distribution;
  const walk = log
    ? ', log'
    : step === null || (kind === 'int' && step === 1)
      ? ''
      : `, step ${step}`;
  return `${kind} ${figureText(low)} to ${figureText(high)}${walk}`;
}
