import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { createRandom, projectPath, type Random } from '../../../core/index.ts';
import { type ImportanceOptions, parameterImportance } from '../../../hpo/importance/index.ts';
import type { Distribution, FrozenTrial, TrialParam } from '../../../hpo/study/index.ts';
import { needsPeerPython } from '../../peerPython.ts';

const float = (low: number, high: number, log = false): Distribution => ({
  kind: 'float',
  low,
  high,
  step: null,
  log,
});
type Space = Readonly<Record<string, Distribution>>;

const trialOf = (
  number: number,
  space: Space,
  params: readonly number[],
  ...values: number[]
): FrozenTrial => ({
  id: number,
  number,
  state: 'COMPLETE',
  values,
  params: new Map(
    Object.entries(space).map(([name, distribution], i): [string, TrialParam] => [
      name,
      { value: params[i]!, distribution },
    ]),
  ),
  reports: new Map(),
  userAttributes: new Map(),
  systemAttributes: new Map(),
  startedAt: null,
  completedAt: null,
});

/** A value as a random sampler draws it. */
function drawn(distribution: Distribution, random: Random): number {
  if (distribution.kind === 'categorical') return random.integer(distribution.choices.length);
  const { low, high, log } = distribution;
  if (distribution.kind === 'int' && !log)
    return low + distribution.step * random.integer((high - low) / distribution.step + 1);
  return log ? low * (high / low) ** random.uniform() : low + (high - low) * random.uniform();
}

const trialsOf = (
  space: Space,
  count: number,
  objective: (...params: number[]) => number | number[],
  seed = 1,
): FrozenTrial[] => {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, number) => {
    const params = Object.values(space).map((distribution) => drawn(distribution, random));
    return trialOf(number, space, params, ...[objective(...params)].flat());
  });
};

const sharesOf = (trials: readonly FrozenTrial[], options?: ImportanceOptions) =>
  new Map(
    parameterImportance(trials, { trees: 24, ...options })!.shares.map(({ parameters, share }) => [
      parameters.join('*'),
      share,
    ]),
  );

// A forest of whole trees knows a smooth function of two or three parameters at 300 points to some percent of its range:
// what it errs in goes from main effects to what parameters do together.
const tolerance = 0.06;

describe('the importance of parameters', () => {
  it('is the share of variance of each term of a sum', () => {
    // variances of 3x, y, 0: 9/12, 1/12
    const space = { z: float(0, 1), y: float(0, 1), x: float(5, 6) };
    const trials = trialsOf(space, 300, (_, y, x) => 3 * x + y);
    const shares = sharesOf(trials);
    expect([...shares.keys()]).to.deep.equal(['x', 'y', 'z']);
    expect(shares.get('x')).to.be.closeTo(0.9, tolerance);
    expect(shares.get('y')).to.be.closeTo(0.1, tolerance);
    expect(shares.get('z')).to.be.lessThan(0.01);
  });

  it('leaves to pairs what parameters do together only', () => {
    // 2 where the choices differ: variance 1, all of it together; whole numbers 1 to 4: 5/4. Exact at every point
    const space: Space = {
      p: { kind: 'categorical', choices: [false, true] },
      q: { kind: 'categorical', choices: ['off', 'on'] },
      n: { kind: 'int', low: 1, high: 4, step: 1, log: false },
    };
    const trials = trialsOf(space, 300, (p, q, n) => (p === q ? 0 : 2) + n);
    const shares = sharesOf(trials, { pairs: true });
    const expected = { n: 5 / 9, 'p*q': 4 / 9, p: 0, q: 0, 'p*n': 0, 'q*n': 0 };
    for (const [name, share] of Object.entries(expected))
      expect(shares.get(name), name).to.be.closeTo(share, 1e-9);
    expect([...shares.keys()].slice(0, 2)).to.deep.equal(['n', 'p*q']);
  });

  it('finds a pair in a smooth function too, though its main effects are overstated', () => {
    // (x - 1/2)(y - 1/2) has no main effects; a greedy tree that must cut somewhere first makes some
    const space = { x: float(0, 1), y: float(0, 1), z: float(0, 1) };
    const trials = trialsOf(space, 300, (x, y, z) => (x - 0.5) * (y - 0.5) + z / 50);
    const [first, ...others] = sharesOf(trials, { pairs: true });
    expect(first![0]).to.equal('x*y');
    expect(first![1]).to.be.greaterThan(2 * others[0]![1]);
    expect(others.reduce((sum, [, share]) => sum + share, first![1])).to.be.at.most(1);
  });

  it('weighs logarithmic parameters as they are sampled', () => {
    // ln x is uniform: it and y have the same variance. On a plain scale nearly all of x would be its flat top
    const space = { x: float(1e-4, 1, true), y: float(0, 1) };
    const shares = sharesOf(trialsOf(space, 300, (x, y) => Math.log(x) / Math.log(1e4) + y));
    expect(shares.get('x')).to.be.closeTo(0.5, tolerance);
    expect(shares.get('y')).to.be.closeTo(0.5, tolerance);
  });

  it('weighs choices and the values of a grid alike', () => {
    // choices 0, 0, 3, 3: variance 9/4; whole numbers 1 to 4: 5/4; both exact at every point, so nothing is guessed
    const space: Space = {
      choice: { kind: 'categorical', choices: ['a', 'b', 'c', null] },
      whole: { kind: 'int', low: 1, high: 4, step: 1, log: false },
    };
    const shares = sharesOf(trialsOf(space, 200, (choice, n) => (choice > 1 ? 3 : 0) + n));
    expect(shares.get('choice')).to.be.closeTo(9 / 14, 1e-9);
    expect(shares.get('whole')).to.be.closeTo(5 / 14, 1e-9);
  });

  it('counts complete trials with finite values and parameters that all of them have', () => {
    const space = { x: float(0, 1), fixed: float(2, 2) };
    const trials = trialsOf(space, 20, (x) => [x, -x]);
    const odd = [
      { ...trials[0]!, state: 'PRUNED' as const },
      trialOf(20, space, [0.5, 2], Number.POSITIVE_INFINITY, 0),
      trialOf(21, { ...space, rare: float(0, 1) }, [0.5, 2, 1], 0.5, -0.5),
    ];
    const found = parameterImportance([...trials.slice(1), ...odd], { trees: 4 })!;
    expect(found.trialCount).to.equal(20);
    expect(found.shares.flatMap(({ parameters }) => parameters)).to.deep.equal(['x', 'fixed']);
    expect(found.shares.map(({ share }) => Math.abs(share - 1) < 1e-9)).to.deep.equal([
      true,
      false,
    ]);
    expect(found.shares[1]!.share).to.be.closeTo(0, 1e-9);
    const second = parameterImportance([...trials.slice(1), ...odd], { trees: 4, objective: 1 })!;
    expect(second.trialCount).to.equal(21);
  });

  it('does not depend on the scale of the objective, however far from 0', () => {
    const space = { x: float(0, 1), y: float(0, 1) };
    const shares = (scale: number, origin: number) =>
      sharesOf(trialsOf(space, 50, (x, y) => origin + scale * (x + x * y)));
    const plain = shares(1, 0);
    expect(shares(8, 0)).to.deep.equal(plain);
    // a few digits less, and cuts that were equally good may be so no longer
    const far = shares(1, 2 ** 20);
    for (const name of ['x', 'y']) expect(far.get(name)).to.be.closeTo(plain.get(name)!, 0.01);
  });

  it('is the same for the same seed, and tells nothing where there is nothing to tell', () => {
    const space = { x: float(0, 1), y: float(0, 1) };
    const trials = trialsOf(space, 30, (x, y) => x * y);
    expect(sharesOf(trials, { seed: 5 })).to.deep.equal(sharesOf(trials, { seed: 5 }));
    expect(sharesOf(trials, { seed: 5 })).to.not.deep.equal(sharesOf(trials, { seed: 6 }));
    expect(parameterImportance(trials.slice(0, 1))).to.equal(null);
    expect(parameterImportance(trialsOf(space, 9, () => 3))).to.equal(null);
    expect(parameterImportance(trialsOf({}, 9, () => Math.PI))).to.equal(null);
  });
});

interface Recorded {
  readonly optuna: string;
  readonly function: string;
  readonly seed: number;
  readonly trials: readonly (readonly [number, number, number, number])[];
  /** [forests][a, b, c] */
  readonly importances: readonly (readonly [number, number, number])[];
}

describe('importances beside Optuna’s', () => {
  const folder = projectPath('test', 'hpo', 'importance');
  const space = { a: float(0, 1), b: float(-2, 2), c: float(0, 10) };
  const parse = (lines: string): Recorded[] =>
    lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  const mean = (x: readonly number[]) => x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = (x: readonly number[]) =>
    x.reduce((sum, value) => sum + (value - mean(x)) ** 2, 0) / (x.length - 1);

  /** Both are means over forests of 64 bootstraps: five standard errors, and what ties may do. */
  function compare(recorded: Recorded): void {
    const trials = recorded.trials.map((row, i) => trialOf(i, space, row.slice(0, 3), row[3]));
    const ours = Array.from({ length: 4 }, (_, seed) => sharesOf(trials, { seed, trees: 64 }));
    Object.keys(space).forEach((name, i) => {
      const own = ours.map((shares) => shares.get(name)!);
      const theirs = recorded.importances.map((forest) => forest[i]!);
      const error = Math.sqrt(variance(own) / own.length + variance(theirs) / theirs.length);
      expect(mean(own), `${recorded.function} ${recorded.seed}: ${name}`).to.be.closeTo(
        mean(theirs),
        5 * error + 0.005,
      );
    });
  }

  it('agree within the noise of their forests on recorded studies', () => {
    const recorded = parse(readFileSync(`${folder}/optuna_importance.jsonl`, 'utf8'));
    expect(recorded).to.have.length(3);
    for (const one of recorded) compare(one);
  });

  it('agree within the noise of their forests now, on studies of a fresh seed', function () {
    this.timeout(120_000);
    const python = needsPeerPython(this);
    const args = [
      `${folder}/optuna_importance.py`,
      '--seed',
      String(randomInt(1_000_000)),
      '--trials',
      '60',
      '--forests',
      '4',
    ];
    const { stdout, stderr, status } = spawnSync(python, args, { encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
    for (const one of parse(stdout)) compare(one);
  });
});
