import { expect } from 'chai';
import type { PredictionRecord } from '../../../serving/route/index.ts';
import { fakeModel } from '../fakeModel.ts';
import { type Running, run } from './running.ts';

const path = '/v1/predictions';
const head = { feature_payload_schema_version: 'payload_v1', feature_version: 'f-abc' };
const row = { symbol: 'BTCUSDT', time: 1_700_000_000_000, features: { a: 1, b: null, c: 0.001 } };

describe('POST /v1/predictions', () => {
  let server: Running;
  const records: PredictionRecord[] = [];
  before(async () => {
    server = await run({
      recorder: {
        record: (entry) => {
          records.push(entry);
        },
        flush: async () => {},
      },
    });
  });
  after(async () => {
    await server.stop();
  });
  beforeEach(() => {
    records.length = 0;
  });

  const score = Math.fround(0.001) * 100 + 1;

  it('answers a row with its score, explanation, target and identity', async () => {
    const { status, json } = await server.post(path, { ...head, ...row });
    expect(status, JSON.stringify(json)).to.equal(200);
    expect(json).to.include({
      model_name: 'liquid',
      model_version: '7',
      artifact_digest: 'd'.repeat(64),
      key_hint: 'k'.repeat(64),
      policy: 'tabular_only',
      symbol: 'BTCUSDT',
      time: 1_700_000_000_000,
      score,
    });
    expect(json.lineage_id).to.equal(`lineage-1/${json.prediction_id}`);
    expect(json.scores).to.deep.equal({ tabular_only: score });
    // gain 2, clipped at 1
    expect(json.target).to.deep.equal({ weight: 1 });
    expect(json.explanation).to.deep.equal({
      base: 0,
      contributions: { a: 1, b: 0, c: Math.fround(0.001) * 100 },
      top: [
        { name: 'a', contribution: 1, value: 1 },
        { name: 'c', contribution: Math.fround(0.001) * 100, value: Math.fround(0.001) },
        { name: 'b', contribution: 0, value: null },
      ],
      missing: ['b'],
      events: [],
    });
  });

  it('takes features in schema order, and leaves the explanation out on request', async () => {
    const { json } = await server.post(path, {
      ...head,
      ...row,
      features: [1, null, 0.001],
      explain: false,
    });
    expect(json.score).to.equal(score);
    expect(json).not.to.have.property('explanation');
  });

  it('answers many rows in their order, under one prediction id', async () => {
    const rows = [row, { ...row, symbol: 'ETHUSDT', features: [0, 1, 0] }];
    const { json } = await server.post(path, { ...head, rows });
    expect(json.predictions).to.have.length(2);
    expect(json.predictions.map((p: { symbol: string }) => p.symbol)).to.deep.equal([
      'BTCUSDT',
      'ETHUSDT',
    ]);
    expect(json.predictions.map((p: { score: number }) => p.score)).to.deep.equal([score, 10]);
    expect(json.predictions[1].explanation.contributions).to.deep.equal({ a: 0, b: 10, c: 0 });
  });

  it('sizes from the weight that is held', async () => {
    const quiet = { ...row, features: [0.001, null, 0] };
    const flat = await server.post(path, { ...head, ...quiet });
    const held = await server.post(path, { ...head, ...quiet, weight: 0.5 });
    expect(flat.json.target).to.deep.equal({ weight: 0 });
    expect(held.json.target).to.deep.equal({ weight: 0.5 });
  });

  it('sizes nothing on a model that validation did not promote', async () => {
    const fake = fakeModel();
    const shadow = await run({ model: { ...fake, manifest: { ...fake.manifest, policy: null } } });
    const { json } = await shadow.post(path, { ...head, ...row });
    expect(json).to.include({ policy: 'tabular_only', target: null });
    await shadow.stop();
  });

  it('records what it answered, with the explanation', async () => {
    const { json } = await server.post(path, { ...head, ...row });
    expect(records).to.have.length(1);
    const [record] = records;
    expect(record).to.include({
      prediction_id: json.prediction_id,
      lineage_id: json.lineage_id,
      policy: 'tabular_only',
      answered_at: 1_700_000_000_000,
    });
    expect(record!.symbols).to.deep.equal(['BTCUSDT']);
    expect(Array.from(record!.features)).to.deep.equal([1, Number.NaN, Math.fround(0.001)]);
    expect(Array.from(record!.scores)).to.deep.equal([score]);
    expect(record!.explanation).to.deep.equal({ rows: [json.explanation] });
  });

  const wrong: readonly [string, unknown, number, string][] = [
    ['a handshake that is left out', row, 400, 'feature_payload_schema_version'],
    ['another payload', { ...head, ...row, feature_payload_schema_version: 'v0' }, 409, 'payload'],
    ['another feature set', { ...head, ...row, feature_version: 'f-old' }, 409, 'f-old'],
    ['a misspelt key', { ...head, ...row, symbl: 1 }, 400, 'did you mean "symbol"'],
    ['an unknown symbol', { ...head, ...row, symbol: 'XRPUSDT' }, 400, 'BTCUSDT, ETHUSDT'],
    ['a column left out', { ...head, ...row, features: { a: 1, b: 2 } }, 400, 'left out: c'],
    ['an unknown column', { ...head, ...row, features: { a: 1, b: 2, c: 3, d: 4 } }, 400, '"d"'],
    ['too few values', { ...head, ...row, features: [1, 2] }, 400, 'found 2'],
    ['a missing value', { ...head, ...row, features: [1, 2, null] }, 400, 'Feature c'],
    ['a word', { ...head, ...row, features: { a: 'x', b: 2, c: 3 } }, 400, 'Feature a'],
    ['no rows', { ...head, rows: [] }, 400, 'rows'],
    ['too many rows', { ...head, rows: Array(65).fill(row) }, 413, 'at most 64'],
    ['a policy it lacks', { ...head, ...row, policy: 'nn_only' }, 409, 'tabular_only'],
    ['what is no policy', { ...head, ...row, policy: 'x' }, 400, 'policy'],
    ['a time that is no time', { ...head, ...row, time: 'now' }, 400, 'time'],
    ['a key that reaches for the prototype', '{"__proto__": {"rows": []}}', 400, 'request'],
  ];
  for (const [what, document, status, says] of wrong) {
    it(`answers ${status} to ${what}, and records nothing`, async () => {
      const answer = await server.post(path, document);
      expect(answer.status, JSON.stringify(answer.json)).to.equal(status);
      expect(Object.keys(answer.json)).to.deep.equal(['error']);
      expect(answer.json.error).to.contain(says);
      expect(records).to.have.length(0);
    });
  }

  it('counts the rows that each policy answered', async () => {
    const count = async () => {
      const text = Buffer.from((await server.get('/metrics')).bytes).toString();
      return Number(/sluice_predictions_total\{policy="tabular_only"\} (\d+)/.exec(text)?.[1] ?? 0);
    };
    const before = await count();
    await server.post(path, { ...head, rows: [row, row, row] });
    expect(await count()).to.equal(before + 3);
  });
});
