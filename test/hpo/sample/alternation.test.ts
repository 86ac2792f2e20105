// What a sampler keeps from one suggestion to the next must never show: one that is asked about several studies in turn
// suggests for each what a new one does.

import { expect } from 'chai';
import fc from 'fast-check';
import { mersenneTwister } from '../../../hpo/sample/mt19937.ts';
import { drawUniform } from '../../../hpo/sample/random.ts';
import { tpeSampler } from '../../../hpo/sample/tpe.ts';
import {
  categoricalDistribution,
  type Distribution,
  type FrozenTrial,
  floatDistribution,
  intDistribution,
  type StudySnapshot,
  type TrialParam,
  toExternal,
} from '../../../hpo/study/index.ts';
import { newTrial } from './study.ts';

type Space = Readonly<Record<string, Distribution>>;

/** The same names with other meanings. */
const spaces: readonly Space[] = [
  {
    a: floatDistribution(-1, 1),
    b: floatDistribution(1e-3, 1, { log: true }),
    c: floatDistribution(0, 9),
  },
  {
    a: intDistribution(0, 8),
    b: categoricalDistribution(['u', 'v', 'w']),
    c: floatDistribution(2, 5),
  },
  {
    a: floatDistribution(3, 4),
    b: categoricalDistribution([2, 'v']),
    d: intDistribution(1, 99, { log: true }),
  },
];

/** Trials of a space: most have ended, one in nine was pruned, the last ones run and share what was chosen for them. */
function trialsOf(space: Space, count: number, seed: number): FrozenTrial[] {
  const random = mersenneTwister(seed);
  return Array.from({ length: count }, (_, number): FrozenTrial => {
    const params = new Map(
      Object.entries(space).map(([name, distribution]): [string, TrialParam] => [
        name,
        { value: drawUniform(distribution, random), distribution },
      ]),
    );
    const value = random.uniform();
    if (number < count - 3) {
      const state = number % 9 === 4 ? 'PRUNED' : 'COMPLETE';
      return { ...newTrial(number), params, state, values: [value, 1 - value] };
    }
    const shared = [...params].map(([name, { distribution, value }]) => [
      name,
      toExternal(distribution, value),
    ]);
    const text = JSON.stringify(Object.fromEntries(shared));
    return { ...newTrial(number), systemAttributes: new Map([['tpe:relative_params:0', text]]) };
  });
}

/** Five studies of each space; the first four have trials in common, but not their directions or their number. */
const studies = spaces.flatMap((space, i): { study: StudySnapshot; space: Space }[] => {
  const trials = trialsOf(space, 90 + 40 * i, i);
  const study = { name: 's', directions: ['MINIMIZE'], trials } as const;
  return [
    { space, study },
    { space, study: { ...study, directions: ['MAXIMIZE'] } },
    { space, study: { ...study, directions: ['MINIMIZE', 'MAXIMIZE'] } },
    { space, study: { ...study, trials: trials.slice(0, 40) } },
    { space, study: { ...study, trials: trialsOf(space, 300, 7 + i) } },
  ];
});

/** What is suggested for the next trial of a study, together and one by one. */
function suggested(sampler: ReturnType<typeof tpeSampler>, { study, space }: (typeof studies)[0]) {
  const trial = newTrial(study.trials.length);
  const relative = [...sampler.relative(study, trial)].map(([name, { value }]) => [name, value]);
  const alone = Object.entries(space).map(([name, distribution]) =>
    sampler.independent(study, trial, name, distribution),
  );
  return { relative, alone };
}

describe('TPE asked about studies in turn', () => {
  const options = { seed: 5, perTrial: true };
  const fresh = studies.map((study) => suggested(tpeSampler(options), study));

  it('suggests for each what a new sampler does', () => {
    const turns = fc.array(fc.nat({ max: studies.length - 1 }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(turns, (turns) => {
        const sampler = tpeSampler(options);
        for (const turn of turns) {
          expect(suggested(sampler, studies[turn]!), `${turns}`).to.eql(fresh[turn]);
        }
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  it('suggests different things for them', () => {
    expect(new Set(fresh.map((one) => JSON.stringify(one))).size).to.equal(studies.length);
    expect(fresh.every(({ relative }, i) => relative.length === (i % 5 === 2 ? 0 : 3))).to.equal(
      true,
    );
  });
});
