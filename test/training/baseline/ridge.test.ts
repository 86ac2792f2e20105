import { expect } from 'chai';
import { projectPath, readJson, type SluiceError } from '../../../core/index.ts';
import { fitRidge, type RidgeInput } from '../../../training/baseline/index.ts';

interface Golden {
  readonly mse: readonly [number, number][];
  readonly lambda: number;
  readonly coefficients: readonly number[];
  readonly intercept: number;
  readonly predictions: readonly number[];
}

const golden = readJson(projectPath('test', 'training', 'baseline', 'ridge_golden.json')) as Golden;
const count = 48;
const width = 4;

/** The table of ridge_golden.py, by the same formulas. */
function table(): Pick<RidgeInput, 'features' | 'labels' | 'featureCount' | 'rows' | 'folds'> {
  const features = new Float32Array(count * width);
  const labels = new Float32Array(count);
  for (let i = 0; i < count; i += 1) {
    for (let j = 0; j < width; j += 1) {
      features[i * width + j] = (((i * (j + 3) * 7 + i * i * (j + 1)) % 31) - 15) / 8;
    }
    const noise = (((i * i * 3) % 11) - 5) / 4;
    labels[i] = (2 * features[i * width]! - features[i * width + 1]! + noise) / 4;
    for (let j = 0; j < width; j += 1) {
      if ((i * 5 + j * 11) % 13 === 0) features[i * width + j] = Number.NaN;
    }
  }
  const rows = Int32Array.from({ length: count }, (_, i) => i);
  const folds = [0, 16, 32].map((low) => ({
    test: rows.subarray(low, low + 16),
    train: rows.filter((i) => i < low - 2 || i >= low + 18),
  }));
  return { features, labels, featureCount: width, rows, folds };
}

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as SluiceError).code;
  }
  return 'nothing was thrown';
};

// Both solve a 4 x 4 system of condition below 100 in float64; sums of 48 terms differ in order only.
const tolerance = 1e-12;

describe('the ridge baseline', () => {
  it('gives the coefficients, errors and predictions of scikit-learn', () => {
    const input = table();
    const model = fitRidge({ ...input, lambdas: golden.mse.map(([lambda]) => lambda) });
    expect(model.lambda).to.equal(golden.lambda);
    golden.mse.forEach(([lambda, mse], i) => {
      expect(model.validation[i]!.lambda).to.equal(lambda);
      expect(model.validation[i]!.mse).to.be.closeTo(mse, tolerance);
    });
    golden.coefficients.forEach((value, i) => {
      expect(model.coefficients[i]).to.be.closeTo(value, tolerance);
    });
    expect(model.intercept).to.be.closeTo(golden.intercept, tolerance);
    model.score(input.features, count).forEach((score, i) => {
      expect(score).to.be.closeTo(golden.predictions[i]!, tolerance);
    });
  });

  it('gives a constant and a never-present feature no weight', () => {
    const input = table();
    const wide = new Float32Array(count * 6);
    for (let i = 0; i < count; i += 1) {
      wide.set(input.features.subarray(i * width, (i + 1) * width), i * 6);
      wide[i * 6 + 4] = 0.1;
      wide[i * 6 + 5] = Number.NaN;
    }
    const model = fitRidge({ ...input, features: wide, featureCount: 6, lambdas: [golden.lambda] });
    golden.coefficients.forEach((value, i) => {
      expect(model.coefficients[i]).to.be.closeTo(value, tolerance);
    });
    expect([...model.coefficients.slice(4)]).to.deep.equal([0, 0]);
    // Where it was never present, whatever comes later counts for nothing.
    const row = Float32Array.of(0, 0, 0, 0, 7, 7);
    expect(model.score(row, 1)[0]).to.be.closeTo(golden.intercept, tolerance);
  });

  it('scores a missing value as the training mean', () => {
    const input = table();
    const model = fitRidge(input);
    const [filled, empty] = [new Float32Array(width), new Float32Array(width).fill(Number.NaN)];
    filled.set(Float32Array.from(model.means));
    // The filled row went through float32.
    expect(model.score(empty, 1)[0]).to.be.closeTo(model.score(filled, 1)[0]!, 1e-6);
    const mean = input.labels.reduce((sum, value) => sum + value, 0) / count;
    expect(model.score(empty, 1)[0]).to.be.closeTo(mean, tolerance);
  });

  it('depends on its rows only: other rows may hold anything', () => {
    const input = table();
    const rows = input.rows.subarray(0, 40);
    const folds = [{ train: input.rows.subarray(0, 18), test: input.rows.subarray(20, 40) }];
    const before = fitRidge({ ...input, rows, folds });
    input.features.fill(1e6, 40 * width);
    input.labels.fill(-1e6, 40);
    const after = fitRidge({ ...input, rows, folds });
    expect(after.coefficients).to.deep.equal(before.coefficients);
    expect(after.lambda).to.equal(before.lambda);
  });

  it('does not depend on the order of the candidates, and prefers the larger of equal ones', () => {
    const input = table();
    const lambdas = golden.mse.map(([lambda]) => lambda);
    const forward = fitRidge({ ...input, lambdas });
    const backward = fitRidge({ ...input, lambdas: lambdas.toReversed() });
    expect(backward.coefficients).to.deep.equal(forward.coefficients);
    const flat = { ...input, labels: new Float32Array(count), lambdas };
    expect(fitRidge(flat).lambda).to.equal(10);
  });

  it('refuses input that it cannot learn from', () => {
    const input = table();
    const infinite = input.features.map((value, i) => (i === 9 ? Number.POSITIVE_INFINITY : value));
    const unlabelled = input.labels.map((value, i) => (i === 3 ? Number.NaN : value));
    const refused = (change: Partial<RidgeInput>) => code(() => fitRidge({ ...input, ...change }));
    expect(refused({ features: infinite })).to.equal('non_finite');
    expect(refused({ labels: unlabelled })).to.equal('non_finite');
    expect(refused({ featureCount: 3 })).to.equal('length_mismatch');
    expect(refused({ rows: Int32Array.of(48) })).to.equal('out_of_range');
    expect(refused({ rows: Int32Array.of(-1) })).to.equal('out_of_range');
    expect(refused({ rows: new Int32Array() })).to.equal('out_of_range');
    expect(refused({ folds: [] })).to.equal('out_of_range');
    expect(refused({ lambdas: [] })).to.equal('out_of_range');
    expect(refused({ lambdas: [0] })).to.equal('out_of_range');
    expect(refused({ lambdas: [Number.NaN] })).to.equal('out_of_range');
    expect(code(() => fitRidge(input).score(input.features, 3))).to.equal('length_mismatch');
  });
});
