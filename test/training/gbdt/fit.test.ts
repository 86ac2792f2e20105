import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { createRandom, projectPath, SluiceError } from '../../../core/index.ts';
import { fitGbdt, type GbdtFit, gbdtParamsSchema, loadGbdt } from '../../../training/gbdt/index.ts';
import { findLightgbm, lightgbmInfo } from '../../../training/native/index.ts';
import { drawnRows } from './samples.ts';

const library = findLightgbm();
const data = drawnRows(3000);
const heldOut = drawnRows(1500, 8, 2);
const train = (more: Partial<GbdtFit> = {}) =>
  fitGbdt(library, { ...data, ...more, params: { rounds: 30, threads: 1, ...more.params } });

async function refusal(more: Partial<GbdtFit>): Promise<SluiceError> {
  try {
    (await train(more)).close();
  } catch (error) {
    if (error instanceof SluiceError) return error;
    throw error;
  }
  throw new Error('the fit was not refused');
}

describe('fitGbdt', () => {
  it('gives the same text for 1, 2 and 3 threads, bags and drawn features included', async () => {
    const params = { bagging_fraction: 0.7, bagging_freq: 1, feature_fraction: 0.6, seed: 5 };
    const texts: string[] = [];
    for (const threads of [1, 2, 3]) {
      texts.push(
        (
          await train({
            params: { ...params, threads, early_stopping_rounds: 5 },
            validation: heldOut,
          })
        ).text,
      );
    }
    expect(texts[1]).to.equal(texts[0]);
    expect(texts[2]).to.equal(texts[0]);
  });

  it('gives the same text for 1 and 2 threads where sums round: sparse columns, weights from 1e-4 to 1e4', async () => {
    const random = createRandom(9);
    const [rows, featureCount] = [20_000, 16];
    const features = Float32Array.from({ length: rows * featureCount }, (_, at) => {
      if (at % featureCount < 4) return random.normal();
      return random.uniform() < 0.04 ? 1 + random.integer(3) : 0;
    });
    const labels = Float32Array.from(
      { length: rows },
      (_, row) =>
        features[row * featureCount]! + features[row * featureCount + 9]! + random.normal(),
    );
    const weights = labels.map(() => 10 ** (8 * random.uniform() - 4));
    const fitWith = (threads: number) =>
      fitGbdt(library, {
        features,
        rows,
        featureCount,
        labels,
        weights,
        params: { rounds: 10, threads },
      });
    expect((await fitWith(2)).text).to.equal((await fitWith(1)).text);
  });

  it('follows the seed, and nothing but the seed, where it draws', async () => {
    const drawn = (seed: number) =>
      train({ params: { bagging_fraction: 0.5, bagging_freq: 1, seed } });
    const scores = (model: Awaited<ReturnType<typeof drawn>>) => [
      ...model.predict(data.features, data.rows),
    ];
    const [first, again, other] = [await drawn(1), await drawn(1), await drawn(2)];
    expect(again.text).to.equal(first.text);
    expect(scores(other)).not.to.deep.equal(scores(first));
  });

  it('counts a row of weight 2 like the row twice', async () => {
    // regular weights keep the bins alike: every row twice on one side, weight 2 everywhere on the other
    const twice = { ...data, rows: 2 * data.rows };
    const features = new Float32Array(2 * data.features.length);
    features.set(data.features);
    features.set(data.features, data.features.length);
    const labels = new Float32Array(2 * data.rows);
    labels.set(data.labels);
    labels.set(data.labels, data.rows);
    const doubled = await train({ ...twice, features, labels, params: { min_data_in_leaf: 40 } });
    const weighted = await train({
      weights: new Float32Array(data.rows).fill(2),
      params: { min_data_in_leaf: 20 },
    });
    const [a, b] = [doubled, weighted].map((model) => model.predict(data.features, data.rows));
    expect(a!.every((score, row) => Math.abs(score - b![row]!) < 1e-6)).to.equal(true);
  });

  it('ignores rows of weight 0', async () => {
    const labels = data.labels.map((label, row) => (row % 10 === 0 ? 1e6 : label));
    const weights = labels.map((label) => (label === 1e6 ? 0 : 1));
    const model = await train({ labels, weights });
    expect(Math.max(...model.predict(data.features, data.rows))).to.be.below(10);
  });

  it('finds groups of categories that an order could not', async () => {
    const labels = data.labels.map((_, row) =>
      [1, 4, 9].includes(data.features[row * 8 + 3]!) ? 1 : 0,
    );
    const model = await train({
      labels,
      params: { rounds: 1, learning_rate: 1, min_data_in_leaf: 1, leaves: 2 },
    });
    const [tree] = model.trees.trees;
    expect(tree!.categories[0]).to.deep.equal([1, 4, 9]);
  });

  it('learns from a missing value', async () => {
    const labels = data.labels.map((_, row) => (Number.isNaN(data.features[row * 8]!) ? 1 : 0));
    const model = await train({ labels, params: { rounds: 1, learning_rate: 1, leaves: 2 } });
    const row = new Float32Array(8);
    expect(model.predict(row, 1)[0]).to.be.closeTo(0, 1e-6);
    row[0] = Number.NaN;
    expect(model.predict(row, 1)[0]).to.be.closeTo(1, 1e-6);
  });

  it('keeps the rounds up to the best one and tells the loss of all', async () => {
    const params = { rounds: 500, learning_rate: 0.3, early_stopping_rounds: 7 };
    const model = await train({ params, validation: heldOut, trackTraining: true });
    const losses = model.history.map((round) => round.validation!);
    const best = losses.indexOf(Math.min(...losses)) + 1;
    expect(model.bestIteration).to.equal(best);
    expect(model.trees.trees).to.have.length(best);
    expect(losses).to.have.length(best + 7);
    const scores = model.predict(heldOut.features, heldOut.rows);
    const mean =
      scores.reduce((sum, score, row) => sum + (score - heldOut.labels[row]!) ** 2, 0) /
      heldOut.rows;
    expect(mean).to.be.closeTo(losses[best - 1]!, 1e-9);
    const onTraining = model.history.map((round) => round.train!);
    expect(onTraining.at(-1)).to.be.below(onTraining[0]!);
  });

  it('keeps all rounds when it is not to stop early', async () => {
    const model = await train({ validation: heldOut });
    expect(model.bestIteration).to.equal(30);
    expect(model.history).to.have.length(30);
  });

  it('learns probabilities and robust means', async () => {
    const labels = data.labels.map((label) => (label > 1 ? 1 : 0));
    const binary = await train({
      labels,
      params: { objective: 'binary' },
      validation: { ...heldOut, labels: heldOut.labels.map((label) => (label > 1 ? 1 : 0)) },
    });
    expect(binary.history.at(-1)!.validation)
      .to.be.below(binary.history[0]!.validation!)
      .and.below(0.6);
    const spiked = data.labels.map((label, row) => (row % 100 === 0 ? 1e4 : label));
    const huber = await train({ labels: spiked, params: { objective: 'huber' } });
    expect(Math.max(...huber.predict(data.features, data.rows))).to.be.below(100);
  });

  it('makes a constant of labels that cannot be split', async () => {
    const model = await train({ labels: new Float32Array(data.rows).fill(0.25) });
    expect([...new Set(model.predict(data.features, data.rows))]).to.deep.equal([0.25]);
    expect(model.bestIteration).to.equal(1);
  });

  it('reports every round in order, and progress that only grows up to 1', async () => {
    const fractions: number[] = [];
    const iterations: number[] = [];
    await train({
      progress: { update: (_, doneFrac) => fractions.push(doneFrac) },
      onIteration: (iteration) => iterations.push(iteration),
    });
    expect(iterations).to.deep.equal(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(fractions).to.deep.equal([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).to.equal(1);
  });

  it('lets the event loop live while it trains', async () => {
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += 1;
    }, 1);
    await train({ params: { rounds: 200 } });
    clearInterval(timer);
    expect(ticks).to.be.above(3);
  });

  it('stops between rounds when asked to', async () => {
    const controller = new AbortController();
    let rounds = 0;
    const error = await refusal({
      params: { rounds: 100_000 },
      signal: controller.signal,
      onIteration: () => {
        rounds += 1;
        if (rounds === 3) controller.abort();
      },
    });
    expect(error.code).to.equal('cancelled');
    expect((await refusal({ signal: AbortSignal.abort() })).code).to.equal('cancelled');
  });

  it('ends with what a listener threw, and trains again afterwards', async () => {
    const thrown = new SluiceError('internal', 'enough');
    const error = await refusal({
      params: { rounds: 100_000 },
      onIteration: () => {
        throw thrown;
      },
    });
    expect(error).to.equal(thrown);
    expect((await train()).bestIteration).to.equal(30);
  });

  it('trains several models at once, each as if alone', async () => {
    const alone = await train({ params: { leaves: 7 } });
    const [small, large] = await Promise.all([train({ params: { leaves: 7 } }), train()]);
    expect(small.text).to.equal(alone.text);
    expect(large.text).not.to.equal(alone.text);
  });

  it('prints nothing on stdout, and lets the process end', () => {
    const program = `
      import { fitGbdt } from './training/gbdt/index.ts';
      import { findLightgbm } from './training/native/index.ts';
      const features = Float32Array.from({ length: 60 }, (_, i) => i % 7);
      const params = { rounds: 3, leaves: 31, threads: 1 };
      const labels = features.subarray(0, 30);
      await fitGbdt(findLightgbm(), { features, rows: 30, featureCount: 2, labels, params });`;
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ['--input-type=module', '--eval', program],
      { encoding: 'utf8', cwd: projectPath() },
    );
    expect({ stdout, stderr, status }).to.deep.equal({ stdout: '', stderr: '', status: 0 });
  });
});

describe('fitGbdt refuses', () => {
  const nan = (values: Float32Array, at: number, value: number) => {
    const copy = values.slice();
    copy[at] = value;
    return copy;
  };
  const cases: readonly (readonly [string, Partial<GbdtFit>, string, RegExp])[] = [
    [
      'a label that is NaN',
      { labels: nan(data.labels, 7, Number.NaN) },
      'non_finite',
      /label .* row 7 holds NaN/,
    ],
    ['a label that is infinite', { labels: nan(data.labels, 0, Infinity) }, 'non_finite', /row 0/],
    [
      'an infinite feature',
      { features: nan(data.features, 8 * 5 + 2, -Infinity) },
      'non_finite',
      /-Infinity in row 5, column 2/,
    ],
    [
      'a weight that is NaN',
      { weights: nan(new Float32Array(3000).fill(1), 3, Number.NaN) },
      'non_finite',
      /weight/,
    ],
    [
      'a negative weight',
      { weights: nan(new Float32Array(3000).fill(1), 3, -1) },
      'out_of_range',
      /row 3 holds -1/,
    ],
    ['weights of zero only', { weights: new Float32Array(3000) }, 'out_of_range', /zero/],
    [
      'no rows',
      { rows: 0, features: new Float32Array(0), labels: new Float32Array(0) },
      'out_of_range',
      /at least one row/,
    ],
    [
      'too few features',
      { features: data.features.subarray(1) },
      'length_mismatch',
      /24000 numbers; found 23999/,
    ],
    [
      'too few labels',
      { labels: data.labels.subarray(1) },
      'length_mismatch',
      /3000 numbers; found 2999/,
    ],
    ['too few weights', { weights: new Float32Array(2) }, 'length_mismatch', /weights/],
    ['no features', { featureCount: 0 }, 'out_of_range', /number of features/],
    [
      'a categorical column that does not exist',
      { categorical: [8] },
      'out_of_range',
      /0 to 7; found 8/,
    ],
    ['a negative categorical column', { categorical: [-1] }, 'out_of_range', /found -1/],
    ['a category that is no integer', { categorical: [0] }, 'out_of_range', /column 0 holds/],
    [
      'a negative category',
      { features: nan(data.features, 3, -2) },
      'out_of_range',
      /row 0, column 3 holds -2/,
    ],
    [
      'scattered category numbers',
      { features: nan(data.features, 3, 5000) },
      'out_of_range',
      /densely/,
    ],
    [
      'labels of binary other than 0 and 1',
      { params: { objective: 'binary' } },
      'out_of_range',
      /0 or 1/,
    ],
    [
      'an infinite feature of the validation rows',
      { validation: { ...heldOut, features: nan(heldOut.features, 0, Infinity) } },
      'non_finite',
      /validation/,
    ],
    [
      'an unknown parameter',
      { params: { leafs: 3 } as object },
      'config_invalid',
      /leafs.*did you mean "leaves"/,
    ],
    [
      'a parameter out of range',
      { params: { learning_rate: 0 } },
      'config_invalid',
      /learning_rate/,
    ],
    [
      'quantized gradients with bags',
      { params: { use_quantized_grad: true, bagging_freq: 1, bagging_fraction: 0.5 } },
      'config_invalid',
      /bagging/,
    ],
    [
      'cuda with more than 255 bins',
      { params: { device: 'cuda', max_bin: 256 } },
      'config_invalid',
      /255 on cuda/,
    ],
    [
      'cuda with a depth limit',
      { params: { device: 'cuda', max_depth: 6 } },
      'config_invalid',
      /max_depth.*-1 on cuda/,
    ],
    [
      'cuda with quantized gradients',
      { params: { device: 'cuda', use_quantized_grad: true } },
      'config_invalid',
      /use_quantized_grad.*false on cuda/,
    ],
    [
      'cuda with categories',
      { params: { device: 'cuda' } },
      'config_invalid',
      /no categorical columns/,
    ],
    [
      'cuda with more than 504 features',
      { params: { device: 'cuda' }, featureCount: 505, categorical: [] },
      'config_invalid',
      /504 features.*found 505/,
    ],
  ];
  it('cuda and quantized gradients where the library cannot', async () => {
    const { cuda, quantized } = lightgbmInfo(library);
    const onCuda = { params: { device: 'cuda' }, categorical: [] } as const;
    if (!cuda) expect((await refusal(onCuda)).code).to.equal('tool_missing');
    if (!quantized)
      expect((await refusal({ params: { use_quantized_grad: true } })).code).to.equal(
        'tool_missing',
      );
  });

  for (const [what, more, code, message] of cases) {
    it(what, async () => {
      const error = await refusal(more);
      expect(error.message).to.match(message);
      expect(error.code).to.equal(code);
    });
  }
});

describe('a gbdt model', () => {
  it('is the same after saving and loading its text', async () => {
    const model = await train();
    const loaded = loadGbdt(library, model.text);
    expect(loaded.trees).to.deep.equal(model.trees);
    expect(loaded.bestIteration).to.equal(30);
    expect(loaded.predict(data.features, data.rows)).to.deep.equal(
      model.predict(data.features, data.rows),
    );
  });

  it('tells importance by gain and by splits, and dumps JSON', async () => {
    const model = await train();
    const { gain, split } = model.importance();
    const splits = model.trees.trees.reduce((sum, tree) => sum + tree.splitFeature.length, 0);
    expect(split.reduce((sum, count) => sum + count, 0)).to.equal(splits);
    expect(gain[1], 'x1 is in two terms of the label').to.be.above(gain[5]!);
    expect(JSON.parse(model.dumpJson())).to.have.property('tree_info').with.length(30);
  });

  it('answers no rows with nothing, and wrong lengths with an error', async () => {
    const model = await train();
    expect(model.predict(new Float32Array(0), 0)).to.have.length(0);
    expect(() => model.predict(new Float32Array(9), 1)).to.throw(/8 numbers; found 9/);
    expect(() => model.contributions(new Float32Array(7), 1)).to.throw(/8 numbers; found 7/);
  });

  it('refuses to answer once it is closed, and may be closed twice', async () => {
    const model = await train();
    model.close();
    model.close();
    expect(() => model.predict(data.features, data.rows)).to.throw(/closed/);
  });

  it('refuses a text that is no model', () => {
    expect(() => loadGbdt(library, 'tree\n'))
      .to.throw(SluiceError)
      .with.property('code', 'input_invalid');
  });
});

describe('gbdtParamsSchema', () => {
  it('gives every parameter a default', () => {
    expect(gbdtParamsSchema.parse({})).to.include({
      objective: 'regression',
      rounds: 300,
      leaves: 31,
      device: 'cpu',
    });
  });
});
