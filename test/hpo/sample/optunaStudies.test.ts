// Our suggestions against Optuna's, trial by trial: recorded ones (optuna_studies.py), and fresh ones where Optuna is at hand.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { gridSampler, randomSampler, tpeSampler } from '../../../hpo/sample/index.ts';
import type { Sampler } from '../../../hpo/study/index.ts';
import { needsPeerPython } from '../../peerPython.ts';
import { type Case, drive } from './study.ts';

interface Recorded extends Case {
  readonly name: string;
  readonly seed: number;
  readonly sampler?: string;
  readonly multivariate: boolean | null;
  readonly liar: boolean;
  readonly suggested: string;
}

const here = import.meta.dirname;
const { versions, studies } = JSON.parse(readFileSync(`${here}/optuna_studies.json`, 'utf8')) as {
  versions: Record<string, string>;
  studies: readonly Recorded[];
};

const grid = {
  x: [0.5, -2],
  lr: [0.01],
  step: [0.5],
  n: [3, 5, 40],
  leaves: [4],
  kind: ['c', 'a'],
};

function samplerOf({ sampler, multivariate, liar }: Recorded, seed: number): Sampler {
  if (sampler === 'random') return randomSampler({ seed });
  if (sampler === 'grid') return gridSampler(grid, { seed });
  const chosen = multivariate === null ? {} : { multivariate };
  return tpeSampler({ seed, constantLiar: liar, ...chosen });
}

/** The relative difference, or the absolute one below 1e-6: what remains near 0 of ranges up to 1e3. */
function expectEqual(ours: readonly (readonly number[])[], theirs: readonly number[]): void {
  let place = 0;
  ours.forEach((values, number) => {
    for (const value of values) {
      const expected = theirs[place]!;
      const isEqual = Math.abs(value - expected) <= 1e-9 * Math.max(Math.abs(expected), 1e-6);
      if (!isEqual) expect.fail(`trial ${number}: ${values} has ${value}, not ${expected}`);
      place += 1;
    }
  });
  expect(place).to.equal(theirs.length);
}

const floats = (text: string): number[] => {
  const bytes = Buffer.from(text, 'base64');
  return Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(8 * i));
};

describe(`samplers suggest what Optuna ${versions.optuna} suggested`, () => {
  for (const name of new Set(studies.map((study) => study.name))) {
    const recorded = studies.filter((study) => study.name === name);
    it(`${name}: ${recorded[0]!.trials} trials of ${recorded.length} seed(s)`, () => {
      for (const study of recorded) {
        expectEqual(drive(samplerOf(study, study.seed), study), floats(study.suggested));
      }
    });
  }
});

describe('samplers suggest what Optuna suggests now', () => {
  // Not any seed, and no spaces of choices alone: now and then two choices are equally good to the last bit but one, and
  // Optuna takes the one that its machine's logarithm and exponential round up.
  const fresh = 20260726;
  const trials = 60;
  for (const study of studies.filter((one) => one.seed === 0 && one.space !== 'choices')) {
    it(`${study.name}: ${trials} trials of another seed`, function () {
      const python = needsPeerPython(this);
      const script = `${here}/optuna_studies.py`;
      const answer = execFileSync(
        python,
        [script, '--case', study.name, '--seed', String(fresh), '--trials', String(trials)],
        { encoding: 'utf8', env: { ...process.env, NPY_DISABLE_CPU_FEATURES: 'X86_V3 X86_V4' } },
      );
      const theirs = JSON.parse(answer) as number[][];
      expectEqual(drive(samplerOf(study, fresh), study, trials), theirs.flat());
    });
  }
});
