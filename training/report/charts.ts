// The pictures of the report.

import { dayMs, isoTime } from '../../core/index.ts';
import {
  axisStyle,
  drawChart as draw,
  chartGrid as grid,
  chartLegend as legend,
  palette,
} from '../../core/page/index.ts';
import type {
  ArmReport,
  CalibrationBin,
  FoldReport,
  NeuralReport,
  RetrainReport,
} from './types.ts';

type WindowName = 'validation' | 'forward_oos';

/** Compounded daily equity of an arm in a window, starting from 1; points are [Unix ms, equity]. */
function equityCurve(arm: ArmReport, window: WindowName): [number, number][] {
  const { first_day, returns } = arm[window].metrics.daily;
  let equity = 1;
  return returns.map((dayReturn, i) => {
    equity *= 1 + dayReturn;
    return [(first_day + i) * dayMs, equity];
  });
}

function drawdownCurve(curve: readonly [number, number][]): [number, number][] {
  let peak = 1;
  return curve.map(([ms, equity]) => {
    peak = Math.max(peak, equity);
    return [ms, equity / peak - 1];
  });
}

/** Equity (above) and drawdown (below) of all arms in one window, after cost. */
export function drawEquity(arms: readonly ArmReport[], window: WindowName): string {
  const curves = arms.map((arm) => ({ name: arm.policy, points: equityCurve(arm, window) }));
  const line = (name: string, points: [number, number][], panel: number) => ({
    name,
    type: 'line' as const,
    data: points,
    showSymbol: false,
    lineStyle: { width: 1.5 },
    xAxisIndex: panel,
    yAxisIndex: panel,
  });
  return draw(
    {
      legend,
      grid: [
        { ...grid, height: 190 },
        { ...grid, top: 270, height: 100 },
      ],
      xAxis: [0, 1].map((gridIndex) => ({ ...axisStyle, type: 'time' as const, gridIndex })),
      yAxis: [
        { ...axisStyle, type: 'value', scale: true, name: 'equity' },
        { ...axisStyle, type: 'value', gridIndex: 1, name: 'drawdown' },
      ],
      series: [
        ...curves.map(({ name, points }) => line(name, points, 0)),
        ...curves.map(({ name, points }) => line(name, drawdownCurve(points), 1)),
      ],
    },
    410,
  );
}

/** Search, validation and forward OOS as bars on one time axis, with the blocks of the walk-forward folds. */
export function drawWindows(report: RetrainReport): string {
  const rows: { label: string; from: number; to: number; color: string }[] = [
    { label: 'search', ...report.windows.search, color: palette[0]! },
    { label: 'validation', ...report.windows.validation, color: palette[2]! },
    { label: 'forward OOS', ...report.windows.forward_oos, color: palette[1]! },
    ...report.folds
      .filter((fold) => fold.scheme === 'walk_forward')
      .map((fold) => ({
        label: `walk-forward ${fold.fold + 1}`,
        from: fold.test_from,
        to: fold.test_to,
        color: palette[5]!,
      })),
  ];
  const bar = rows.map((row, i) => ({
    value: [i, row.from, row.to],
    itemStyle: { color: row.color },
  }));
  return draw(
    {
      grid: { ...grid, left: 110, top: 12 },
      xAxis: { ...axisStyle, type: 'time', min: report.data.from, max: report.data.to },
      yAxis: { ...axisStyle, type: 'category', data: rows.map((row) => row.label), inverse: true },
      series: [
        {
          type: 'custom',
          encode: { x: [1, 2], y: 0 },
          data: bar,
          renderItem: (_params, api) => {
            const begin = api.coord([api.value(1), api.value(0)]);
            const end = api.coord([api.value(2), api.value(0)]);
            const width = Math.max(1, end[0]! - begin[0]!);
            return {
              type: 'rect',
              shape: { x: begin[0]!, y: begin[1]! - 7, width, height: 14 },
              style: { fill: api.visual('color') as string },
            };
          },
        },
      ],
    },
    60 + 26 * rows.length,
  );
}

/** Mean label against mean prediction in ten bins; the dashed line is perfect calibration. */
export function drawCalibration(calibration: RetrainReport['calibration']): string {
  const points = (bins: readonly CalibrationBin[]) =>
    bins.map((bin) => [bin.predicted, bin.realised]);
  const all = [...calibration.validation, ...calibration.forward_oos];
  const low = Math.min(...all.map((bin) => bin.predicted));
  const high = Math.max(...all.map((bin) => bin.predicted));
  const scatter = (name: string, bins: readonly CalibrationBin[]) => ({
    name,
    type: 'line' as const,
    data: points(bins),
    symbolSize: 8,
  });
  return draw(
    {
      legend,
      grid,
      xAxis: {
        ...axisStyle,
        type: 'value',
        scale: true,
        name: 'predicted',
        nameLocation: 'middle',
        nameGap: 26,
      },
      yAxis: { ...axisStyle, type: 'value', scale: true, name: 'realised' },
      series: [
        scatter('validation', calibration.validation),
        scatter('forward OOS', calibration.forward_oos),
        {
          name: 'perfect',
          type: 'line',
          data: [
            [low, low],
            [high, high],
          ],
          showSymbol: false,
          lineStyle: { type: 'dashed', color: '#94a3b8' },
        },
      ],
    },
    320,
    560,
  );
}

/** The features with the largest total gain. */
export function drawImportance(importance: RetrainReport['importance']): string {
  const top = importance.slice(0, 20);
  return draw(
    {
      grid: { ...grid, left: 210, top: 12 },
      xAxis: {
        ...axisStyle,
        type: 'value',
        name: 'share of gain',
        nameLocation: 'middle',
        nameGap: 26,
      },
      yAxis: { ...axisStyle, type: 'category', data: top.map((f) => f.name), inverse: true },
      series: [{ type: 'bar', data: top.map((f) => f.gain), barWidth: 12 }],
    },
    60 + 20 * top.length,
    560,
  );
}

/**
 * Stopping loss after each epoch: one colour for each lambda, one line for each seed. Training losses hold lambda times the
 * distance to the teacher and start far above; they stand in the report's JSON.
 */
export function drawLearning({ lambda_candidates }: NeuralReport): string {
  const series = lambda_candidates.flatMap(({ lambda, seeds }, k) =>
    seeds.map(({ curve }) => ({
      name: `lambda ${lambda}`,
      type: 'line' as const,
      data: curve.map(({ epoch, stop }) => [epoch, stop]),
      symbolSize: 4,
      itemStyle: { color: palette[k % palette.length]! },
      lineStyle: { width: 1.2 },
    })),
  );
  return draw(
    {
      legend,
      grid,
      xAxis: {
        ...axisStyle,
        type: 'value',
        name: 'epoch',
        nameLocation: 'middle',
        nameGap: 26,
        minInterval: 1,
      },
      yAxis: { ...axisStyle, type: 'value', scale: true, name: 'stopping loss' },
      series,
    },
    300,
  );
}

/** Rank correlation of every fold, coloured by scheme. */
export function drawFolds(folds: readonly FoldReport[]): string {
  const schemes = [...new Set(folds.map((fold) => fold.scheme))];
  const labels = folds.map(
    (fold) => `${fold.scheme} ${fold.fold + 1} (${isoTime(fold.test_from).slice(0, 10)})`,
  );
  return draw(
    {
      legend,
      grid,
      xAxis: { ...axisStyle, type: 'category', data: labels, axisLabel: { show: false } },
      yAxis: { ...axisStyle, type: 'value', name: 'rank IC' },
      series: schemes.map((scheme) => ({
        name: scheme,
        type: 'bar' as const,
        stack: 'one',
        data: folds.map((fold) => (fold.scheme === scheme ? fold.rank_ic : null)),
      })),
    },
    260,
  );
}
