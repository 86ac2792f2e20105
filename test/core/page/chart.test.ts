// Charts of whatever texts data holds.

import { expect } from 'chai';
import { drawChart } from '../../../core/page/index.ts';

/** A chart that measures a text many times: on an axis, in a legend, and through a formatter. */
const chartOf = (text: string) =>
  drawChart(
    {
      legend: {},
      xAxis: { type: 'category', data: [text, 'other'], axisLabel: { formatter: (v) => v } },
      yAxis: { type: 'value', name: text },
      series: [{ type: 'bar', name: text, data: [1, 2] }],
    },
    200,
  );

describe('a chart', () => {
  for (const text of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    it(`of the text ${text} leaves all objects alone and is drawn`, () => {
      const before = Object.getOwnPropertyNames(Object.prototype);
      const svg = chartOf(text);
      chartOf(text);
      expect(Object.getOwnPropertyNames(Object.prototype)).to.deep.equal(before);
      expect(Object.keys(Object)).to.deep.equal([]);
      expect(svg)
        .to.include(text)
        .and.not.match(/NaN|undefined/);
    });
  }
});
