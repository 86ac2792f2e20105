// Bodies that nobody would send: mutated, truncated, random. Whatever comes, the answer is JSON and the server goes on.

import { expect } from 'chai';
import { createRandom, type Random } from '../../../core/index.ts';
import { createService, routesOf } from '../../../serving/http/index.ts';
import { createMetrics } from '../../../serving/monitor/index.ts';
import { createPredictor } from '../../../serving/route/index.ts';
import { fakeModel } from '../fakeModel.ts';
import { type Running, run } from './running.ts';

const cases = 5000;
const throughSockets = 600;

const tensor = { name: 'features', shape: [1, 3], datatype: 'FP64', data: [1, null, -3.5e-2] };
const seeds = [
  JSON.stringify({ id: 'x', inputs: [tensor], outputs: [{ name: 'score' }] }),
  JSON.stringify({ parameters: { feature_version: 'f-abc' }, inputs: [tensor] }),
  JSON.stringify({
    feature_payload_schema_version: 'payload_v1',
    feature_version: 'f-abc',
    rows: [{ symbol: 'BTCUSDT', time: 5, features: { a: 1, b: null, c: 2 } }],
  }),
  JSON.stringify({
    inputs: [{ ...tensor, data: undefined, parameters: { binary_data_size: 24 } }],
  }),
];
const scraps = [
  ...['null', '1e999', '-0', '[]', '{}', '"', '\\', '[[[[', ']]', '}', ',', ':', 'NaN', '\u0000'],
  ...['"__proto__":{}', '"constructor":1', '"refused":"x"', '99999999999999999999', '\ud800'],
  ...['"data":', '"shape":[0,3]', '"shape":[1e9,3]', '"binary_data_size":-1', '1e-400'],
];

interface Fuzzed {
  readonly body: Buffer;
  readonly headers: Record<string, string>;
}

function fuzzed(random: Random): Fuzzed {
  const seed = seeds[random.integer(seeds.length)]!;
  let body: Buffer = Buffer.from(seed);
  if (seed.includes('binary_data_size')) {
    const raw = Buffer.alloc(23 + random.integer(3));
    for (let i = 0; i < raw.length; i += 1) raw[i] = random.integer(256);
    body = Buffer.concat([body, raw]);
  }
  for (let edits = random.integer(5); edits > 0; edits -= 1) body = mutate(body, random);
  const length = seed.length + (random.integer(4) === 0 ? random.integer(9) - 4 : 0);
  const headers: Record<string, string> =
    random.integer(3) === 0 || seed.includes('binary_data_size')
      ? { 'inference-header-content-length': String(length) }
      : {};
  return { body, headers };
}

function mutate(body: Buffer, random: Random): Buffer {
  const at = random.integer(body.length + 1);
  const to = Math.min(body.length, at + random.integer(12));
  const scrap = Buffer.from(scraps[random.integer(scraps.length)]!);
  switch (random.integer(5)) {
    case 0:
      return Buffer.concat([body.subarray(0, at), body.subarray(to)]);
    case 1:
      return Buffer.concat([body.subarray(0, at), scrap, body.subarray(to)]);
    case 2:
      return body.subarray(0, at);
    case 3: {
      const flipped = Buffer.from(body);
      if (at < flipped.length) flipped[at] = random.integer(256);
      return flipped;
    }
    default:
      return Buffer.concat([body.subarray(0, to), body.subarray(at, to), body.subarray(to)]);
  }
}

const paths = ['/v2/models/:model/infer', '/v1/predictions'];
const isRefusal = (status: number) => [400, 409, 413].includes(status);

describe('fuzzed bodies', () => {
  it(`${cases} of them: the handlers never throw, and answer 200 or a JSON error`, async () => {
    const random = createRandom(20261122);
    const service = createService({
      limits: { maxBodyBytes: 100_000, maxRows: 64, maxInFlight: 16 },
      metrics: createMetrics({ refusalReasons: [], fallbackReasons: [], processMetrics: false }),
      clock: () => 0,
      monotonicMs: () => 0,
      onFault: () => {},
      predict: createPredictor({
        newId: () => 'p',
        clock: () => 0,
        monotonicMs: () => 0,
        deadlineMs: 1,
        recorder: undefined,
        onFault: () => {},
      }),
    });
    service.install(fakeModel());
    const routes = routesOf(service, '0').filter(({ path }) => paths.includes(path));
    expect(routes).to.have.length(2);
    const statuses = new Map<number, number>();
    for (let i = 0; i < cases; i += 1) {
      const { body, headers } = fuzzed(random);
      const { handle } = routes[random.integer(2)]!;
      const answer = await handle({ params: { model: 'liquid' }, headers, body, arrivedMs: 0 });
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      if (answer.status === 200) continue;
      expect(isRefusal(answer.status), `${answer.status} to ${body.toString('hex')}`).to.equal(
        true,
      );
      expect(JSON.parse(String(answer.body))).to.have.all.keys('error');
    }
    // the mutations are mild enough that some pass, and wild enough that most do not
    expect(statuses.get(200)).to.be.greaterThan(cases / 50);
    expect(statuses.get(400)).to.be.greaterThan(cases / 2);
  });

  it(`${throughSockets} of them through the server: always JSON, and it still serves`, async () => {
    const random = createRandom(7);
    const server: Running = await run();
    for (let i = 0; i < throughSockets; i += 1) {
      const { body, headers } = fuzzed(random);
      const path = random.integer(2) === 0 ? '/v2/models/liquid/infer' : '/v1/predictions';
      const answer = await server.post(path, body, headers);
      if (answer.status === 200) continue;
      expect(isRefusal(answer.status), `${answer.status}`).to.equal(true);
      expect(answer.json).to.have.all.keys('error');
    }
    expect(server.faults).to.deep.equal([]);
    const { status } = await server.post('/v2/models/liquid/infer', seeds[0]);
    expect(status).to.equal(200);
    await server.stop();
  });
});
