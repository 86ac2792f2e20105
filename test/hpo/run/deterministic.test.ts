import { expect } from 'chai';
import { medianPruner } from '../../../hpo/prune/index.ts';
import { fixedView } from '../../../hpo/run/fixedView.ts';
import { gridSampler, tpeSampler } from '../../../hpo/sample/index.ts';
import type { FrozenTrial } from '../../../hpo/study/index.ts';
import { smallTrial } from '../journal/smallTrial.ts';
import { killRounds } from './killed.ts';
import { decided, inFolder, runIn } from './searches.ts';

/** Long enough that a tie among whole numbers, or a cache, may tell one order of ends from another. */
const trials = 80;
const deterministic = { window: 6 };
const task = { delayMs: 9, steps: 2 };

const studyBy = (workers: number, seed = 1) =>
  inFolder(async (folder) => {
    const sampler = tpeSampler({ seed, perTrial: true, startupTrials: 5 });
    const pruner = medianPruner({ startupTrials: 10 });
    const study = { sampler, pruner };
    return decided(
      (await runIn(folder, { trials, workers, cores: workers, deterministic, task, study })).trials,
    );
  });

describe('a deterministic run', () => {
  it('makes the same study with 1, 2 and 4 processes, and another with another seed', async () => {
    const one = await studyBy(1);
    expect(one.some(({ state }) => state === 'PRUNED')).to.equal(true);
    expect(await studyBy(2)).to.deep.equal(one);
    expect(await studyBy(4)).to.deep.equal(one);
    expect(await studyBy(4, 2)).not.to.deep.equal(one);
  });

  it('makes that study too when it is killed on the way, again and again', async () => {
    const run = { trials: 1_000_000, deterministic: { window: 3 }, task: { delayMs: 15 } };
    await inFolder(async (folder) => {
      const kills = await killRounds(folder, { rounds: 3, seed: 3, killsWorkers: false, run });
      expect(kills.interrupted).to.be.above(0);
      // enough for all that were interrupted, and some that nobody disturbed
      const whole = { ...run, trials: kills.finished + 10 };
      const { trials } = await runIn(folder, whole);
      const undisturbed = await inFolder(async (other) => (await runIn(other, whole)).trials);
      expect(decided(trials)).to.deep.equal(decided(undisturbed));
    });
  });

  it('tries each point of a grid once, whatever the number of processes', async () => {
    const sampler = gridSampler(
      { x: [0, 0.5], n: [1, 7, 9], kind: ['a', 'b'] },
      { seed: 1, perTrial: true },
    );
    const study = { sampler };
    const options = { trials: 50, threadsPerTrial: 1, deterministic, task: { delayMs: 9 }, study };
    const results = await Promise.all(
      [1, 3].map((workers) => inFolder((folder) => runIn(folder, { ...options, workers }))),
    );
    for (const { ended, trials } of results) {
      expect(ended).to.equal('exhausted');
      const points = new Set(decided(trials).map(({ params }) => JSON.stringify(params)));
      expect(points.size).to.equal(12);
      expect(trials).to.have.length(12);
    }
    expect(decided(results[0]!.trials)).to.deep.equal(decided(results[1]!.trials));
  });
});

describe('what a trial of a deterministic run sees', () => {
  it('are the ends of those up to its number less the window, and only parameters of those after', () => {
    const trials = [...Array(6).keys()].map(
      (number): FrozenTrial => ({
        ...smallTrial(number),
        systemAttributes: new Map<string, never>([
          ['fixed_params', {} as never],
          ['completed_rung_0', 1 as never],
        ]),
      }),
    );
    const study = { name: 's', directions: ['MINIMIZE'] as const, trials };
    const seen = fixedView(study, 5, 3).trials;
    expect(seen.slice(0, 3)).to.deep.equal(trials.slice(0, 3));
    expect(seen.map(({ state }) => state)).to.deep.equal([
      ...trials.slice(0, 3).map(({ state }) => state),
      'RUNNING',
      'RUNNING',
    ]);
    for (const trial of seen.slice(3)) {
      expect(trial.values).to.equal(null);
      expect(trial.params).to.deep.equal(trials[trial.number]!.params);
      expect([...trial.systemAttributes.keys()]).to.deep.equal(['fixed_params']);
    }
  });
});
