// What every page of ours is made of: charts as SVG, tables, sections, one style.

export {
  axisStyle,
  type ChartOption,
  chartGrid,
  chartLegend,
  drawChart,
  palette,
} from './chart.ts';
export { card, cards, escapeHtml, renderPage, section, table } from './html.ts';
