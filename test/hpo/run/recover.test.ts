import { join } from 'node:path';
import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import { openJournal, readJournal } from '../../../hpo/journal/index.ts';
import { recover } from '../../../hpo/run/recover.ts';
import { openMemoryStorage } from '../../../hpo/storage/index.ts';
import type { FrozenTrial, Storage } from '../../../hpo/study/index.ts';
import { smallTrial } from '../journal/smallTrial.ts';
import { decided, inFolder } from './searches.ts';

const nothing = {
  params: new Map(),
  reports: new Map(),
  userAttributes: new Map(),
  systemAttributes: new Map(),
};
const done = { state: 'COMPLETE', values: [1], completedAt: 5 } as const;

/** Brings a storage and a journal with these trials in order. */
async function recovered(
  prepare: (storage: Storage, studyId: number) => Promise<void>,
  journal: readonly FrozenTrial[],
  isOurs = true,
) {
  return inFolder(async (folder) => {
    const storage = openMemoryStorage();
    const { id } = await storage.createStudy('coarse', ['MINIMIZE']);
    await prepare(storage, id);
    const path = join(folder, 'study.jsonl');
    const open = openJournal(path, 'coarse');
    open.append(journal);
    open.close();
    const again = openJournal(path, 'coarse');
    try {
      const { reclaimed } = await recover(storage, id, again, 10, isOurs);
      const written = [...readJournal(path, 'coarse')].map(({ number }) => number);
      return { reclaimed, written, trials: await storage.readTrials(id, -1, []) };
    } finally {
      again.close();
    }
  });
}

const statesOf = (trials: readonly FrozenTrial[]) => trials.map(({ state }) => state).join();

describe('what the last run left', () => {
  it('is added to the storage where only the journal has it, under its numbers', async () => {
    const journal = [smallTrial(0), smallTrial(3)];
    const { trials, reclaimed } = await recovered(async () => {}, journal);
    expect(statesOf(trials)).to.equal('COMPLETE,WAITING,WAITING,COMPLETE');
    expect(decided([trials[0]!, trials[3]!])).to.deep.equal(decided(journal));
    expect(reclaimed).to.equal(0);
  });

  it('is added to the journal where only the storage has it', async () => {
    const { written } = await recovered(async (storage, id) => {
      for (const _ of [0, 1]) await storage.finish(await storage.ask(id, 1, null), nothing, done);
      await storage.ask(id, 1, null);
    }, []);
    expect(written).to.deep.equal([0, 1]);
  });

  it('ends as the journal says where the storage has it running or waiting', async () => {
    const journal = [smallTrial(0), smallTrial(3)];
    const { trials, reclaimed } = await recovered(async (storage, id) => {
      await storage.ask(id, 1, null);
      const { id: _, number: __, ...finished } = smallTrial(1);
      for (const _ of [1, 2, 3]) {
        await storage.addTrial(id, { ...finished, ...nothing, state: 'WAITING', values: null });
      }
    }, journal);
    expect(statesOf(trials)).to.equal('COMPLETE,WAITING,WAITING,COMPLETE');
    expect(decided([trials[0]!, trials[3]!])).to.deep.equal(decided(journal));
    expect(reclaimed).to.equal(2);
  });

  it('waits for its turn again where it ran, unless another machine may be running it', async () => {
    const ask = async (storage: Storage, id: number) => {
      const trial = await storage.ask(id, 1, { staleBefore: 0, maxRetries: 0 });
      const param = {
        value: 1,
        distribution: smallTrial(0).params.values().next().value!.distribution,
      };
      await storage.write(trial, { ...nothing, params: new Map([['x', param]]) });
    };
    const ours = await recovered(ask, []);
    expect(ours).to.include({ reclaimed: 1 });
    expect(statesOf(ours.trials)).to.equal('WAITING');
    expect(ours.trials[0]!.params.size).to.equal(0);
    const shared = await recovered(ask, [], false);
    expect(shared).to.include({ reclaimed: 0 });
    expect(statesOf(shared.trials)).to.equal('RUNNING');
  });

  it('is refused if the journal is another study’s of this name', async () => {
    const other = { ...smallTrial(0), values: [77] };
    const end = (storage: Storage, id: number) =>
      storage.addTrial(id, smallTrial(0)).then(() => undefined);
    let thrown: unknown;
    await recovered(end, [other]).catch((error) => {
      thrown = error;
    });
    expect(thrown).to.be.instanceOf(SluiceError).with.property('code', 'input_invalid');
  });
});
