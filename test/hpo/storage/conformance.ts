// What every storage of studies must do.

import { expect } from 'chai';
import fc from 'fast-check';
import type { FrozenTrial, Lineage, Storage } from '../../../hpo/study/index.ts';
import { failure } from '../../data/store/failure.ts';
import { everything, noChanges, plain, waiting } from './trials.ts';

/** 2026-11-22T17:15:59.777Z */
const start = 1_795_367_759_777;
const complete = { state: 'COMPLETE', values: [0.25], completedAt: start + 5 } as const;

/** Declares the suite; `open` gives a storage without studies, once. */
export function conformance(kind: string, open: () => Promise<Storage>): void {
  describe(`a storage of studies: ${kind}`, () => {
    let storage: Storage;
    let names = 0;
    before(async () => {
      storage = await open();
    });
    after(() => storage?.close());

    const newStudy = async () => {
      names += 1;
      return (await storage.createStudy(`study ${names}`, ['MINIMIZE'])).id;
    };
    const all = (studyId: number) => storage.readTrials(studyId, -1, []);
    const ask = (studyId: number, now = start) => storage.ask(studyId, now, null);
    const only = async (studyId: number): Promise<FrozenTrial> => {
      const trials = await all(studyId);
      expect(trials).to.have.length(1);
      return trials[0]!;
    };

    describe('studies', () => {
      it('are found by name, and listed in the order in which they were made', async () => {
        const first = await storage.createStudy('first', ['MAXIMIZE', 'MINIMIZE']);
        const second = await storage.createStudy('second', ['MINIMIZE']);
        expect(first.directions).to.deep.equal(['MAXIMIZE', 'MINIMIZE']);
        expect(await storage.findStudy('first')).to.deep.equal(first);
        expect(await storage.findStudy('none')).to.equal(null);
        const listed = await storage.listStudies();
        expect(listed.slice(-2)).to.deep.equal([first, second]);
      });

      it('have names of their own', async () => {
        await storage.createStudy('taken', ['MINIMIZE']);
        const error = await failure(storage.createStudy('taken', ['MAXIMIZE']));
        expect(error.code).to.equal('database_refused');
        expect((await storage.findStudy('taken'))?.directions).to.deep.equal(['MINIMIZE']);
      });

      it('keep attributes of two kinds, each key once', async () => {
        const id = await newStudy();
        await storage.setStudyAttributes(id, 'user', new Map([['a', 1]]));
        await storage.setStudyAttributes(id, 'system', new Map([['a', ['x']]]));
        await storage.setStudyAttributes(
          id,
          'user',
          new Map<string, { deep: null } | string>([
            ['a', { deep: null }],
            ['b', 'two'],
          ]),
        );
        expect(await storage.readStudyAttributes(id, 'user')).to.deep.equal(
          new Map<string, unknown>([
            ['a', { deep: null }],
            ['b', 'two'],
          ]),
        );
        expect(await storage.readStudyAttributes(id, 'system')).to.deep.equal(
          new Map([['a', ['x']]]),
        );
      });

      it('are gone with their trials when deleted, and leave the others alone', async () => {
        const [kept, gone] = [await newStudy(), await newStudy()];
        const trial = await ask(gone);
        await storage.finish(trial, everything, complete);
        await ask(kept);
        await storage.deleteStudy(gone);
        expect(await all(kept)).to.have.length(1);
        expect((await failure(ask(gone))).code).to.equal('input_missing');
        expect(await storage.write(trial, noChanges)).to.equal(false);
        expect((await storage.listStudies()).map((study) => study.id)).not.to.include(gone);
      });

      it('that do not exist are named', async () => {
        for (const attempt of [
          () => storage.deleteStudy(987_654),
          () => storage.setStudyAttributes(987_654, 'user', new Map([['a', 1]])),
          () => storage.readStudyAttributes(987_654, 'system'),
          () => storage.ask(987_654, start, { staleBefore: start, maxRetries: 0 }),
          () => storage.addTrial(987_654, waiting({})),
        ]) {
          const error = await failure(attempt());
          expect(error.code).to.equal('input_missing');
          expect(error.message).to.contain('987654');
        }
      });
    });

    describe('trials', () => {
      it('are numbered from 0 in each study, running from the time of the ask', async () => {
        const [one, other] = [await newStudy(), await newStudy()];
        const asked = [await ask(one), await ask(other), await ask(one, start + 1)];
        expect(asked.map((trial) => trial.number)).to.deep.equal([0, 0, 1]);
        expect(new Set(asked.map((trial) => trial.id)).size).to.equal(3);
        expect(plain(asked[2]!)).to.deep.equal({
          ...plain({ ...asked[2]!, ...noChanges }),
          state: 'RUNNING',
          values: null,
          startedAt: start + 1,
          completedAt: null,
        });
        expect((await all(one)).map(plain)).to.deep.equal([asked[0]!, asked[2]!].map(plain));
      });

      it('give back all that was written, when running and when finished', async () => {
        const id = await newStudy();
        const trial = await ask(id);
        expect(await storage.write(trial, everything)).to.equal(true);
        const running = await only(id);
        const sorted = new Map([...everything.reports].sort(([a], [b]) => a - b));
        expect(plain(running)).to.deep.equal(plain({ ...trial, ...everything, reports: sorted }));
        expect(await storage.finish(trial, noChanges, complete)).to.equal(true);
        expect(plain(await only(id))).to.deep.equal(plain({ ...running, ...complete }));
      });

      it('keep parameters in the order in which they were suggested', async () => {
        const id = await newStudy();
        const trial = await ask(id);
        const distribution = { kind: 'float', low: 0, high: 9, step: null, log: false } as const;
        await storage.write(trial, {
          ...noChanges,
          params: new Map(['z', 'a', 'm'].map((name, value) => [name, { value, distribution }])),
        });
        await storage.finish(
          trial,
          { ...noChanges, params: new Map([['b', { value: 3, distribution }]]) },
          complete,
        );
        expect([...(await only(id)).params.keys()]).to.deep.equal(['z', 'a', 'm', 'b']);
      });

      it('end in three ways, with values that may be infinite', async () => {
        const id = await newStudy();
        const ends = [
          { state: 'COMPLETE', values: [Number.NEGATIVE_INFINITY, 3], completedAt: start },
          { state: 'PRUNED', values: [Number.POSITIVE_INFINITY], completedAt: start + 1 },
          { state: 'PRUNED', values: null, completedAt: start + 2 },
          { state: 'FAIL', values: null, completedAt: start + 3 },
        ] as const;
        for (const end of ends) await storage.finish(await ask(id), noChanges, end);
        expect(
          (await all(id)).map(({ state, values, completedAt }) => ({ state, values, completedAt })),
        ).to.deep.equal(ends);
      });

      it('never change once they are finished', async () => {
        const id = await newStudy();
        const trial = await ask(id);
        await storage.finish(trial, everything, complete);
        const before = plain(await only(id));
        expect(await storage.write(trial, everything)).to.equal(false);
        expect(
          await storage.finish(trial, noChanges, {
            state: 'FAIL',
            values: null,
            completedAt: start,
          }),
        ).to.equal(false);
        await storage.heartbeat([trial.id], start);
        expect(plain(await only(id))).to.deep.equal(before);
      });

      it('that wait are run before new ones, the oldest first, under their numbers', async () => {
        const id = await newStudy();
        const running = await ask(id);
        const first = await storage.addTrial(id, waiting({ x: 1 }));
        const second = await storage.addTrial(id, waiting({ x: 'two', y: null }));
        expect([first.number, second.number, first.startedAt]).to.deep.equal([1, 2, null]);
        const asked = [await ask(id, start + 7), await ask(id), await ask(id)];
        expect(asked.map((trial) => trial.number)).to.deep.equal([1, 2, 3]);
        expect(plain(asked[0]!)).to.deep.equal(
          plain({ ...first, state: 'RUNNING', startedAt: start + 7 }),
        );
        expect(asked[1]!.systemAttributes.get('fixed_params')).to.deep.equal({ x: 'two', y: null });
        expect((await all(id)).map((trial) => trial.state)).to.deep.equal(
          Array.from({ length: 4 }, () => 'RUNNING'),
        );
        expect(running.number).to.equal(0);
      });

      it('from elsewhere are added whole', async () => {
        const id = await newStudy();
        const draft = { ...everything, ...complete, startedAt: start };
        const added = await storage.addTrial(id, draft);
        const sorted = new Map([...everything.reports].sort(([a], [b]) => a - b));
        expect(plain(await only(id))).to.deep.equal(
          plain({ ...draft, reports: sorted, id: added.id, number: 0 }),
        );
      });

      it('that are told apart by an attribute are added once, whatever became of the first', async () => {
        const [id, other] = [await newStudy(), await newStudy()];
        const taking = (number: number) => ({
          ...waiting({ x: 1 }),
          userAttributes: new Map([['takes_up', { study: 'coarse "1"', number }]]),
        });
        const add = async (studyId: number, number: number) =>
          (await storage.addTrialOnce(studyId, taking(number), 'takes_up'))?.number ?? null;
        expect([await add(id, 7), await add(id, 7)]).to.deep.equal([0, null]);
        expect([await add(id, 8), await add(other, 7)]).to.deep.equal([1, 0]);
        const [first] = await all(id);
        expect(first!.state).to.equal('WAITING');
        expect(first!.systemAttributes.get('fixed_params')).to.deep.equal({ x: 1 });
        await storage.ask(id, start, { staleBefore: 0, maxRetries: 1 });
        expect(await add(id, 7)).to.equal(null);
        // taken back from a worker that was silent
        expect(await storage.reclaim(id, start, { staleBefore: start + 1, maxRetries: 1 })).to.eql([
          0,
        ]);
        expect(await add(id, 7)).to.equal(null);
        await storage.finish(await ask(id), noChanges, {
          ...complete,
          state: 'FAIL',
          values: null,
        });
        expect(await add(id, 7)).to.equal(null);
        // as the same JSON, whichever of its keys comes first
        const turned = new Map([['takes_up', { number: 8, study: 'coarse "1"' }]]);
        const draft = { ...waiting({}), userAttributes: turned };
        expect(await storage.addTrialOnce(id, draft, 'takes_up')).to.equal(null);
        expect(await all(id)).to.have.length(2);
        expect((await failure(storage.addTrialOnce(id, draft, 'from'))).code).to.equal(
          'out_of_range',
        );
        expect((await failure(storage.addTrialOnce(987_654, draft, 'takes_up'))).code).to.equal(
          'input_missing',
        );
      });

      it('that are told apart by an attribute are added once, however many add them at once', async () => {
        const id = await newStudy();
        const added = await Promise.all(
          Array.from({ length: 24 }, (_, at) =>
            storage.addTrialOnce(
              id,
              { ...waiting({}), userAttributes: new Map([['takes_up', at % 3]]) },
              'takes_up',
            ),
          ),
        );
        expect(added.filter((trial) => trial !== null)).to.have.length(3);
        const values = (await all(id)).map(({ userAttributes }) => userAttributes.get('takes_up'));
        expect(values.sort()).to.deep.equal([0, 1, 2]);
      });

      it('are read in parts: the newer ones, and those that were open', async () => {
        const id = await newStudy();
        const [a, b, c] = [await ask(id), await ask(id), await ask(id)];
        await storage.finish(a, noChanges, complete);
        expect((await storage.readTrials(id, b.id, [])).map(({ number }) => number)).to.deep.equal([
          2,
        ]);
        expect(
          (await storage.readTrials(id, c.id, [a.id, b.id])).map(({ number, state }) => [
            number,
            state,
          ]),
        ).to.deep.equal([
          [0, 'COMPLETE'],
          [1, 'RUNNING'],
        ]);
        expect(await storage.readTrials(id, c.id, [])).to.deep.equal([]);
      });

      it('take all of a write or nothing', async () => {
        const id = await newStudy();
        const trial = await ask(id);
        const odd = new Map<string, number>([
          ['fine', 1],
          ['odd', Number.NaN],
        ]);
        const error = await failure(
          storage.finish(trial, { ...everything, userAttributes: odd }, complete),
        );
        expect(error.code).to.equal('not_canonical');
        expect(plain(await only(id))).to.deep.equal(plain(trial));
        expect(await storage.finish(trial, everything, complete)).to.equal(true);
      });

      it('are numbered without gaps or twins, however many ask at once', async () => {
        const id = await newStudy();
        const asked = await Promise.all(Array.from({ length: 20 }, () => ask(id)));
        expect(asked.map((trial) => trial.number).sort((a, b) => a - b)).to.deep.equal(
          Array.from({ length: 20 }, (_, at) => at),
        );
        await Promise.all(asked.map((trial) => storage.finish(trial, everything, complete)));
        const trials = await all(id);
        expect(trials.map(({ number, state }) => `${number} ${state}`)).to.deep.equal(
          Array.from({ length: 20 }, (_, at) => `${at} COMPLETE`),
        );
      });

      it('keep every finite number to the last bit', async () => {
        const id = await newStudy();
        const trial = await ask(id);
        const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0);
        const values = fc.sample(number, { numRuns: 60, seed: 5 });
        const distribution = { kind: 'float', low: -1, high: 1, step: null, log: false } as const;
        await storage.finish(
          trial,
          {
            ...noChanges,
            params: new Map(values.map((value, at) => [`p${at}`, { value, distribution }])),
            reports: new Map(values.map((value, at) => [at, value])),
          },
          { ...complete, values },
        );
        const back = await only(id);
        expect([...back.params.values()].map(({ value }) => value)).to.deep.equal(values);
        expect([...back.reports.values()]).to.deep.equal(values);
        expect(back.values).to.deep.equal(values);
      });
    });

    describe('leases', () => {
      const lease = (staleBefore: number, maxRetries = 0) => ({ staleBefore, maxRetries });

      it('take back who is silent, and nobody who beats or never beat', async () => {
        const id = await newStudy();
        const silent = await storage.ask(id, start, lease(0));
        const beating = await storage.ask(id, start, lease(0));
        await ask(id);
        await storage.heartbeat([beating.id], start + 100);
        expect(await storage.reclaim(id, start + 200, lease(start))).to.deep.equal([]);
        expect(await storage.reclaim(id, start + 200, lease(start + 100))).to.deep.equal([0]);
        expect((await all(id)).map(({ state }) => state)).to.deep.equal([
          'FAIL',
          'RUNNING',
          'RUNNING',
        ]);
        expect((await all(id))[0]!.completedAt).to.equal(start + 200);
        expect(await storage.finish(silent, noChanges, complete)).to.equal(false);
        expect(await storage.reclaim(id, start + 300, lease(start + 100))).to.deep.equal([]);
      });

      it('give a silent trial to the next who asks, clean, under its number, until it fails', async () => {
        const id = await newStudy();
        const draft = { ...waiting({ x: 1 }), userAttributes: new Map([['from', 'elsewhere']]) };
        await storage.addTrial(id, draft);
        const first = await storage.ask(id, start, lease(0, 1));
        await storage.write(first, everything);
        const second = await storage.ask(id, start + 50, lease(start + 50, 1));
        expect(second.number).to.equal(0);
        expect(second.startedAt).to.equal(start + 50);
        expect([second.params.size, second.reports.size]).to.deep.equal([0, 0]);
        expect([...second.systemAttributes]).to.deep.equal([
          ['fixed_params', { x: 1 }],
          ['sluice_retries', 1],
        ]);
        expect(second.userAttributes.get('from')).to.equal('elsewhere');
        // the first worker wakes up: it holds nothing any more
        expect(await storage.write(first, everything)).to.equal(false);
        expect(await storage.finish(first, noChanges, complete)).to.equal(false);
        expect(plain(await only(id))).to.deep.equal(plain(second));
        const third = await storage.ask(id, start + 100, lease(start + 100, 1));
        expect(third.number).to.equal(1);
        expect((await all(id)).map(({ state }) => state)).to.deep.equal(['FAIL', 'RUNNING']);
      });
    });

    describe('lineages', () => {
      const lineage = (fields: Partial<Lineage> = {}): Lineage => ({
        lineageId: `lineage ${names}`,
        configDigest: 'c0ffee',
        stage: 1,
        parent: null,
        ...fields,
      });

      it('count every trial ever made, deleted studies included', async () => {
        const [early, late, other] = [await newStudy(), await newStudy(), await newStudy()];
        await ask(early);
        const mine = lineage();
        await storage.setLineage(early, mine);
        await storage.setLineage(late, { ...mine, stage: 2, parent: 'study early' });
        await storage.addTrial(early, waiting({}));
        await ask(late);
        await ask(other);
        const counts = async () =>
          (await storage.readLineage(mine.lineageId)).map(({ deleted, stage, trialCount }) => [
            deleted,
            stage,
            trialCount,
          ]);
        const before = [
          [false, 1, 2],
          [false, 2, 1],
        ];
        expect(await counts()).to.deep.equal(before);
        await storage.deleteStudy(early);
        expect(await counts()).to.deep.equal([[true, 1, 2], before[1]]);
        // the id of a deleted study may be given out again
        await ask((await storage.createStudy(`reborn ${kind}`, ['MINIMIZE'])).id);
        expect(await counts()).to.deep.equal([[true, 1, 2], before[1]]);
      });

      it('are set once for a study', async () => {
        const id = await newStudy();
        expect(await storage.findLineage(id)).to.equal(null);
        await storage.setLineage(id, lineage());
        await storage.setLineage(id, lineage());
        const error = await failure(storage.setLineage(id, lineage({ stage: 3 })));
        expect(error.code).to.equal('database_refused');
        expect(await storage.findLineage(id)).to.deep.include({ ...lineage(), deleted: false });
        expect((await failure(storage.setLineage(987_654, lineage()))).code).to.equal(
          'input_missing',
        );
      });

      it('tell of a trial what it took up and what it rests on', async () => {
        const id = await newStudy();
        const provenance = {
          parent: { studyName: 'coarse', number: 7 },
          evidence: { dataset: 'abc', windows: [[1, 2]] },
        };
        expect((await failure(storage.setProvenance(id, 0, provenance))).code).to.equal(
          'database_refused',
        );
        await storage.setLineage(id, lineage());
        await storage.setProvenance(id, 0, { parent: null, evidence: null });
        await storage.setProvenance(id, 0, provenance);
        expect(await storage.findProvenance(id, 0)).to.deep.equal(provenance);
        expect(await storage.findProvenance(id, 1)).to.equal(null);
      });
    });
  });
}
