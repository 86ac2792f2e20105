import { expect } from 'chai';
import { hourMs } from '../../../core/index.ts';
import {
  bestRounds,
  crossValidate,
  fitFold,
  splitForStopping,
} from '../../../training/retrain/fit.ts';
import type { Samples } from '../../../training/retrain/samples.ts';
import { liftFold, purgedKFold, selectIntervals } from '../../../training/validate/index.ts';
import { failure } from '../../data/store/failure.ts';
import { smallConfig } from './smallConfig.ts';
import { fitContext, smallModel, smallSamples } from './smallMarket.ts';

describe('retrain: rounds of the final fit', () => {
  it('are where the mean of the stopping losses is smallest, not where one fold would stop', () => {
    // relative to the first round: 1 .9 .8 .95 and 1 .95 1.1 1.3; their sum is least in round 2
    const folds = [Float64Array.of(1, 0.9, 0.8, 0.95), Float64Array.of(2, 1.9, 2.2, 2.6)];
    expect(bestRounds([folds[0]!])).to.equal(3);
    expect(bestRounds(folds)).to.equal(2);
  });

  it('weigh folds alike, however large their losses are', () => {
    // added as they are, the second fold alone would decide for round 1
    expect(bestRounds([Float64Array.of(1, 0.5), Float64Array.of(100, 101)])).to.equal(2);
  });

  it('look no further than the shortest history, and take the first of equals', () => {
    expect(bestRounds([Float64Array.of(3, 2), Float64Array.of(3, 2, 1)])).to.equal(2);
    expect(bestRounds([Float64Array.of(3, 2, 2)])).to.equal(2);
  });
});

describe('retrain: folds', function () {
  this.timeout(60_000);
  const { gbdt } = smallConfig();
  const params = { ...gbdt, rounds: 4, early_stopping_rounds: 4 };
  let samples: Samples;
  before(() => {
    samples = smallSamples({ days: 90 });
  });

  const foldsOf = ({ intervals, spans, embargoMs }: Samples) =>
    purgedKFold(selectIntervals(intervals, spans.search.rows), { folds: 2, embargoMs }).map(
      (fold) => liftFold(fold, spans.search.rows),
    );

  it('stop the run when one of them leaks: a training label that meets a test label', async () => {
    const [fold] = foldsOf(samples);
    const whole = await fitFold(fitContext(samples), fold!, params);
    expect(whole.report.overlap).to.equal(0);
    const kept = { ...fold!, train: Int32Array.from([...fold!.train, fold!.purged[0]!]).sort() };
    const error = await failure(fitFold(fitContext(samples), kept, params));
    expect(error.code).to.equal('internal');
    expect(error.message).to.match(
      /A fold leaks: [1-9]\d* overlapping pairs .* nothing was fitted/,
    );
    expect((error.context.audit as { overlap: number }).overlap).to.be.above(0);
  });

  it('stop the run when a row trains and tests', async () => {
    const [fold] = foldsOf(samples);
    const shared = { ...fold!, train: Int32Array.from([...fold!.train, fold!.test[0]!]).sort() };
    const error = await failure(fitFold(fitContext(samples), shared, params));
    expect(error.message).to.contain('1 shared rows');
  });

  it('stop the run when the splitter was given labels that are too short', async () => {
    // the splitter reads the intervals first; what it is told is not what the audit finds
    const { start, end } = samples.intervals;
    let reads = 0;
    const lying = {
      ...samples,
      embargoMs: 0,
      get intervals() {
        reads += 1;
        return reads === 1 ? { start, end: start } : { start, end };
      },
    };
    const error = await failure(crossValidate(fitContext(lying), params));
    expect(error.message).to.match(/A fold leaks/);
  });

  it('choose rounds by the latest part of their training rows, which no fitted label reaches', () => {
    const { t0, t1 } = samples.dataset;
    for (const { train } of foldsOf(samples)) {
      const { fit, stop } = splitForStopping(fitContext(samples), train);
      const latestFitted = fit.reduce((latest, row) => Math.max(latest, t1[row]!), 0);
      const firstStop = stop.reduce((first, row) => Math.min(first, t0[row]!), Infinity);
      expect(latestFitted + samples.embargoMs).to.be.below(firstStop);
      expect(samples.embargoMs).to.equal(24 * hourMs);
      expect(stop.length / train.length).to.be.closeTo(0.3, 0.01);
      const used = new Set([...fit, ...stop]);
      expect(used.size).to.equal(fit.length + stop.length);
      expect([...used].every((row) => train.includes(row))).to.equal(true);
    }
  });

  it('say so when too few rows are left to stop by', async () => {
    const [fold] = foldsOf(samples);
    const few = fold!.train.subarray(0, 5);
    expect(() => splitForStopping(fitContext(samples), few)).to.throw(
      /rows to fit and \d+ rows to stop/,
    );
  });

  it('test every search row once, by a model that did not see it, and no other row', async () => {
    const { outOfFold, folds, cpcvPaths, rounds } = await crossValidate(
      fitContext(samples),
      params,
    );
    const searched = new Set(samples.spans.search.rows);
    const scored = [...outOfFold.keys()].filter((row) => !Number.isNaN(outOfFold[row]!));
    expect(new Set(scored)).to.deep.equal(searched);
    expect(folds.map(({ scheme, fold }) => `${scheme} ${fold}`)).to.deep.equal([
      'purged_k_fold 0',
      'purged_k_fold 1',
      'cpcv 0',
      'cpcv 1',
      'cpcv 2',
      'walk_forward 0',
    ]);
    expect(folds.every(({ overlap }) => overlap === 0)).to.equal(true);
    expect(cpcvPaths).to.have.length(1);
    expect(rounds).to.be.within(1, 4);
    for (const fold of foldsOf(samples)) {
      const { predictions } = await fitFold(fitContext(samples), fold, params);
      expect(Array.from(fold.test, (row) => outOfFold[row]!)).to.deep.equal([...predictions]);
    }
  });

  it('leave the final fit untouched by any label outside the search window', async () => {
    const { dataset, spans } = samples;
    const later = new Set([...spans.validation.rows, ...spans.forward_oos.rows]);
    const labels = dataset.labels.map((label, row) => (later.has(row) ? -5 * label : label));
    const text = async (at: Samples) => {
      const model = await smallModel(at);
      model.close();
      return model.text;
    };
    expect(await text({ ...samples, dataset: { ...dataset, labels } })).to.equal(
      await text(samples),
    );
  });
});
