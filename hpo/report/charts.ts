// The pictures of a search.

import {
  axisStyle,
  type ChartOption,
  chartGrid,
  chartLegend,
  drawChart,
  palette,
} from '../../core/page/index.ts';
import { evenly } from './evenly.ts';
import { nameText, stageName } from './text.ts';
import type {
  Figure,
  ImportanceReport,
  ParameterReport,
  StageReport,
  StudyReport,
  TrialReport,
} from './types.ts';

const [blue, amber, green, purple, red, slate] = palette;
const pale = '#94a3b8';
const valueAxis = {
  ...axisStyle,
  type: 'value' as const,
  scale: true,
  // at the left, wherever 0 is
  axisLine: { ...axisStyle.axisLine, onZero: false },
};
const legend = { ...chartLegend, itemWidth: 14, itemHeight: 8, itemGap: 20 };

/** Lines beyond this number would be a grey area and megabytes. */
export const linesDrawn = 400;

/** Axes of parallel coordinates that still have room for their names. */
export const axesDrawn = 12;

/** Infinities and NaN have no place on an axis, nor have numbers so large that ECharts finds no ticks for them. */
export const isDrawn = (value: Figure | undefined): value is number =>
  typeof value === 'number' && Math.abs(value) < 1e100;

/** What is drawn for a number: ECharts rounds ticks to 20 digits and finds none for what is smaller. */
const placeOf = (value: number): number => (Math.abs(value) < 1e-15 ? 0 : value);

/** What became of the trials: one bar for each count of each stage. */
export function drawFunnel(stages: readonly StageReport[]): string {
  const bars = stages.flatMap((stage) => {
    const name = stageName(stage.stage);
    return [
      { label: `${name}: trials`, value: stage.trial_count, color: blue },
      { label: 'complete', value: stage.complete, color: blue },
      stage === stages.at(-1)
        ? { label: 'candidates', value: stage.candidates, color: amber }
        : { label: 'went on', value: stage.went_on, color: green },
    ];
  });
  return drawChart(
    {
      grid: { ...chartGrid, left: 230, right: 80, top: 8, bottom: 8 },
      xAxis: { type: 'value', show: false, min: 0 },
      yAxis: {
        ...axisStyle,
        type: 'category',
        data: bars.map(({ label }) => label),
        inverse: true,
        axisTick: { show: false },
      },
      series: [
        {
          type: 'bar',
          barWidth: 16,
          barMinHeight: 1,
          label: {
            show: true,
            position: 'right',
            color: '#334155',
            formatter: ({ value }) => Number(value).toLocaleString('en'),
          },
          data: bars.map(({ value, color }) => ({ value, itemStyle: { color } })),
        },
      ],
    },
    16 + 26 * bars.length,
  );
}

/** The value of each trial and the best so far, for one objective. */
export function drawHistory(study: StudyReport, objective: number): string {
  const points = (keep: (trial: TrialReport) => boolean) =>
    study.trials.filter(keep).flatMap(({ number, values }) => {
      const value = values?.[objective];
      return isDrawn(value) ? [[number, placeOf(value)]] : [];
    });
  const improvements = study.best_so_far[objective]!.flatMap(([number, value]) =>
    isDrawn(value) ? [[number, placeOf(value)]] : [],
  );
  const last = improvements.at(-1);
  const end = study.trials.length - 1;
  const scatter = (name: string, color: string, data: number[][], symbol = 'circle') => ({
    name,
    type: 'scatter' as const,
    data,
    symbol,
    symbolSize: study.trials.length > 1000 ? 3 : 6,
    itemStyle: { color, opacity: 0.7 },
  });
  const series = [
    scatter(
      'complete',
      blue,
      points(({ state, feasible }) => state === 'COMPLETE' && feasible),
    ),
    scatter(
      'not feasible',
      red,
      points(({ state, feasible }) => state === 'COMPLETE' && !feasible),
      'triangle',
    ),
    scatter(
      'pruned',
      slate,
      points(({ state }) => state === 'PRUNED'),
      'diamond',
    ),
  ].filter(({ data }) => data.length > 0);
  return drawChart(
    {
      legend,
      grid: { ...chartGrid, left: 80 },
      xAxis: {
        ...axisStyle,
        type: 'value',
        minInterval: 1,
        max: Math.max(1, end),
        ...below('trial'),
      },
      yAxis: { ...valueAxis, name: study.objectives[objective]! },
      series: [
        ...series,
        {
          name: 'best so far',
          type: 'line',
          step: 'end',
          showSymbol: false,
          color: amber,
          data: [...improvements, ...(last === undefined ? [] : [[end, last[1]!]])],
        },
      ],
    },
    300,
  );
}

/** Two objectives against each other; the Pareto front stands out. */
export function drawFront(study: StudyReport): string {
  const front = new Set(study.best);
  const points = (inFront: boolean) =>
    study.trials
      .filter(({ state, number }) => state === 'COMPLETE' && front.has(number) === inFront)
      .flatMap(({ values }) => {
        const [x, y] = values!;
        return isDrawn(x) && isDrawn(y) ? [[placeOf(x), placeOf(y)]] : [];
      });
  const [x, y] = study.objectives;
  return drawChart(
    {
      legend,
      grid: { ...chartGrid, left: 80 },
      xAxis: { ...axisStyle, type: 'value', scale: true, ...below(x!) },
      yAxis: { ...valueAxis, name: y! },
      series: [
        { name: 'complete', type: 'scatter', symbolSize: 5, color: pale, data: points(false) },
        { name: 'Pareto front', type: 'scatter', symbolSize: 8, color: amber, data: points(true) },
      ],
    },
    320,
  );
}

const below = (name: string) => ({ name, nameLocation: 'middle' as const, nameGap: 26 });

/** The trials that are drawn as lines: the best first, then the others, evenly chosen. */
export function chooseLines(study: StudyReport, trials: readonly TrialReport[]): TrialReport[] {
  const best = new Set(study.best.slice(0, linesDrawn / 2));
  const first = trials.filter(({ number }) => best.has(number));
  const others = trials.filter(({ number }) => !best.has(number));
  return [...first, ...evenly(others, linesDrawn - first.length)];
}

/** Whether a trial has a place in parallel coordinates: it ended, and each of its values is a number. */
export const isComparable = ({ state, values }: TrialReport): boolean =>
  state === 'COMPLETE' && values!.every(isDrawn);

/** Each trial as a line through its objectives and parameters; a line leaves out what its trial has not. */
export function drawParallel(study: StudyReport): string {
  const parameters = shownParameters(study);
  const lines = chooseLines(study, study.trials.filter(isComparable));
  const best = new Set(study.best);
  const line = (trial: TrialReport) => [
    ...(trial.values as number[]).map(placeOf),
    ...parameters.map((parameter) => coordinate(parameter, trial)),
  ];
  const series = (
    name: string,
    color: string,
    width: number,
    opacity: number,
    isBest: boolean,
  ) => ({
    name,
    type: 'parallel' as const,
    silent: true,
    color,
    lineStyle: { color, width, opacity },
    data: lines.filter(({ number }) => best.has(number) === isBest).map(line),
  });
  const names = [...study.objectives, ...parameters.map(({ name }) => name)];
  const axes = [
    ...study.objectives.map(() => freeAxis),
    ...parameters.map((parameter) => axisOf(parameter, lines)),
  ];
  const room = 860 / names.length;
  return drawChart(
    {
      legend,
      parallel: { left: 60, right: 60, top: 70, bottom: 24 },
      parallelAxis: axes.map(({ labels, ...axis }, dim) => ({
        ...axis,
        dim,
        name: names[dim]!,
        // names of neighbours stand at two heights
        nameGap: dim % 2 === 0 ? 10 : 24,
        nameTruncate: { maxWidth: Math.max(60, 2 * room - 12) },
        nameTextStyle: { color: '#334155', fontSize: 11 },
        axisLine: { lineStyle: { color: pale } },
        // lines run behind the labels
        axisLabel: {
          color: '#334155',
          fontSize: 10,
          width: room - 16,
          overflow: 'truncate',
          ...(labels === undefined ? {} : { formatter: labels }),
          textBorderColor: '#fff',
          textBorderWidth: 3,
        },
      })) as NonNullable<ChartOption['parallelAxis']>,
      series: [
        series('others', pale, 1, lines.length > 100 ? 0.25 : 0.5, false),
        series(study.directions.length > 1 ? 'Pareto front' : 'best', amber, 1.6, 0.9, true),
      ],
    },
    380,
  );
}

/** The most important parameters, or the first, as many as there is room for. */
export function shownParameters({ parameters, importance, objectives }: StudyReport) {
  const rank = new Map(importance[0]?.parameters.map(({ name }, at) => [name, at]));
  const last = parameters.length;
  return [...parameters]
    .sort((a, b) => (rank.get(a.name) ?? last) - (rank.get(b.name) ?? last))
    .slice(0, Math.max(1, axesDrawn - objectives.length));
}

/** A choice by its index; NaN where a trial has no such parameter. */
function coordinate({ name, distribution }: ParameterReport, { params }: TrialReport): number {
  if (!Object.hasOwn(params, name)) return Number.NaN;
  const value = params[name]!;
  if (distribution.kind === 'categorical') return distribution.choices.indexOf(value);
  return isDrawn(value as Figure) ? placeOf(value as number) : Number.NaN;
}

/** An axis that its numbers decide. */
const freeAxis = { type: 'value' as const, scale: true, labels: undefined };

function axisOf(parameter: ParameterReport, lines: readonly TrialReport[]) {
  const { distribution } = parameter;
  if (distribution.kind === 'categorical') {
    const { choices } = distribution;
    // no axis of categories: ECharts takes a missing value there for the first of them
    return {
      type: 'value' as const,
      min: 0,
      max: Math.max(1, choices.length - 1),
      interval: 1,
      axisTick: { show: false },
      labels: (index: number) => (index in choices ? String(choices[index]) : ''),
    };
  }
  if (!distribution.log) return freeAxis;
  // a range may have moved in a study, and fixed parameters may lie outside of it
  const values = lines.map((trial) => coordinate(parameter, trial)).filter((x) => !Number.isNaN(x));
  const [min, max] = [
    Math.min(distribution.low, ...values),
    Math.max(distribution.high, ...values),
  ];
  return { ...freeAxis, type: 'log' as const, min, max };
}

/** How much each parameter matters for one objective. */
export function drawImportance({ parameters }: ImportanceReport): string {
  const top = parameters.slice(0, 20);
  return drawChart(
    {
      grid: { ...chartGrid, left: 200, top: 8, right: 60 },
      xAxis: { ...axisStyle, type: 'value', min: 0, ...below('share of the variance') },
      yAxis: {
        ...axisStyle,
        type: 'category',
        data: top.map(({ name }) => nameText(name)),
        inverse: true,
      },
      series: [
        {
          type: 'bar',
          barWidth: 12,
          label: {
            show: true,
            position: 'right',
            color: '#334155',
            formatter: ({ value }) => Number(value).toFixed(3),
          },
          data: top.map(({ share }) => share),
        },
      ],
    },
    56 + 22 * top.length,
  );
}

/** What trials reported on their way; pruned ones stop early. */
export function drawReports(study: StudyReport): string {
  const best = study.directions.length === 1 ? study.best[0] : undefined;
  const lines = chooseLines(
    study,
    study.trials.filter(({ reports }) => reports.length > 0),
  );
  const steps = new Set(lines.flatMap(({ reports }) => reports.map(([step]) => step)));
  const kindOf = (trial: TrialReport) =>
    trial.number === best
      ? 'best'
      : trial.state === 'PRUNED'
        ? 'pruned'
        : trial.state === 'COMPLETE'
          ? 'complete'
          : 'not complete';
  // the later ones lie above
  const kinds = [
    { kind: 'complete', color: blue, width: 1, opacity: 0.35 },
    { kind: 'not complete', color: purple, width: 1, opacity: 0.7 },
    { kind: 'pruned', color: slate, width: 1, opacity: 0.8 },
    { kind: 'best', color: amber, width: 2.5, opacity: 1 },
  ];
  const series = kinds.flatMap(({ kind, color, width, opacity }) =>
    lines
      .filter((trial) => kindOf(trial) === kind)
      .map(({ reports }) => ({
        name: kind,
        type: 'line' as const,
        color,
        lineStyle: { width, opacity },
        symbol: 'none',
        data: reports.map(([step, value], at) => {
          const point = [step, isDrawn(value) ? placeOf(value) : null];
          // where a pruned trial ended; and a single report would be no line
          const isMarked = at === reports.length - 1 && (kind === 'pruned' || at === 0);
          return isMarked ? { value: point, symbol: 'circle', symbolSize: 4 } : { value: point };
        }),
      })),
  );
  return drawChart(
    {
      legend: { ...legend, data: [...new Set(series.map(({ name }) => name))] },
      grid: { ...chartGrid, left: 80 },
      xAxis: {
        ...axisStyle,
        type: 'value',
        minInterval: 1,
        scale: true,
        // a single step would be an axis without length
        ...(steps.size > 1 ? { max: Math.max(...steps) } : {}),
        ...below('step'),
      },
      yAxis: { ...valueAxis, name: 'reported value' },
      series,
    },
    300,
  );
}
