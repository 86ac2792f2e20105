import { expect } from 'chai';
import { multiObjectivePruner, percentilePruner } from '../../../hpo/prune/index.ts';
import { openMemoryStorage } from '../../../hpo/storage/index.ts';
import {
  bestTrial,
  constraintsOf,
  createStudy,
  type FrozenTrial,
  floatDistribution,
  loadStudy,
  type NewStudyOptions,
  type Outcome,
  optimize,
  type Pruner,
  paretoFront,
  type Sampler,
  type Storage,
  type Study,
  type StudyOptions,
  type StudySnapshot,
  vectorReportsOf,
} from '../../../hpo/study/index.ts';
import { failure } from '../../data/store/failure.ts';
import { middle, plain } from '../storage/trials.ts';

/** A clock that a test moves. */
function watch() {
  let now = 1_795_367_759_777;
  return {
    clock: () => now,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

const make = (options: Partial<NewStudyOptions> = {}): Promise<Study> =>
  createStudy({
    storage: openMemoryStorage(),
    name: 'study',
    sampler: middle,
    clock: watch().clock,
    directions: ['MINIMIZE'],
    ...options,
  });

const trialsOf = async (study: Study) => (await study.snapshot()).trials;
const told = async (study: Study, outcome: Outcome) => study.tell(await study.ask(), outcome);

describe('a study', () => {
  describe('as a name in a storage', () => {
    it('is made once, loaded often, and named when it is missing', async () => {
      const storage = openMemoryStorage();
      const study = await make({ storage });
      await told(study, 1);
      const again = await loadStudy({
        storage,
        name: 'study',
        sampler: middle,
        clock: watch().clock,
      });
      expect((await trialsOf(again)).map(plain)).to.deep.equal((await trialsOf(study)).map(plain));
      expect((await failure(make({ storage }))).code).to.equal('database_refused');
      const error = await failure(
        loadStudy({ storage, name: 'studdy', sampler: middle, clock: watch().clock }),
      );
      expect(error.code).to.equal('input_missing');
      expect(error.message).to.contain('studdy').and.to.contain('it has study');
    });

    it('goes on if asked to, with the same directions only', async () => {
      const storage = openMemoryStorage();
      await told(await make({ storage }), 1);
      const all = await Promise.all(
        Array.from({ length: 4 }, () => make({ storage, loadIfExists: true })),
      );
      expect(await trialsOf(all[3]!)).to.have.length(1);
      const other = make({ storage, loadIfExists: true, directions: ['MAXIMIZE'] });
      expect((await failure(other)).code).to.equal('database_refused');
      expect((await failure(make({ directions: [] }))).code).to.equal('out_of_range');
    });
  });

  describe('gives parameters', () => {
    it('and takes attributes that JSON can say, as they are at that moment', async () => {
      const study = await make();
      const trial = await study.ask();
      const list = [1, 2];
      trial.setUserAttribute('list', list);
      list.push(3);
      expect(() => trial.setUserAttribute('odd', Number.NaN)).to.throw('JSON cannot say');
      expect((await study.tell(trial, 1)).userAttributes).to.deep.equal(
        new Map([['list', [1, 2]]]),
      );
    });

    it('of three kinds, the same again for the same name', async () => {
      const study = await make();
      const trial = await study.ask();
      const values = () => [
        trial.suggestFloat('f', 0, 1),
        trial.suggestFloat('s', 0, 1, { step: 0.25 }),
        trial.suggestInt('i', 1, 9),
        trial.suggestCategorical('c', ['a', null, 7]),
      ];
      expect(values()).to.deep.equal([0.5, 0.5, 5, 7]);
      expect(values()).to.deep.equal([0.5, 0.5, 5, 7]);
      const { params } = await study.tell(trial, 0);
      expect([...params.entries()].map(([name, { value }]) => [name, value])).to.deep.equal([
        ['f', 0.5],
        ['s', 0.5],
        ['i', 5],
        ['c', 2],
      ]);
    });

    it('that a name keeps through the study, except for its range', async () => {
      const study = await make();
      const first = await study.ask();
      first.suggestFloat('x', 0, 1);
      expect(() => first.suggestInt('x', 0, 1)).to.throw('kind, log and choices cannot change');
      await study.tell(first, 0);
      const second = await study.ask();
      expect(() => second.suggestFloat('x', 1, 2, { log: true })).to.throw('cannot change');
      expect(second.suggestFloat('x', 10, 20)).to.equal(15);
    });

    it('chosen together first, each alone where that does not fit', async () => {
      const seen: string[] = [];
      const sampler: Sampler = {
        relative: (study, trial) => {
          seen.push(`relative ${study.trials.length} ${trial.number}`);
          return new Map([
            ['a', { value: 0.75, distribution: floatDistribution(0, 1) }],
            ['b', { value: 0.75, distribution: floatDistribution(0, 1) }],
          ]);
        },
        independent: (_study, trial, name) => {
          seen.push(`independent ${name} ${[...trial.params.keys()].join()}`);
          return 0.25;
        },
      };
      const trial = await (await make({ sampler })).ask();
      expect(trial.suggestFloat('only', 3, 3)).to.equal(3);
      expect(seen).to.deep.equal([]);
      expect(trial.suggestFloat('a', 0, 1)).to.equal(0.75);
      expect(trial.suggestFloat('b', 0, 0.5)).to.equal(0.25);
      expect(trial.suggestFloat('c', 0, 1)).to.equal(0.25);
      expect(seen).to.deep.equal([
        'relative 1 0',
        'independent b only,a',
        'independent c only,a,b',
      ]);
    });

    it('that are never outside of what was asked for', async () => {
      const trial = await (await make({ sampler: { ...middle, independent: () => 2 } })).ask();
      expect(() => trial.suggestFloat('x', 0, 1)).to.throw('The sampler chose 2 for x');
    });

    it('that were enqueued, whole or in part, without a look at the sampler for those', async () => {
      let drawn = 0;
      const relative = () => {
        drawn += 1;
        return new Map();
      };
      const study = await make({ sampler: { ...middle, relative } });
      await study.enqueue({ x: 0.9, c: 'b', far: 12 }, { userAttributes: { from: 'me' } });
      const trial = await study.ask();
      expect(trial.suggestFloat('x', 0, 1)).to.equal(0.9);
      expect(trial.suggestCategorical('c', ['a', 'b'])).to.equal('b');
      expect(trial.suggestFloat('far', 0, 1)).to.equal(12);
      expect(drawn).to.equal(0);
      expect(trial.suggestFloat('y', 0, 1)).to.equal(0.5);
      expect(drawn).to.equal(1);
      expect((await study.tell(trial, 1)).userAttributes.get('from')).to.equal('me');
      await study.enqueue({ c: 'z' });
      const bad = await study.ask();
      expect(() => bad.suggestCategorical('c', ['a', 'b'])).to.throw('must be one of ["a","b"]');
    });

    it('that are told apart by an attribute only once, if asked to', async () => {
      const study = await make();
      const enqueue = (number: number) =>
        study.enqueue({ x: 0.5 }, { userAttributes: { from: number, note: 'x' }, once: 'from' });
      expect(await enqueue(3)).to.include({ number: 0, state: 'WAITING' });
      expect(await enqueue(3)).to.equal(null);
      expect(await enqueue(4)).to.include({ number: 1 });
      expect((await failure(study.enqueue({ x: 0.5 }, { once: 'from' }))).code).to.equal(
        'out_of_range',
      );
      const [first] = await trialsOf(study);
      expect(first!.systemAttributes.get('fixed_params')).to.deep.equal({ x: 0.5 });
      expect(first!.userAttributes.get('note')).to.equal('x');
    });

    it('that were enqueued before only once, if asked to', async () => {
      const study = await make();
      const enqueue = (params: Record<string, number>) =>
        study.enqueue(params, { skipIfExists: true });
      expect(await enqueue({ x: 0.9 })).to.include({ number: 0, state: 'WAITING' });
      expect(await enqueue({ x: 0.9 + 1e-9 })).to.equal(null);
      expect(await enqueue({ x: 0.9, y: 1 })).not.to.equal(null);
      const trial = await study.ask();
      trial.suggestFloat('x', 0, 1);
      await study.tell(trial, 1);
      expect(await enqueue({ x: 0.9 })).to.equal(null);
      expect(await enqueue({ x: 0.8 })).not.to.equal(null);
    });

    it('at once for a worker elsewhere, seen by the sampler of the next ask', async () => {
      const seen: unknown[] = [];
      const sampler: Sampler = {
        ...middle,
        relative: (study) => {
          seen.push(study.trials.map(({ state, params }) => [state, params.get('x')?.value]));
          return new Map();
        },
      };
      const study = await make({ sampler });
      const space = { x: floatDistribution(0, 1) };
      const first = await study.ask(space);
      const second = await study.ask(space);
      expect(seen).to.deep.equal([
        [['RUNNING', undefined]],
        [
          ['RUNNING', 0.5],
          ['RUNNING', undefined],
        ],
      ]);
      await study.tell(second, 2);
      await study.tell(first, 1);
      expect((await trialsOf(study)).map(({ values }) => values)).to.deep.equal([[1], [2]]);
    });

    it('that others see once the event loop has turned', async () => {
      const storage = openMemoryStorage();
      const study = await make({ storage });
      const trial = await study.ask({ x: floatDistribution(0, 1) });
      trial.report(3, 0);
      const seen = async () => (await storage.readTrials(study.id, -1, []))[0]!;
      expect((await seen()).params.size).to.equal(0);
      await new Promise((resolve) => setImmediate(resolve));
      expect((await seen()).params.get('x')?.value).to.equal(0.5);
      expect([...(await seen()).reports]).to.deep.equal([[0, 3]]);
    });

    it('at the cost of two writes for a trial that does not wait for anything', async () => {
      const storage = openMemoryStorage();
      const calls: string[] = [];
      const counted = new Proxy(storage, {
        get: (target, name: keyof typeof storage) => {
          if (!/^(read|find|list)/.test(name)) calls.push(name);
          return target[name];
        },
      });
      const study = await make({ storage: counted });
      calls.length = 0;
      await optimize(study, (trial) => trial.suggestFloat('x', 0, 1), { trials: 3 });
      expect(calls).to.deep.equal(['ask', 'finish', 'ask', 'finish', 'ask', 'finish']);
    });
  });

  describe('ends trials', () => {
    it('with finite and infinite values COMPLETE, with NaN or a wrong count FAIL', async () => {
      const study = await make();
      expect(await told(study, 1.5)).to.deep.include({ state: 'COMPLETE', values: [1.5] });
      const infinite = await told(study, Number.NEGATIVE_INFINITY);
      expect(infinite.values).to.deep.equal([Number.NEGATIVE_INFINITY]);
      const nan = await told(study, Number.NaN);
      expect(nan).to.deep.include({ state: 'FAIL', values: null });
      expect(nan.systemAttributes.get('fail_reason')).to.contain('NaN');
      const two = await told(study, [1, 2]);
      expect(two).to.deep.include({ state: 'FAIL', values: null });
      expect(two.systemAttributes.get('fail_reason')).to.contain('1 values were expected');
      expect((await trialsOf(study)).map(({ state }) => state)).to.deep.equal([
        'COMPLETE',
        'COMPLETE',
        'FAIL',
        'FAIL',
      ]);
    });

    it('PRUNED with their last report as value, unless it is NaN or there are several directions', async () => {
      const study = await make();
      const pruned = async (from: Study, ...reports: [number, number][]) => {
        const trial = await from.ask();
        for (const [step, value] of reports) trial.report(value, step);
        return (await from.tell(trial, 'PRUNED')).values;
      };
      expect(await pruned(study, [7, 0.5], [3, 0.9])).to.deep.equal([0.5]);
      expect(await pruned(study, [1, Number.POSITIVE_INFINITY])).to.deep.equal([
        Number.POSITIVE_INFINITY,
      ]);
      expect(await pruned(study, [1, 0.5], [2, Number.NaN])).to.equal(null);
      expect(await pruned(study)).to.equal(null);
      const several = await make({ directions: ['MINIMIZE', 'MAXIMIZE'] });
      expect(await pruned(several, [1, 0.5])).to.equal(null);
    });

    it('once', async () => {
      const study = await make();
      const trial = await study.ask();
      await study.tell(trial, 1);
      for (const again of [trial, 0, 7]) {
        expect((await failure(study.tell(again, 2))).code).to.equal('database_refused');
      }
      expect((await trialsOf(study))[0]!.values).to.deep.equal([1]);
    });

    it('that another process asked for, by number', async () => {
      const storage = openMemoryStorage();
      const study = await make({ storage });
      await study.ask();
      const other = await make({ storage, loadIfExists: true });
      expect(await other.tell(0, 4)).to.deep.include({ state: 'COMPLETE', values: [4] });
      expect((await trialsOf(study))[0]!.values).to.deep.equal([4]);
    });

    it('again after the storage failed, with all that they gathered', async () => {
      const storage = openMemoryStorage();
      let fails = true;
      const shaky: Storage = {
        ...storage,
        write: (...args) => (fails ? Promise.reject(new Error('gone')) : storage.write(...args)),
        finish: (...args) => (fails ? Promise.reject(new Error('gone')) : storage.finish(...args)),
      };
      const study = await make({ storage: shaky });
      const trial = await study.ask({ x: floatDistribution(0, 1) });
      await new Promise((resolve) => setImmediate(resolve));
      trial.report(1, 0);
      let thrown: unknown;
      await study.tell(trial, 7).catch((error) => {
        thrown = error;
      });
      expect(thrown).to.have.property('message', 'gone');
      fails = false;
      await study.tell(trial, 7);
      const [stored] = await trialsOf(study);
      expect(stored).to.deep.include({ state: 'COMPLETE', values: [7] });
      expect([stored!.params.size, stored!.reports.size]).to.deep.equal([1, 1]);
    });

    it('that could not be given their parameters', async () => {
      const study = await make();
      await study.tell(await study.ask({ x: floatDistribution(0, 1) }), 1);
      const error = await failure(study.ask({ x: floatDistribution(1, 2, { log: true }) }));
      expect(error.code).to.equal('input_invalid');
      const { state, systemAttributes } = (await trialsOf(study))[1]!;
      expect(state).to.equal('FAIL');
      expect(systemAttributes.get('fail_reason')).to.contain('cannot change');
    });

    it('at the times of its clock', async () => {
      const { clock, pass } = watch();
      const study = await make({ clock });
      const trial = await study.ask();
      pass(1234);
      const { startedAt, completedAt } = await study.tell(trial, 1);
      expect([startedAt, completedAt]).to.deep.equal([clock() - 1234, clock()]);
    });
  });

  describe('prunes', () => {
    const pruner: Pruner = {
      decide: (study, trial) => ({
        prune: trial.reports.size >= 2,
        remember: new Map([[`seen_${trial.reports.size}`, study.trials.length]]),
      }),
      peers: (study, trial) => study.trials.filter((peer) => peer.number % 2 === trial.number % 2),
    };

    it('when the pruner says so, which sees the reports and remembers', async () => {
      const study = await make({ pruner });
      const trial = await study.ask();
      trial.report(0.5, 1);
      trial.report(0.7, 1);
      expect(await trial.shouldPrune()).to.equal(false);
      trial.report(Number.NaN, 2);
      expect(await trial.shouldPrune()).to.equal(true);
      const [stored] = await trialsOf(study);
      expect([...stored!.reports]).to.deep.equal([
        [1, 0.5],
        [2, Number.NaN],
      ]);
      expect([...stored!.systemAttributes]).to.deep.equal([
        ['seen_1', 1],
        ['seen_2', 1],
      ]);
      expect(() => trial.report(1, -1)).to.throw('whole number from 0');
    });

    it('by vectors of reports where there are several directions, the first of a step', async () => {
      const inner = multiObjectivePruner(percentilePruner(50, { startupTrials: 1 }));
      const study = await make({ pruner: inner, directions: ['MINIMIZE', 'MAXIMIZE'] });
      const reporting = async (...vectors: readonly (readonly number[])[]) => {
        const trial = await study.ask();
        for (const vector of vectors) trial.report(vector, 1);
        const isPruned = await trial.shouldPrune();
        await study.tell(trial, isPruned ? 'PRUNED' : [1, 1]);
        return isPruned;
      };
      expect(await reporting([1, 5], [9, 0])).to.equal(false);
      expect(await reporting([2, 4])).to.equal(true);
      expect(await reporting([0, Number.POSITIVE_INFINITY])).to.equal(true);
      expect(await reporting([0, 6])).to.equal(false);
      const [first, , third] = await trialsOf(study);
      expect([...first!.systemAttributes]).to.deep.equal([['sluice:report:1', [1, 5]]]);
      expect(first!.reports.size).to.equal(0);
      expect([...vectorReportsOf(third!)]).to.deep.equal([[1, [0, Number.NaN]]]);
      const trial = await study.ask();
      expect(() => trial.report([1, 2, 3], 1))
        .to.throw('2 directions')
        .with.property('code', 'length_mismatch');
    });

    it('never without a pruner', async () => {
      const trial = await (await make()).ask();
      trial.report(1, 0);
      expect(await trial.shouldPrune()).to.equal(false);
    });

    it('in brackets: the sampler learns from the peers of a trial only', async () => {
      const seen: number[][] = [];
      const sampler: Sampler = {
        ...middle,
        relative: (study: StudySnapshot) => {
          seen.push(study.trials.map(({ number }) => number));
          return new Map();
        },
      };
      const study = await make({ pruner, sampler });
      await optimize(study, (trial) => trial.suggestFloat('x', 0, 1), { trials: 3 });
      expect(seen).to.deep.equal([[0], [1], [0, 2]]);
    });
  });

  describe('knows its best', () => {
    const withConstraints = async (study: Study, outcome: Outcome, over: number) => {
      const trial = await study.ask();
      trial.setConstraints({ drawdown: over, turnover: -1 });
      return study.tell(trial, outcome);
    };

    it('trial of one direction: complete, feasible, the earliest of equals', async () => {
      const study = await make({ directions: ['MAXIMIZE'] });
      expect(bestTrial(await study.snapshot())).to.equal(null);
      for (const outcome of [3, 5, 'FAIL', 5, Number.NaN] as const) await told(study, outcome);
      expect(bestTrial(await study.snapshot())?.number).to.equal(1);
      await withConstraints(study, 9, 0.1);
      expect(bestTrial(await study.snapshot())?.number).to.equal(1);
      const feasible = await withConstraints(study, 8, 0);
      expect(bestTrial(await study.snapshot())?.number).to.equal(feasible.number);
      expect([...constraintsOf(feasible)]).to.deep.equal([
        ['drawdown', 0],
        ['turnover', -1],
      ]);
      expect(feasible.systemAttributes.get('constraints')).to.deep.equal([0, -1]);
    });

    it('constraints of either of the forms that Optuna writes', async () => {
      const study = await make();
      const trial = await study.ask();
      trial.setSystemAttribute('constraints:depth', 0.5);
      expect([...constraintsOf(await study.tell(trial, 1))]).to.deep.equal([['depth', 0.5]]);
      expect(bestTrial(await study.snapshot())).to.equal(null);
      const other = await study.ask();
      expect(() => other.setConstraints({ a: Number.NaN })).to.throw('Constraint a must be finite');
    });

    it('trials of several directions: those that no other beats', async () => {
      const study = await make({ directions: ['MINIMIZE', 'MAXIMIZE'] });
      for (const values of [
        [1, 1],
        [2, 2],
        [2, 1],
        [1, 1],
        [3, 2],
        [0, Number.NEGATIVE_INFINITY],
      ]) {
        await told(study, values);
      }
      await withConstraints(study, [-1, 9], 1);
      expect(paretoFront(await study.snapshot()).map(({ number }) => number)).to.deep.equal([
        0, 1, 3, 5,
      ]);
    });
  });

  it('asks its storage only for trials that are new or were open', async () => {
    const storage = openMemoryStorage();
    const reads: unknown[] = [];
    const watched: Storage = {
      ...storage,
      readTrials: (studyId, afterId, openIds) => {
        reads.push([afterId, openIds]);
        return storage.readTrials(studyId, afterId, openIds);
      },
    };
    const study = await make({ storage: watched });
    const open = await study.ask();
    const { id } = await told(study, 1);
    reads.length = 0;
    await study.snapshot();
    await study.snapshot();
    expect(reads).to.deep.equal([
      [id, [open.id, id]],
      [id, [open.id]],
    ]);
  });

  it('never shows a finished trial as running again, however its reads overlap', async () => {
    const storage = openMemoryStorage();
    let late: (() => void) | undefined;
    const slow: Storage = {
      ...storage,
      readTrials: async (...args) => {
        const read = await storage.readTrials(...args);
        if (late === undefined) {
          await new Promise<void>((resolve) => {
            late = resolve;
          });
        }
        return read;
      },
    };
    const writer = await make({ storage });
    const trial = await writer.ask();
    const reader = await make({ storage: slow, loadIfExists: true });
    const first = reader.snapshot();
    await new Promise((resolve) => setImmediate(resolve));
    await writer.tell(trial, 1);
    expect((await trialsOf(reader))[0]!.state).to.equal('COMPLETE');
    late!();
    expect((await first).trials[0]!.state).to.equal('COMPLETE');
  });

  it('reads each finished trial once: the same object in every snapshot', async () => {
    const study = await make();
    await told(study, 1);
    const [before] = await trialsOf(study);
    await told(study, 2);
    const [after] = await trialsOf(study);
    expect(after).to.equal(before);
  });

  describe('with leases', () => {
    const pair = async (options: Partial<StudyOptions> = {}) => {
      const time = watch();
      const storage = openMemoryStorage();
      const join = () =>
        make({ storage, loadIfExists: true, clock: time.clock, leaseMs: 1000, ...options });
      return { ...time, one: await join(), two: await join() };
    };

    it('gives the trial of a dead worker to the next, under its number', async () => {
      const { one, two, pass } = await pair({ maxRetries: 1 });
      const lost = await one.ask();
      pass(1001);
      const found = await two.ask();
      expect(found.number).to.equal(lost.number);
      expect((await failure(one.tell(lost, 1))).code).to.equal('database_refused');
      await two.tell(found, 2);
      expect((await trialsOf(one)).map(({ values }) => values)).to.deep.equal([[2]]);
    });

    it('tells a worker that lost its trial to stop, at its next look at the pruner', async () => {
      const pruner: Pruner = {
        decide: () => ({ prune: false, remember: new Map() }),
        peers: () => null,
      };
      const { one, two, pass } = await pair({ pruner });
      const lost = await one.ask();
      lost.report(1, 1);
      expect(await lost.shouldPrune()).to.equal(false);
      pass(1001);
      expect(await two.reclaim()).to.deep.equal([0]);
      lost.report(1, 2);
      expect(await lost.shouldPrune()).to.equal(true);
      // once known it stays known, whoever found it out
      expect(await lost.shouldPrune()).to.equal(true);
      const states = (await trialsOf(two)).map(({ state }: FrozenTrial) => state);
      expect(states).to.deep.equal(['FAIL']);
    });

    it('does not take the word of a lost trial for that of the one that runs now', async () => {
      const { one, pass } = await pair({ maxRetries: 1 });
      const lost = await one.ask({ x: floatDistribution(0, 1) });
      pass(1001);
      const found = await one.ask();
      expect(found.number).to.equal(lost.number);
      expect((await failure(one.tell(lost, 1))).code).to.equal('database_refused');
      expect((await trialsOf(one))[0]).to.deep.include({ state: 'RUNNING', params: new Map() });
      pass(900);
      await one.heartbeat();
      pass(900);
      expect(await one.reclaim()).to.deep.equal([]);
      expect(await one.tell(found, 2)).to.deep.include({ state: 'COMPLETE', values: [2] });
    });

    it('keeps no trial alive that another worker has by now', async () => {
      const { one, two, pass } = await pair({ maxRetries: 2 });
      await one.ask();
      pass(1001);
      const found = await two.ask();
      expect(found.number).to.equal(0);
      pass(900);
      await one.heartbeat();
      pass(900);
      expect(await one.reclaim()).to.deep.equal([0]);
    });

    it('takes back all at once where no other worker can be alive', async () => {
      const { one, two, pass } = await pair();
      await one.ask();
      pass(1);
      expect(await two.reclaim()).to.deep.equal([]);
      expect(await two.reclaim(0)).to.deep.equal([0]);
    });

    it('leaves alone who sends heartbeats', async () => {
      const { one, two, pass } = await pair();
      const trial = await one.ask();
      for (let beats = 0; beats < 3; beats += 1) {
        pass(900);
        await one.heartbeat();
        expect((await two.ask()).number).to.equal(beats + 1);
      }
      expect((await one.tell(trial, 1)).state).to.equal('COMPLETE');
    });
  });
});
