// Samplers within a study: what they remember is stored with the trial, and they find it there.

import { expect } from 'chai';
import { gridSampler, tpeSampler } from '../../../hpo/sample/index.ts';
import { openMemoryStorage } from '../../../hpo/storage/index.ts';
import { createStudy, type Sampler } from '../../../hpo/study/index.ts';

const studyWith = (sampler: Sampler) =>
  createStudy({
    storage: openMemoryStorage(),
    name: 's',
    directions: ['MINIMIZE'],
    sampler,
    clock: () => 0,
  });

describe('a sampler in a study', () => {
  it('walks a grid and stores where each trial stands in it', async () => {
    const grid = { n: [1, 2, 3] };
    const sampler = gridSampler(grid);
    const study = await studyWith(sampler);
    const seen: number[] = [];
    while (!sampler.isExhausted!(await study.snapshot())) {
      const trial = await study.ask();
      seen.push(trial.suggestInt('n', 0, 9));
      await study.tell(trial, seen.at(-1)!);
    }
    expect(seen.sort()).to.eql([1, 2, 3]);
    const stored = (await study.snapshot()).trials.map(({ systemAttributes }) => [
      ...systemAttributes,
    ]);
    expect(stored).to.eql(
      [0, 1, 2].map((id) => [
        ['search_space', grid],
        ['grid_id', id],
      ]),
    );
  });

  it('shares what TPE chose together, once it chose', async () => {
    const study = await studyWith(tpeSampler({ seed: 1, startupTrials: 2 }));
    for (let i = 0; i < 3; i += 1) {
      const trial = await study.ask();
      const x = trial.suggestFloat('x', 0, 1);
      await study.tell(trial, x);
      const { trials } = await study.snapshot();
      const stored = trials[i]!.systemAttributes.get('tpe:relative_params:0');
      expect(stored).to.equal(i < 2 ? undefined : JSON.stringify({ x }));
    }
  });
});
