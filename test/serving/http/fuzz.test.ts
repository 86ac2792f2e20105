// Bodies that nobody would send: mutated, truncated, random. Whatever comes, the answer is JSON and the server goes on.

import { expect } from 'chai';
import { createRandom, type Random } from '../../../core/index.ts';
import { createService, routesOf } from '../../../serving/http/index.ts';
import { createMetrics } from '../../../serving/monitor/index.ts';
import { createPredictor } from '../../../serving/route/index.ts';
import { fakeEnsemble, fakeModel, fakeNetworkModel } from '../fakeModel.ts';
import { type Running, run } from './running.ts';

const cases = 5000;
const throughSockets = 600;

/** A body that is answered, and what raw bytes follow it. */
interface Seed {
  readonly text: string;
  readonly rawBytes: number;
}

const seed = (document: unknown, rawBytes = 0): Seed => ({
  text: JSON.stringify(document),
  rawBytes,
});
const raw = (tensor: object, bytes: number) => ({
  ...tensor,
  data: undefined,
  parameters: { binary_data_size: bytes },
});
const tensor = { name: 'features', shape: [1, 3], datatype: 'FP64', data: [1, null, -3.5e-2] };
const head = { feature_payload_schema_version: 'payload_v1', feature_version: 'f-abc' };
const row = { symbol: 'BTCUSDT', time: 5, features: { a: 1, b: null, c: 2 } };
const treeSeeds = [
  seed({ id: 'x', inputs: [tensor], outputs: [{ name: 'score' }] }),
  seed({ parameters: { feature_version: 'f-abc' }, inputs: [tensor] }),
  seed({ ...head, rows: [row] }),
  seed({ inputs: [raw(tensor, 24)] }, 24),
];
const sequence = [
  [1, null],
  [-2, 0.5],
];
const window = { name: 'sequence', shape: [1, 2, 2], datatype: 'FP32', data: [1, null, -2, 0.5] };
const networkSeeds = [
  seed({ inputs: [tensor, window], parameters: { policy: 'nn_only' } }),
  seed({ inputs: [{ ...window, data: [sequence] }, tensor], outputs: [{ name: 'nn' }] }),
  seed({ ...head, ...row, sequence, policy: 'nn_only' }),
  seed({ ...head, rows: [{ ...row, sequence }] }),
  seed({ inputs: [raw(tensor, 24), raw(window, 16)] }, 40),
  seed({ inputs: [tensor, raw(window, 16)], parameters: { binary_data_output: true } }, 16),
];
const scraps = [
  ...['null', '1e999', '-0', '[]', '{}', '"', '\\', '[[[[', ']]', '}', ',', ':', 'NaN', '\u0000'],
  ...['"__proto__":{}', '"constructor":1', '"refused":"x"', '99999999999999999999', '\ud800'],
  ...['"data":', '"shape":[0,3]', '"shape":[1e9,3]', '"binary_data_size":-1', '1e-400'],
  ...['"sequence":', '[[1,2],[3,4]]', '"shape":[1,2,2]', '"policy":"nn_only"', '"name":"sequence"'],
];

interface Fuzzed {
  readonly body: Buffer;
  readonly headers: Record<string, string>;
}

function fuzzed(random: Random, seeds: readonly Seed[]): Fuzzed {
  const { text, rawBytes } = seeds[random.integer(seeds.length)]!;
  let body: Buffer = Buffer.from(text);
  if (rawBytes > 0) {
    const tail = Buffer.alloc(Math.max(0, rawBytes + [0, 0, 0, -1, 1][random.integer(5)]!));
    for (let i = 0; i < tail.length; i += 1) tail[i] = random.integer(256);
    body = Buffer.concat([body, tail]);
  }
  for (let edits = random.integer(5); edits > 0; edits -= 1) body = mutate(body, random);
  const length = text.length + (random.integer(4) === 0 ? random.integer(9) - 4 : 0);
  const headers: Record<string, string> =
    random.integer(3) === 0 || rawBytes > 0
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

/** What an answer in JSON must hold whatever was asked: finite scores, and a fall-back that says it is one. */
function checkAnswer(text: string): void {
  // biome-ignore lint/suspicious/noExplicitAny: documents of two protocols
  const document: any = JSON.parse(text);
  const said = document.parameters ?? document;
  const from = document.fallback?.from ?? said.fallback_from;
  expect(said.score_source).to.equal(from === undefined ? 'model' : 'fallback');
  if (from !== undefined) expect(said.policy).to.equal('tabular_only').and.not.equal(from);
  const outputs: { name: string; data: number[] }[] = document.outputs ?? [];
  const lines: { score: number }[] = document.predictions ?? [];
  const scores = [...outputs.flatMap(({ data }) => data), ...lines.map(({ score }) => score)];
  if (document.score !== undefined) scores.push(document.score);
  expect(scores).to.satisfy((all: unknown[]) => all.every(Number.isFinite));
  if (said.policy === 'tabular_only') {
    expect(outputs.map(({ name }) => name)).to.not.include.members(['nn']);
  }
}

const models = [
  { what: 'trees', model: fakeModel(), seeds: treeSeeds },
  { what: 'an ensemble', model: fakeEnsemble(), seeds: [...treeSeeds, ...networkSeeds] },
  { what: 'a network', model: fakeNetworkModel(), seeds: networkSeeds },
];

describe('fuzzed bodies', () => {
  for (const { what, model, seeds } of models) {
    it(`${cases} of them for ${what}: the handlers never throw, and answer 200 or a JSON error`, async () => {
      const random = createRandom(20261122);
      const service = createService({
        limits: { maxBodyBytes: 100_000, maxRows: 64, maxInFlight: 16 },
        metrics: createMetrics({
          refusalReasons: [],
          fallbackReasons: [],
          processMetrics: false,
        }),
        clock: () => 0,
        monotonicMs: () => 0,
        onFault: () => {},
        predict: createPredictor({
          newId: () => 'p',
          clock: () => 0,
          monotonicMs: () => 0,
          deadlineMs: 1,
          recorder: undefined,
          onFault: (error) => expect.fail(String(error)),
        }),
      });
      service.install(model);
      const routes = routesOf(service, '0').filter(({ path }) => paths.includes(path));
      expect(routes).to.have.length(2);
      const statuses = new Map<number, number>();
      for (let i = 0; i < cases; i += 1) {
        const { body, headers } = fuzzed(random, seeds);
        const { handle } = routes[random.integer(2)]!;
        const answer = await handle({ params: { model: 'liquid' }, headers, body, arrivedMs: 0 });
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status === 200) {
          if (typeof answer.body === 'string') checkAnswer(answer.body);
          continue;
        }
        expect(isRefusal(answer.status), `${answer.status} to ${body.toString('hex')}`).to.equal(
          true,
        );
        expect(JSON.parse(String(answer.body))).to.have.all.keys('error');
      }
      // the mutations are mild enough that some pass, and wild enough that most do not
      expect(statuses.get(200)).to.be.greaterThan(cases / 50);
      expect(statuses.get(400)).to.be.greaterThan(cases / 2);
    });
  }

  it(`${throughSockets} of them through the server: always JSON, and it still serves`, async () => {
    const random = createRandom(7);
    const seeds = [...treeSeeds, ...networkSeeds];
    const server: Running = await run({ model: fakeEnsemble() });
    for (let i = 0; i < throughSockets; i += 1) {
      const { body, headers } = fuzzed(random, seeds);
      const path = random.integer(2) === 0 ? '/v2/models/liquid/infer' : '/v1/predictions';
      const answer = await server.post(path, body, headers);
      if (answer.status === 200) continue;
      expect(isRefusal(answer.status), `${answer.status}`).to.equal(true);
      expect(answer.json).to.have.all.keys('error');
    }
    expect(server.faults).to.deep.equal([]);
    const { status } = await server.post('/v2/models/liquid/infer', networkSeeds[0]!.text);
    expect(status).to.equal(200);
    await server.stop();
  });
});
