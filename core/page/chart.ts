// Charts drawn by ECharts on the server as SVG text: no script, no network, no DOM. The one file that knows ECharts.

import { createRequire } from 'node:module';
import type * as echarts from 'echarts';

/** What ECharts is asked to draw. */
export type ChartOption = echarts.EChartsOption;

/** Loaded with the first chart: that takes half a second, which a command or a worker that draws nothing is spared. */
const load = () => createRequire(import.meta.url)('echarts') as typeof echarts;

/** Colours of series, in their order. */
export const palette = [
  '#2563eb',
  '#d97706',
  '#059669',
  '#7c3aed',
  '#dc2626',
  '#64748b',
  '#0891b2',
] as const;

/** How every axis looks. */
export const axisStyle = {
  axisLine: { lineStyle: { color: '#94a3b8' } },
  splitLine: { lineStyle: { color: '#e2e8f0' } },
  axisLabel: { color: '#475569' },
  nameTextStyle: { color: '#475569' },
} as const;

/** Room around a chart, pixels. */
export const chartGrid = { left: 64, right: 24, top: 40, bottom: 40 } as const;

/** How every legend looks. */
export const chartLegend = { top: 4, textStyle: { color: '#334155' } } as const;

/**
 * Draws one chart. Animation is off and the chart is disposed, or the process would never end.
 * @param height pixels; width too
 * @returns an SVG element, its texts escaped
 */
export function drawChart(option: ChartOption, height: number, width = 960): string {
  const chart = load().init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      color: [...palette],
      textStyle: { fontFamily: 'inherit' },
      ...(drawable(option) as ChartOption),
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

/**
 * An option whose texts may be measured: ECharts remembers widths in a plain object by text, so a text that is a name
 * of every object ("__proto__") would write into the prototype of all objects. A zero-width space makes it another.
 */
function drawable(value: unknown): unknown {
  if (typeof value === 'string') return value in Object.prototype ? `${value}\u200b` : value;
  if (typeof value === 'function') return (...args: unknown[]) => drawable(value(...args));
  if (Array.isArray(value)) return value.map(drawable);
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, drawable(part)]));
}

/**
 * Names of classes and clip paths numbered anew, in order of appearance: ECharts counts them through the life of the
 * process, so that the same page would not give the same bytes twice.
 */
export function renumberChartNames(html: string): string {
  const names = new Map<string, string>();
  return html.replace(/\bzr\d+-[\w-]+/g, (name) => {
    if (!names.has(name)) names.set(name, `zr-${names.size}`);
    return names.get(name)!;
  });
}
