import { expect } from 'chai';
import { joinRows } from '../../../serving/load/joinedRows.ts';

const row = (value: number) => Float32Array.of(value);

describe('rows that are scored together', () => {
  it('go together while a run is on its way, each with its own answer', async () => {
    const runs: number[] = [];
    const score = joinRows(async (rows) => {
      runs.push(rows.length);
      return Float64Array.from(rows, (values) => values[0]! * 2);
    }, 4);
    const scores = await Promise.all([1, 2, 3, 4, 5, 6].map((value) => score(row(value))));
    expect(scores.map(([value]) => value)).to.deep.equal([2, 4, 6, 8, 10, 12]);
    expect(runs).to.deep.equal([1, 4, 1]);
  });

  it('never overlap, also when more ask while a run is on its way', async () => {
    let running = 0;
    const score = joinRows(async (rows) => {
      running += 1;
      expect(running).to.equal(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running -= 1;
      return Float64Array.from(rows, (values) => values[0]!);
    }, 3);
    const first = score(row(1));
    await new Promise((resolve) => setImmediate(resolve));
    const later = [2, 3, 4, 5].map((value) => score(row(value)));
    const scores = await Promise.all([first, ...later]);
    expect(scores.map(([value]) => value)).to.deep.equal([1, 2, 3, 4, 5]);
  });

  it('keep their answers when the buffer behind them is used again', async () => {
    const shared = new Float64Array(1);
    const score = joinRows(async ([values]) => {
      shared[0] = values![0]!;
      return shared;
    }, 1);
    const [a, b] = await Promise.all([score(row(1)), score(row(2))]);
    expect([a[0], b[0]]).to.deep.equal([1, 2]);
  });

  it('fail together when their run fails, and the next run goes on', async () => {
    let broken = true;
    const score = joinRows(async (rows) => {
      if (broken) throw new Error('no');
      return new Float64Array(rows.length);
    }, 8);
    const failed = await Promise.allSettled([score(row(1)), score(row(2))]);
    expect(failed.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    broken = false;
    expect((await score(row(1)))[0]).to.equal(0);
  });
});
