import { expect } from 'chai';
import {
  checkHandshake,
  choosePolicy,
  createRecorder,
  isRefusal,
  type PredictionRecord,
  putRow,
} from '../../../serving/route/index.ts';
import { fakeModel } from '../fakeModel.ts';

const { manifest } = fakeModel();
const columns = manifest.feature_schema;

describe('the row of features', () => {
  it('holds float32 values in schema order, NaN for null', () => {
    const into = new Float32Array(6);
    expect(putRow(into, 3, { c: 3, a: 0.1, b: null }, columns)).to.equal(undefined);
    expect(Array.from(into)).to.deep.equal([0, 0, 0, Math.fround(0.1), Number.NaN, 3]);
  });

  it('never turns a missing value into zero', () => {
    const refusals = [
      [null, 1, 1],
      [undefined, 1, 1],
      [Number.NaN, 1, 1],
      ['', 1, 1],
    ].map((values) => putRow(new Float32Array(3), 0, values, columns));
    for (const refusal of refusals) expect(refusal).to.include({ refused: 'malformed' });
  });

  it('refuses inherited names: a column comes from the caller or not at all', () => {
    const values = Object.create({ a: 1, b: 2, c: 3 }) as Record<string, unknown>;
    expect(putRow(new Float32Array(3), 0, values, columns)?.message).to.contain('a, b, c');
  });
});

describe('the policy that answers', () => {
  it('is the one asked for, else the promoted one, else the first allowed', () => {
    const some: Parameters<typeof choosePolicy>[0] = {
      policies_allowed: ['tabular_only', 'nn_only'],
      policy: 'nn_only',
    };
    expect(choosePolicy(some, 'tabular_only')).to.equal('tabular_only');
    expect(choosePolicy(some, undefined)).to.equal('nn_only');
    expect(choosePolicy({ ...some, policy: null }, undefined)).to.equal('tabular_only');
  });

  it('is refused as lacking or as no policy at all', () => {
    expect(choosePolicy(manifest, 'blend_alpha_0.3')).to.include({ refused: 'policy_not_allowed' });
    expect(choosePolicy(manifest, 7)).to.include({ refused: 'malformed' });
  });
});

describe('the handshake', () => {
  it('names every difference', () => {
    const refusal = checkHandshake(manifest, { feature_version: 'x', data_version: 'y', other: 1 });
    expect(isRefusal(refusal)).to.equal(true);
    expect(refusal!.message).to.contain('feature_version').and.to.contain('data_version');
  });
});

describe('the recorder', () => {
  const entry = (id: number) => ({ prediction_id: String(id) }) as PredictionRecord;

  it('keeps everything in order, in batches, one at a time', async () => {
    const batches: string[][] = [];
    const recorder = createRecorder({
      sink: async (batch) => {
        batches.push(batch.map(({ prediction_id }) => prediction_id));
        await new Promise((resolve) => setTimeout(resolve, 1));
      },
      capacity: 10,
      onLost: () => expect.fail('nothing is lost'),
    });
    recorder.record(entry(1));
    recorder.record(entry(2));
    await new Promise((resolve) => setImmediate(resolve));
    recorder.record(entry(3));
    await recorder.flush();
    expect(batches).to.deep.equal([['1', '2'], ['3']]);
  });

  it('drops what exceeds its capacity, counts it, and never waits', async () => {
    let lost = 0;
    let kept = 0;
    const recorder = createRecorder({
      sink: async (batch) => {
        kept += batch.length;
      },
      capacity: 2,
      onLost: (count) => {
        lost += count;
      },
    });
    for (let i = 0; i < 5; i += 1) recorder.record(entry(i));
    await recorder.flush();
    expect([kept, lost]).to.deep.equal([2, 3]);
  });

  it('counts what a failing store loses, and goes on with the next batch', async () => {
    const lost: [number, string][] = [];
    let broken = true;
    const recorder = createRecorder({
      sink: async () => {
        if (broken) throw new Error('away');
      },
      capacity: 10,
      onLost: (count, why) => lost.push([count, why]),
    });
    recorder.record(entry(1));
    await recorder.flush();
    broken = false;
    recorder.record(entry(2));
    await recorder.flush();
    expect(lost).to.deep.equal([[1, 'failed']]);
  });
});
