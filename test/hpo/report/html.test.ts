import { expect } from 'chai';
import fc from 'fast-check';
import { buildReport, renderReport, type Search } from '../../../hpo/report/index.ts';
import {
  categoricalDistribution,
  type FrozenTrial,
  floatDistribution,
  intDistribution,
} from '../../../hpo/study/index.ts';
import { alone, recordOf, threeStages, treeTrials, trialOf } from './searches.ts';

const facts = { madeAt: 1_800_100_000_000 };
const htmlOf = (search: Search): string => renderReport(buildReport(search, facts));
const pictures = (html: string): string[] => html.match(/<svg.*?<\/svg>/gs) ?? [];

/** Fails on what a chart draws where a number was none. */
const expectSoundPictures = (html: string): void => {
  for (const picture of pictures(html)) expect(picture).to.not.match(/NaN|undefined|Infinity/);
};

describe('hpo/report: the HTML of a search', () => {
  const search = threeStages();
  const report = buildReport(search, {
    ...facts,
    candidates: [
      {
        study: 'liquid-forward',
        number: 1,
        candidate_id: 'c1',
        figures: { dsr: { dsr_2014_v1: 0.93125 } },
      },
    ],
  });
  const html = renderReport(report);

  it('is a function of its document alone', () => {
    expect(renderReport(JSON.parse(JSON.stringify(report)))).to.equal(html);
  });

  it('loads nothing and runs nothing', () => {
    expect(html).to.not.match(/<script|<link|<iframe|@import|url\((?!['"]?#)/i);
    expect(html.match(/\s(src|href)\s*=\s*["'](?!#)/gi)).to.equal(null);
  });

  it('draws the funnel, and for each study history, coordinates, importance and intermediate values', () => {
    // too few of the last stage are complete to differ much, but they do
    expect(pictures(html)).to.have.length(1 + 3 * 4);
    for (const text of [
      'stage 1, coarse: trials',
      'went on',
      'best so far',
      'pruned',
      'learning_rate',
    ]) {
      expect(html).to.contain(`>${text}<`);
    }
    expectSoundPictures(html);
  });

  it('shows every term of the objective of the best trials', () => {
    const [first] = report.studies[1]!.best;
    const terms = report.studies[1]!.trials[first!]!.user_attributes.terms as Record<
      string,
      number
    >;
    for (const [name, value] of Object.entries(terms)) {
      const row = new RegExp(`<td>terms\\.${name}</td><td>${Number(value.toPrecision(5))}</td>`);
      expect(html).to.match(row);
    }
  });

  it('shows where trials of a later stage come from, what became candidates, and what was deleted', () => {
    expect(html).to.contain('<td>dsr.dsr_2014_v1</td><td>0.93125</td>');
    expect(html).to.contain('<td>liquid-coarse 4</td>');
    expect(html).to.contain('<td>candidate</td>');
    expect(html).to.contain('<td>deleted</td>').and.to.contain('<td>216</td>');
  });

  it('lets nothing of the data become markup', () => {
    const evil = '</td></svg><img src=x onerror="alert(1)">';
    const params = new Map([
      [`p ${evil}`, { value: 1, distribution: categoricalDistribution(['a', evil]) }],
      ['x', { value: 0.5, distribution: floatDistribution(0, 1) }],
    ]);
    const trials = Array.from({ length: 6 }, (_, at) =>
      trialOf(at, {
        values: [at % 4],
        params: new Map([
          ...params,
          ['x', { value: at / 10, distribution: floatDistribution(0, 1) }],
        ]),
        reports: new Map([[1, at]]),
        userAttributes: new Map([[`u ${evil}`, evil]]),
        systemAttributes: new Map([[`constraints:${evil}`, 0]]),
      }),
    );
    const record = recordOf(`s ${evil}`, ['MINIMIZE'], trials, { metricNames: [`m ${evil}`] });
    const candidate = { study: evil, number: 0, candidate_id: evil, figures: { [evil]: evil } };
    const page = renderReport(
      buildReport({ ...alone(record), lineageId: evil }, { ...facts, candidates: [candidate] }),
    );
    expect(page).to.not.contain('<img').and.to.not.contain('</td></svg>');
    expect(page).to.contain('&lt;/td&gt;&lt;/svg&gt;&lt;img');
    expect(pictures(page).length).to.be.greaterThan(3);
  });

  it('says in words what a search without trials has not', () => {
    const empty = htmlOf(alone(recordOf('empty', ['MINIMIZE'], [])));
    expect(pictures(empty)).to.have.length(0);
    for (const sentence of [
      'no feasible trial is complete',
      'No trial has a value yet',
      'No trial reported',
    ]) {
      expect(empty).to.contain(sentence);
    }
  });

  it('draws a single trial', () => {
    const one = htmlOf(alone(recordOf('one', ['MINIMIZE'], treeTrials(1, 1))));
    // history, parallel coordinates, intermediate values
    expect(pictures(one)).to.have.length(3);
    expect(one).to.contain('Cannot be told');
    expectSoundPictures(one);
  });

  it('says why trials failed, the commonest reason first, where nothing else is to be shown', () => {
    const failed = (number: number, reason: string | null) =>
      trialOf(number, {
        state: 'FAIL',
        values: null,
        systemAttributes: new Map(reason === null ? [] : [['fail_reason', reason]]),
      });
    const reasons = [null, 'no <gradient>', 'no <gradient>', ...Array(9).fill('no memory')];
    const page = htmlOf(
      alone(
        recordOf(
          's',
          ['MINIMIZE'],
          reasons.map((r, at) => failed(at, r)),
        ),
      ),
    );
    const [, section] = page.split('Failed trials (s)');
    const [first, second, third] = section!.matchAll(
      /<tr><td>([^<]+)<\/td><td>(\d+)<\/td><td>([^<]+)<\/td><\/tr>/g,
    );
    expect(first!.slice(1)).to.deep.equal(['no memory', '9', '3, 4, 5, 6, 7, 8, 9, 10, …']);
    expect(second!.slice(1)).to.deep.equal(['no &lt;gradient&gt;', '2', '1, 2']);
    expect(third!.slice(2)).to.deep.equal(['1', '0']);
    expect(pictures(page)).to.have.length(0);
    expect(htmlOf(alone(recordOf('s', ['MINIMIZE'], [trialOf(0)])))).to.not.contain(
      'Failed trials (',
    );
  });

  it('draws no axes without a point, and counts what has no place in a picture', () => {
    const x = floatDistribution(0, 1);
    const infinite = (count: number) =>
      Array.from({ length: 3 }, (_, at) =>
        trialOf(at, {
          values: [at < count ? Number.POSITIVE_INFINITY : at],
          params: new Map([['x', { value: at / 4, distribution: x }]]),
          reports: new Map([[1, Number.NaN]]),
        }),
      );
    const page = (count: number) => htmlOf(alone(recordOf('s', ['MINIMIZE'], infinite(count))));
    expect(pictures(page(3))).to.have.length(0);
    expect(page(3))
      .to.contain('3 trials of 3 cannot be drawn')
      .and.to.contain('No report can be drawn');
    expect(page(3)).to.contain('<td>value</td><td>∞</td>');
    // history, parallel coordinates
    expect(pictures(page(1)).length).to.be.within(2, 3);
    expect(page(1)).to.contain('1 trial of 3 cannot be drawn');
    expect(page(0)).to.not.contain('cannot be drawn');
    const front = (values: readonly number[]) =>
      htmlOf(alone(recordOf('s', ['MINIMIZE', 'MINIMIZE'], [trialOf(0, { values })])));
    expect(pictures(front([1, 2]))).to.have.length(3);
    // the history of the second value
    expect(pictures(front([Number.POSITIVE_INFINITY, 2]))).to.have.length(1);
  });

  it('draws a space of choices only, one of them without a choice', () => {
    const [choice, single] = [
      categoricalDistribution(['a', null, true]),
      categoricalDistribution(['b']),
    ];
    const trials = Array.from({ length: 9 }, (_, at) =>
      trialOf(at, {
        values: [at % 4],
        params: new Map([
          ['choice', { value: at % 3, distribution: choice }],
          ['single', { value: 0, distribution: single }],
        ]),
      }),
    );
    const page = htmlOf(alone(recordOf('s', ['MAXIMIZE'], trials)));
    expect(pictures(page)).to.have.length(3);
    expectSoundPictures(page);
    expect(page).to.contain('<td>a, null, true</td>');
  });

  it('stays a page of a few megabytes with 5,000 trials, and says what it left out', () => {
    const many = htmlOf(alone(recordOf('many', ['MAXIMIZE'], treeTrials(5000, 1))));
    expect(many.length).to.be.lessThan(4e6);
    expect(many)
      .to.contain('400 of 3,667 trials are drawn')
      .and.to.contain('1,000 complete trials');
    expectSoundPictures(many);
  }).timeout(20_000);

  it('draws each of several objectives, and two against each other', () => {
    const record = recordOf('pareto', ['MAXIMIZE', 'MINIMIZE'], treeTrials(60, 5, 2));
    const two = htmlOf(alone(record));
    // two histories, the front, parallel coordinates, two importances, intermediate values
    expect(pictures(two)).to.have.length(7);
    expect(two).to.contain('>Pareto front<').and.to.contain('>value 1<');
    expectSoundPictures(two);
  });

  it('leaves out of a trial’s line the axes of parameters that it has not', () => {
    const [x, y] = [floatDistribution(0, 1), floatDistribution(0, 1)];
    const choice = categoricalDistribution(['a', 'b']);
    const whole = (value: number) =>
      new Map([
        ['x', { value, distribution: x }],
        ['choice', { value: 1, distribution: choice }],
        ['y', { value, distribution: y }],
      ]);
    const without = whole(0.7);
    without.delete('choice');
    const trials = [trialOf(0, { params: whole(0.2) }), trialOf(1, { params: without })];
    const html = htmlOf(alone(recordOf('s', ['MAXIMIZE'], trials)));
    const lines = [...html.matchAll(/<polyline points="([^"]+)"[^>]*stroke="#d97706"/g)];
    const lengths = lines.map(([, points]) => points!.split(' ').length / 2);
    // the history's line is a path
    expect(lengths).to.deep.equal([4, 3]);
  });

  it('draws soundly whatever trials hold', () => {
    const value = fc.oneof(fc.double(), fc.constantFrom(0, 1e300, -1e300, 5e-324));
    // within a study a name keeps its kind; values may lie outside of a range that has moved
    const choice = categoricalDistribution(['a', null]);
    const logInt = intDistribution(1, 9, { log: true });
    const param = fc.oneof(
      fc
        .double({ noNaN: true, noDefaultInfinity: true })
        .map((x) => ['x', x, floatDistribution(0, 1)] as const),
      fc.integer({ min: 1, max: 1000 }).map((x) => ['__proto__', x, logInt] as const),
      fc.integer({ min: 0, max: 1 }).map((x) => ['choice', x, choice] as const),
      fc.constant(['single', 2, floatDistribution(2, 2)] as const),
    );
    const trial = fc.record({
      state: fc.constantFrom('COMPLETE', 'COMPLETE', 'PRUNED', 'FAIL', 'RUNNING', 'WAITING'),
      values: fc.tuple(value.filter((x) => !Number.isNaN(x))),
      params: fc
        .array(param)
        .map(
          (all) =>
            new Map(all.map(([name, x, distribution]) => [name, { value: x, distribution }])),
        ),
      reports: fc.array(fc.tuple(fc.nat(5), value)).map((all) => new Map(all)),
    });
    fc.assert(
      fc.property(fc.array(trial, { maxLength: 8 }), (drafts) => {
        const trials = drafts.map((draft, at): FrozenTrial => {
          const hasValues = draft.state === 'COMPLETE' || draft.state === 'PRUNED';
          return trialOf(at, {
            ...draft,
            values: hasValues ? draft.values : null,
          } as Partial<FrozenTrial>);
        });
        expectSoundPictures(htmlOf(alone(recordOf('any', ['MAXIMIZE'], trials))));
      }),
      { numRuns: 60, seed: 5 },
    );
  }).timeout(20_000);
});
