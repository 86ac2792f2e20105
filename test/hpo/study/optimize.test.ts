import { expect } from 'chai';
import { gridSampler } from '../../../hpo/sample/index.ts';
import { openMemoryStorage } from '../../../hpo/storage/index.ts';
import { createStudy, optimize, type Study, type Trial } from '../../../hpo/study/index.ts';
import { middle } from '../storage/trials.ts';

const make = (leaseMs: number | null = null, clock = () => 1000): Promise<Study> =>
  createStudy({
    storage: openMemoryStorage(),
    name: 'study',
    sampler: middle,
    directions: ['MINIMIZE'],
    clock,
    leaseMs,
  });

const gridStudy = (storage = openMemoryStorage()): Promise<Study> =>
  createStudy({
    storage,
    name: 'study',
    sampler: gridSampler({ x: [1, 2, 3], kind: ['a', 'b'] }),
    directions: ['MINIMIZE'],
    loadIfExists: true,
    clock: () => 1000,
  });

const point = (trial: Trial): string =>
  `${trial.suggestInt('x', 1, 3)}${trial.suggestCategorical('kind', ['a', 'b'])}`;

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

const states = async (study: Study) =>
  (await study.snapshot()).trials.map(({ state }) => state).join();

describe('optimize', () => {
  it('runs the trials it was given, and tells of each', async () => {
    const study = await make();
    const numbers: number[] = [];
    await optimize(study, ({ number }) => number, {
      trials: 4,
      onTrial: ({ number, values }) => {
        expect(values).to.deep.equal([number]);
        numbers.push(number);
      },
    });
    expect(numbers).to.deep.equal([0, 1, 2, 3]);
    expect(await states(study)).to.equal('COMPLETE,COMPLETE,COMPLETE,COMPLETE');
  });

  it('ends the trial that throws, says why, and stops; or goes on if asked to', async () => {
    const study = await make();
    const objective = ({ number }: { number: number }) => {
      if (number === 1) throw new Error('no gradient');
      return number === 2 ? 'PRUNED' : 1;
    };
    let thrown: unknown;
    await optimize(study, objective, { trials: 5 }).catch((error) => {
      thrown = error;
    });
    expect(thrown).to.be.an('error').with.property('message', 'no gradient');
    const { trials } = await study.snapshot();
    expect(trials[1]!.systemAttributes.get('fail_reason')).to.equal('no gradient');
    expect(await states(study)).to.equal('COMPLETE,FAIL');
    const other = await make();
    await optimize(other, objective, { trials: 4, catchErrors: true });
    expect(await states(other)).to.equal('COMPLETE,FAIL,PRUNED,COMPLETE');
  });

  it('runs several at a time, and lets all end when one throws', async () => {
    const study = await make();
    let most = 0;
    let now = 0;
    const objective = async ({ number }: { number: number }) => {
      now += 1;
      most = Math.max(most, now);
      await nextTurn();
      now -= 1;
      if (number === 4) throw new Error('late');
      return number;
    };
    await optimize(study, objective, { trials: 30, concurrency: 3 }).catch(() => {});
    expect(most).to.equal(3);
    expect(await states(study)).to.match(/^(COMPLETE,){4}FAIL(,COMPLETE){1,2}$/);
  });

  it('starts no trial after a signal or its time, and ends the running one', async () => {
    const study = await make();
    const stop = new AbortController();
    await optimize(
      study,
      ({ number }) => {
        if (number === 2) stop.abort();
        return 0;
      },
      { trials: 9, signal: stop.signal },
    );
    expect(await states(study)).to.equal('COMPLETE,COMPLETE,COMPLETE');
    let now = 0;
    const timed = await make();
    await optimize(
      timed,
      () => {
        now += 40;
        return 0;
      },
      { trials: 9, until: { clock: () => now, at: 100 } },
    );
    expect(await states(timed)).to.equal('COMPLETE,COMPLETE,COMPLETE');
  });

  it('ends once a grid is used up, each point tried once, however many run at a time', async () => {
    for (const concurrency of [1, 2, 4, 9]) {
      const tried: string[] = [];
      const objective = async (trial: Trial) => {
        tried.push(point(trial));
        for (let turn = 0; turn < (trial.number * 7) % 5; turn += 1) await nextTurn();
        return 1;
      };
      await optimize(await gridStudy(), objective, { trials: 100, concurrency });
      expect(tried.sort(), `${concurrency} at a time`).to.deep.equal([
        ...['1a', '1b', '2a', '2b', '3a', '3b'],
      ]);
    }
  });

  it('goes on with a grid where it ended, and runs what waits when nothing is left of it', async () => {
    const storage = openMemoryStorage();
    const tried: string[] = [];
    const objective = (trial: Trial) => {
      tried.push(point(trial));
      return 1;
    };
    const run = async (trials: number) => optimize(await gridStudy(storage), objective, { trials });
    await run(4);
    await run(100);
    expect(tried).to.have.length(6);
    expect(new Set(tried).size).to.equal(6);
    await run(100);
    expect(tried).to.have.length(6);
    await (await gridStudy(storage)).enqueue({ x: 2, kind: 'b' });
    await run(100);
    expect(tried.slice(6)).to.deep.equal(['2b']);
  });

  it('beats while an objective runs, and passes over a trial that was taken from it', async () => {
    let now = 0;
    const study = await make(30, () => now);
    await optimize(
      study,
      async ({ number }) => {
        const reclaimed: number[] = [];
        // each turn more than a lease passes on the clock of the study, and at least one heartbeat in truth
        for (let turn = 0; turn < 3; turn += 1) {
          now += 25;
          await new Promise((resolve) => setTimeout(resolve, 30));
          reclaimed.push(...(await study.reclaim()));
        }
        expect(reclaimed).to.deep.equal([]);
        if (number === 0) {
          now += 1000;
          expect(await study.reclaim()).to.deep.equal([0]);
        }
        return 1;
      },
      { trials: 2 },
    );
    expect(await states(study)).to.equal('FAIL,COMPLETE');
  });
});
