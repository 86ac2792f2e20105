import { expect } from 'chai';
import { killRounds } from './killed.ts';
import { inFolder, runIn } from './searches.ts';

describe('runs and processes that are killed', () => {
  // a hundred rounds: node test/hpo/run/killed.ts 100
  it('lose no finished trial, run none of them again, and break no file', () =>
    inFolder(async (folder) => {
      const run = { trials: 1_000_000, task: { delayMs: 15 } };
      const { finished } = await killRounds(folder, {
        rounds: 4,
        seed: 5,
        killsWorkers: true,
        run,
      });
      const { trials } = await runIn(folder, { trials: finished + 5 });
      expect(trials.map(({ number }) => number)).to.deep.equal([...trials.keys()]);
      expect(trials.every(({ state }) => state === 'COMPLETE' || state === 'FAIL')).to.equal(true);
    }));
});
