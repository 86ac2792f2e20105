// Policies that read the network, through both APIs: what is answered, recorded and counted, with it and without it.

import { expect } from 'chai';
import type { LoadedModel, LoadedNetwork } from '../../../serving/load/index.ts';
import type { PredictionRecord } from '../../../serving/route/index.ts';
import { fakeBlend, fakeEnsemble, fakeModel, fakeNetworkModel } from '../fakeModel.ts';
import { type Answer, type Running, run } from './running.ts';

const infer = '/v2/models/liquid/infer';
const predict = '/v1/predictions';
const head = { feature_payload_schema_version: 'payload_v1', feature_version: 'f-abc' };
const row = { symbol: 'BTCUSDT', time: 5, features: [1, null, 3] };
// trees: 1*1 + 100*3 = 301; network: 1*1 + 2*2 + 4*3 + 8*4 = 49; blend: a quarter trees
const sequence = [
  [1, 2],
  [3, 4],
];
const [tabular, nn, blended] = [301, 49, 0.25 * 301 + 0.75 * 49];

const features = { name: 'features', shape: [1, 3], datatype: 'FP32', data: [1, null, 3] };
const window = { name: 'sequence', shape: [1, 2, 2], datatype: 'FP32', data: [1, 2, 3, 4] };

describe('a model with a network', () => {
  const servers: Running[] = [];
  const records: PredictionRecord[] = [];

  /** A server that records into `records`. */
  async function serving(model: LoadedModel): Promise<Running> {
    const recorder = {
      record: (entry: PredictionRecord) => {
        records.push(entry);
      },
      flush: async () => {},
    };
    const server = await run({ model, recorder });
    servers.push(server);
    return server;
  }
  const broken = (nn: Partial<LoadedNetwork>) => serving(fakeEnsemble({ nn }));

  let ensemble: Running;
  before(async () => {
    ensemble = await serving(fakeEnsemble());
  });
  beforeEach(() => {
    records.length = 0;
  });
  after(() => Promise.all(servers.map((server) => server.stop())));

  const outputsOf = ({ json }: Answer): Record<string, number[]> =>
    Object.fromEntries(
      json.outputs.map(({ name, data }: { name: string; data: number[] }) => [name, data]),
    );
  const fallbacks = async (server: Running, reason: string): Promise<number> => {
    const text = Buffer.from((await server.get('/metrics')).bytes).toString();
    return Number(
      new RegExp(`sluice_fallbacks_total\\{reason="${reason}"\\} (\\d+)`).exec(text)![1],
    );
  };

  describe('answers', () => {
    it('with the blend that was promoted, and what trees and network gave to it', async () => {
      const { status, json } = await ensemble.post(predict, { ...head, ...row, sequence });
      expect(status, JSON.stringify(json)).to.equal(200);
      expect(json).to.include({ policy: fakeBlend, score: blended, score_source: 'model' });
      expect(json.parts).to.deep.equal({ tabular, nn });
      expect(json.scores).to.deep.equal({ [fakeBlend]: blended });
      expect(json).not.to.have.property('fallback');
      const answer = await ensemble.post(infer, { inputs: [features, window] });
      expect(outputsOf(answer)).to.deep.equal({ score: [blended], tabular: [tabular], nn: [nn] });
      expect(answer.json.parameters).to.include({ policy: fakeBlend, score_source: 'model' });
      expect(answer.json.parameters).not.to.have.any.keys('fallback_from', 'fallback_reason');
    });

    it('with the policy that is asked for', async () => {
      const body = { ...head, ...row, sequence };
      const alone = await ensemble.post(predict, { ...body, policy: 'nn_only' });
      expect(alone.json).to.include({ policy: 'nn_only', score: nn });
      expect(alone.json.parts).to.deep.equal({ tabular, nn });
      const trees = await ensemble.post(predict, { ...body, policy: 'tabular_only' });
      expect(trees.json).to.include({
        policy: 'tabular_only',
        score: tabular,
        score_source: 'model',
      });
      expect(trees.json).not.to.have.any.keys('parts', 'fallback');
      for (const [policy, outputs] of [
        ['nn_only', { score: [nn], tabular: [tabular], nn: [nn] }],
        ['tabular_only', { score: [tabular] }],
      ] as const) {
        const inputs = [window, features];
        const answer = await ensemble.post(infer, { inputs, parameters: { policy } });
        expect(outputsOf(answer)).to.deep.equal(outputs);
      }
    });

    it('with the trees alone while no policy is promoted, and sizes nothing', async () => {
      const model = fakeEnsemble();
      const shadow = await serving({ ...model, manifest: { ...model.manifest, policy: null } });
      const { json } = await shadow.post(predict, { ...head, ...row, sequence });
      expect(json).to.include({ policy: 'tabular_only', score_source: 'model', target: null });
    });

    it('and sizes the promoted policy, its fall-back as the backtest did, and no other', async () => {
      const target = async (extra: object) =>
        (await ensemble.post(predict, { ...head, ...row, ...extra })).json.target;
      expect(await target({ sequence })).to.deep.equal({ weight: 1 });
      expect(await target({})).to.deep.equal({ weight: 1 });
      expect(await target({ sequence, policy: 'nn_only' })).to.equal(null);
      expect(await target({ sequence, policy: 'tabular_only' })).to.equal(null);
    });

    it('from the network alone where there are no trees, with or without features', async () => {
      const server = await serving(fakeNetworkModel());
      for (const sent of [row, { symbol: row.symbol, time: row.time }]) {
        const { status, json } = await server.post(predict, { ...head, ...sent, sequence });
        expect(status, JSON.stringify(json)).to.equal(200);
        expect(json).to.include({ policy: 'nn_only', score: nn, score_source: 'model' });
        expect(json.parts).to.deep.equal({ tabular: null, nn });
      }
      for (const inputs of [[window], [features, window]]) {
        const answer = await server.post(infer, { inputs });
        expect(outputsOf(answer)).to.deep.equal({ score: [nn], nn: [nn] });
      }
    });

    it('reads null as the training mean, in JSON and in bytes', async () => {
      const holed = { ...row, sequence: [[1, null], sequence[1]] };
      const { json } = await ensemble.post(predict, { ...head, ...holed, policy: 'nn_only' });
      expect(json.score).to.equal(nn - 4);
      expect(json.explanation.missing_channels).to.deep.equal(['v']);
    });

    it('records what the network was shown and what each part gave', async () => {
      await ensemble.post(predict, { ...head, ...row, sequence });
      await ensemble.post(predict, { ...head, ...row, sequence, policy: 'tabular_only' });
      const [blend, trees] = records;
      expect(blend).to.include({ policy: fakeBlend, score_source: 'model', fallback: null });
      expect(Array.from(blend!.sequences!)).to.deep.equal([1, 2, 3, 4]);
      expect(blend!.parts).to.deep.equal({
        tabular: Float64Array.of(tabular),
        nn: Float64Array.of(nn),
      });
      expect(trees).to.include({ policy: 'tabular_only', sequences: null, parts: null });
    });
  });

  describe('explains', () => {
    const explained = async (server: Running, extra: object) =>
      (await server.post(predict, { ...head, ...row, sequence, ...extra })).json;

    it('a blend by features and channels, each with the weight of its part', async () => {
      const { explanation } = await explained(ensemble, {});
      expect(explanation.base).to.equal(0);
      expect(explanation.contributions).to.deep.equal({ a: 0.25, b: 0, c: 75 });
      expect(explanation.channels).to.deep.equal({ u: 0.75 * 13, v: 0.75 * 36 });
      expect(explanation.remainder).to.equal(0);
      expect(explanation.missing).to.deep.equal(['b']);
      expect(explanation.missing_channels).to.deep.equal([]);
      expect(explanation.top).to.deep.equal([
        { name: 'c', contribution: 75, value: 3, part: 'tabular' },
        { name: 'v', contribution: 27, value: 4, part: 'nn' },
        { name: 'u', contribution: 9.75, value: 3, part: 'nn' },
        { name: 'a', contribution: 0.25, value: 1, part: 'tabular' },
        { name: 'b', contribution: 0, value: null, part: 'tabular' },
      ]);
      expect(records[0]!.explanation).to.deep.equal({ rows: [explanation] });
    });

    it('the network alone by its channels, and the trees alone as ever', async () => {
      const alone = await explained(ensemble, { policy: 'nn_only' });
      expect(alone.explanation.contributions).to.deep.equal({});
      expect(alone.explanation.channels).to.deep.equal({ u: 13, v: 36 });
      const trees = await explained(ensemble, { policy: 'tabular_only' });
      expect(trees.explanation).to.have.all.keys(
        ...['base', 'contributions', 'top', 'missing', 'events'],
      );
    });

    it('with a remainder for what channels do together: everything adds up to the score', async () => {
      const server = await broken({
        contributions: async () => ({ base: 10, contributions: Float64Array.of(3, -1) }),
      });
      const { score, explanation } = await explained(server, {});
      const { base, contributions, channels, remainder } = explanation;
      expect(base).to.equal(7.5);
      expect(remainder).to.equal(0.75 * (nn - 12));
      const terms: number[] = [
        ...Object.values(contributions),
        ...Object.values(channels),
      ] as number[];
      expect(terms.reduce((sum, term) => sum + term, base + remainder)).to.be.closeTo(score, 1e-9);
    });
  });

  describe('falls back to the trees, and says so', () => {
    const fallsBack = async (server: Running, reason: string, extra: object, inputs: unknown[]) => {
      const before = await fallbacks(server, reason);
      for (const from of [fakeBlend, 'nn_only']) {
        records.length = 0;
        const { status, json } = await server.post(predict, {
          ...{ ...head, ...row, ...extra },
          policy: from,
        });
        expect(status, JSON.stringify(json)).to.equal(200);
        expect(json).to.include({
          policy: 'tabular_only',
          score: tabular,
          score_source: 'fallback',
        });
        expect(json.fallback).to.deep.equal({ from, reason });
        expect(json.scores).to.deep.equal({ tabular_only: tabular });
        expect(json).not.to.have.property('parts');
        expect(json.explanation).not.to.have.property('channels');
        expect(records).to.have.length(1);
        expect(records[0]).to.deep.include({
          policy: 'tabular_only',
          score_source: 'fallback',
          fallback: { from, reason },
          parts: null,
        });
        const answer = await server.post(infer, { inputs, parameters: { policy: from } });
        expect(outputsOf(answer)).to.deep.equal({ score: [tabular] });
        expect(answer.json.parameters).to.include({
          policy: 'tabular_only',
          score_source: 'fallback',
          fallback_from: from,
          fallback_reason: reason,
        });
      }
      expect(await fallbacks(server, reason)).to.equal(before + 4);
    };

    it('when no window is sent', async () => {
      await fallsBack(ensemble, 'sequence_absent', {}, [features]);
    });

    it('when the network fails, and tells the log why', async () => {
      const score = async () => {
        throw new Error('out of memory');
      };
      const server = await broken({ score });
      await fallsBack(server, 'network_failed', { sequence }, [features, window]);
      expect(server.faults).to.have.length(4);
    });

    it('when the network gives a number that is not finite, in any row', async () => {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const server = await broken({ score: async () => Float64Array.of(bad) });
        await fallsBack(server, 'network_not_finite', { sequence }, [features, window]);
      }
      const server = await broken({ score: async () => Float64Array.of(1, Number.NaN) });
      const rows = [
        { ...row, sequence },
        { ...row, sequence },
      ];
      const { json } = await server.post(predict, { ...head, rows, explain: false });
      expect(json.policy).to.equal('tabular_only');
      expect(json.predictions.map(({ score }: { score: number }) => score)).to.deep.equal([
        tabular,
        tabular,
      ]);
      expect(await fallbacks(server, 'network_not_finite')).to.equal(2);
    });

    it('when the network cannot be explained: an answer without its reasons is not recorded', async () => {
      const server = await broken({
        contributions: async () => ({ base: Number.NaN, contributions: Float64Array.of(0, 0) }),
      });
      const { json } = await server.post(predict, { ...head, ...row, sequence });
      expect(json.fallback).to.deep.equal({ from: fakeBlend, reason: 'network_not_finite' });
      const unasked = await server.post(predict, { ...head, ...row, sequence, explain: false });
      expect(unasked.json).to.include({ policy: fakeBlend, score: blended });
    });

    it('or is refused as late, without explaining on for nobody', async () => {
      let [now, explained] = [0, 0];
      const nn: Partial<LoadedNetwork> = {
        contributions: async () => {
          now += 11;
          explained += 1;
          return { base: 0, contributions: Float64Array.of(0, 0) };
        },
      };
      const model = fakeEnsemble({ nn });
      const server = await run({ model, deadlineMs: 20, monotonicMs: () => now });
      servers.push(server);
      const rows = Array(10).fill({ ...row, sequence });
      const { status, json } = await server.post(predict, { ...head, rows });
      expect([status, explained]).to.deep.equal([503, 2]);
      expect(json.error).to.contain('deadline of 20 ms');
    });

    it('for the whole request when one of its rows has no window: one request, one policy', async () => {
      const rows = [{ ...row, sequence }, row];
      const { json } = await ensemble.post(predict, { ...head, rows });
      expect(json).to.include({ policy: 'tabular_only', score_source: 'fallback' });
      expect(json.fallback.reason).to.equal('sequence_absent');
      expect(records[0]!.sequences).to.equal(null);
    });

    it('but not when the trees were asked for in the first place', async () => {
      const { json } = await ensemble.post(predict, { ...head, ...row, policy: 'tabular_only' });
      expect(json).to.include({ policy: 'tabular_only', score_source: 'model' });
      expect(json).not.to.have.property('fallback');
    });
  });

  describe('without trees refuses, and records nothing,', () => {
    const refusedBy = async (server: Running, document: object, status: number, says: string) => {
      const path = 'inputs' in document ? infer : predict;
      const answer = await server.post(path, document);
      expect(answer.status, JSON.stringify(answer.json)).to.equal(status);
      expect(Object.keys(answer.json)).to.deep.equal(['error']);
      expect(answer.json.error).to.contain(says);
      expect(records).to.have.length(0);
    };

    it('a request without a window', async () => {
      const server = await serving(fakeNetworkModel());
      await refusedBy(server, { ...head, ...row }, 400, 'send sequence');
      await refusedBy(server, { inputs: [features] }, 400, 'sequence [rows, 2, 2]');
      await refusedBy(server, { inputs: [] }, 400, 'found no input');
    });

    it('what the network fails on, or answers with no finite number', async () => {
      const failing = await serving(
        fakeNetworkModel({
          nn: {
            score: async () => {
              throw new Error('out of memory');
            },
          },
        }),
      );
      await refusedBy(failing, { ...head, ...row, sequence }, 500, 'no trees');
      await refusedBy(failing, { inputs: [window] }, 500, 'The network failed');
      expect(failing.faults.map(String)).to.deep.equal(Array(2).fill('Error: out of memory'));
      const odd = fakeNetworkModel({ nn: { score: async () => Float64Array.of(Number.NaN) } });
      await refusedBy(await serving(odd), { ...head, ...row, sequence }, 500, 'not finite');
    });

    it('a policy with trees', async () => {
      const server = await serving(fakeNetworkModel());
      const body = { ...head, ...row, sequence, policy: 'tabular_only' };
      await refusedBy(server, body, 409, 'answers nn_only');
    });
  });

  describe('refuses a window', () => {
    const bad: readonly [string, unknown, string][] = [
      ['of too few bars', [[1, 2]], '2 bars, oldest first, of 2 values each: u, v; found 1 bars'],
      ['of too many bars', [...sequence, [5, 6]], 'found 3 bars'],
      ['with a bar of another width', [[1, 2], [3]], 'found a bar of 1 values'],
      [
        'with a word',
        [
          [1, 2],
          ['3', 4],
        ],
        'Channel u of bar 1 in the sequence of row 0',
      ],
      ['with a number beyond float32', [[1, 1e300], sequence[1]], 'Channel v of bar 0'],
      ['that is no array', 5, 'sequence'],
      ['of bars that are no arrays', [1, 2], 'sequence'],
      ['that is null', null, 'sequence'],
    ];
    for (const [what, window, says] of bad) {
      it(`${what}, whatever the policy`, async () => {
        for (const policy of [fakeBlend, 'tabular_only']) {
          const body = { ...head, ...row, policy, sequence: window };
          const answer = await ensemble.post(predict, body);
          expect(answer.status, JSON.stringify(answer.json)).to.equal(400);
          expect(answer.json.error).to.contain(says);
        }
      });
    }

    it('in a later row, naming it', async () => {
      const rows = [
        { ...row, sequence },
        { ...row, sequence: [[1, true], sequence[1]] },
      ];
      const { status, json } = await ensemble.post(predict, { ...head, rows });
      expect(status).to.equal(400);
      expect(json.error).to.contain('Channel v of bar 0 in the sequence of row 1');
      expect(json.error).to.contain('found boolean true');
    });

    it('sent to a model that has no network', async () => {
      const trees = await serving(fakeModel());
      const answer = await trees.post(predict, { ...head, ...row, sequence });
      expect([answer.status, answer.json.error]).to.deep.equal([
        400,
        'The model has no network that reads a sequence; leave it out.',
      ]);
      const tensors = await trees.post(infer, { inputs: [features, window] });
      expect(tensors.status).to.equal(400);
      expect(tensors.json.error).to.contain('takes features [rows, 3]; found features, sequence');
    });
  });

  describe('in the Open Inference Protocol', () => {
    it('names its inputs, outputs and channels', async () => {
      const { json } = await ensemble.get('/v2/models/liquid');
      expect(json.inputs).to.deep.equal([
        { name: 'features', datatype: 'FP64', shape: [-1, 3] },
        { name: 'sequence', datatype: 'FP32', shape: [-1, 2, 2] },
      ]);
      expect(json.outputs.map(({ name }: { name: string }) => name)).to.deep.equal([
        ...['score', 'tabular', 'nn'],
      ]);
      expect(json.parameters).to.include({ channel_names: 'u,v', optional_inputs: 'sequence' });
      const alone = await (await serving(fakeNetworkModel())).get('/v2/models/liquid');
      expect(alone.json.parameters).to.include({ optional_inputs: 'features' });
    });

    it('takes windows flat or nested, and as bytes beside bytes or beside JSON', async () => {
      const nested = { ...window, data: [sequence] };
      const floats = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
      const doubles = Buffer.from(Float64Array.of(1, Number.NaN, 3).buffer);
      const raw = (tensor: object, bytes: Buffer, datatype = 'FP32') => ({
        ...{ ...tensor, datatype, data: undefined },
        parameters: { binary_data_size: bytes.length },
      });
      const rawWindow = raw(window, floats);
      const rawFeatures = raw(features, doubles, 'FP64');
      const cases: [unknown[], Buffer[]][] = [
        [[features, window], []],
        [[features, nested], []],
        [
          [rawFeatures, rawWindow],
          [doubles, floats],
        ],
        [
          [rawWindow, rawFeatures],
          [floats, doubles],
        ],
        [[features, rawWindow], [floats]],
        [[rawFeatures, nested], [doubles]],
      ];
      for (const [inputs, tensors] of cases) {
        const [bytes, headers] = body({ inputs }, tensors);
        const answer = await ensemble.post(infer, bytes, headers);
        expect(answer.status, JSON.stringify(answer.json)).to.equal(200);
        expect(outputsOf(answer)).to.deep.equal({ score: [blended], tabular: [tabular], nn: [nn] });
      }
    });

    it('answers the outputs that are asked for, in their order, raw or not', async () => {
      const outputs = [
        { name: 'nn', parameters: { binary_data: true } },
        { name: 'score' },
        { name: 'tabular', parameters: { binary_data: true } },
      ];
      const answer = await ensemble.post(infer, { inputs: [features, window], outputs });
      const length = Number(answer.headers.get('inference-header-content-length'));
      const document = JSON.parse(Buffer.from(answer.bytes.subarray(0, length)).toString());
      const tensor = { datatype: 'FP64', shape: [1, 1] };
      const binary = { ...tensor, parameters: { binary_data_size: 8 } };
      expect(document.outputs).to.deep.equal([
        { name: 'nn', ...binary },
        { name: 'score', ...tensor, data: [blended] },
        { name: 'tabular', ...binary },
      ]);
      const raw = Buffer.from(answer.bytes.subarray(length));
      expect([raw.readDoubleLE(0), raw.readDoubleLE(8)]).to.deep.equal([nn, tabular]);
    });

    const floats = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
    const rawWindow = (size: unknown) => ({
      ...{ ...window, data: undefined },
      parameters: { binary_data_size: size },
    });
    const bad: readonly [string, unknown[], Buffer[], string][] = [
      ['of another rank', [features, { ...window, shape: [1, 4] }], [], 'shape [rows, 2, 2]'],
      ['of another size', [features, { ...window, shape: [1, 1, 4] }], [], 'shape [rows, 2, 2]'],
      [
        'of other rows than the features',
        [features, { ...window, shape: [2, 2, 2], data: Array(8).fill(0) }],
        [],
        'equally many rows; found 1 and 2',
      ],
      ['of another type', [features, { ...window, datatype: 'FP16' }], [], 'FP32 or FP64'],
      ['of too few values', [features, { ...window, data: [1, 2, 3] }], [], 'another count'],
      [
        'nested like another shape',
        [features, { ...window, data: [[1, 2, 3, 4]] }],
        [],
        'another count',
      ],
      ['with a word', [features, { ...window, data: [1, 'x', 3, 4] }], [], 'Channel v of bar 0'],
      ['sent twice', [features, window, window], [], 'found features, sequence, sequence'],
      ['without the features that trees need', [window], [], 'takes features [rows, 3]'],
      ['of too few bytes', [features, rawWindow(16)], [floats.subarray(4)], '12 bytes are there'],
      ['of too many bytes', [features, rawWindow(16)], [floats, floats], '32 bytes follow'],
      ['of a size below zero', [features, rawWindow(-16)], [floats], 'takes 16 bytes'],
      ['of a broken size', [features, rawWindow(16.5)], [floats], '16 bytes follow'],
      ['of a size that is a word', [features, rawWindow('16')], [floats], 'takes 16 bytes'],
      [
        'with an infinity',
        [features, rawWindow(16)],
        [Buffer.from(Float32Array.of(1, 2, 3, Number.NEGATIVE_INFINITY).buffer)],
        'Channel v of bar 1',
      ],
    ];
    for (const [what, inputs, tensors, says] of bad) {
      it(`refuses a window ${what}`, async () => {
        const [bytes, headers] = body({ inputs }, tensors);
        const answer = await ensemble.post(infer, bytes, headers);
        expect(answer.status, JSON.stringify(answer.json)).to.equal(400);
        expect(answer.json.error).to.contain(says);
      });
    }

    it('refuses the same output twice', async () => {
      const outputs = [{ name: 'nn' }, { name: 'nn' }];
      const { status, json } = await ensemble.post(infer, { inputs: [features, window], outputs });
      expect(status).to.equal(400);
      expect(json.error).to.contain('score, tabular, nn, each once');
    });
  });
});

/** A body whose raw tensors follow its JSON. */
function body(document: unknown, tensors: readonly Buffer[]): [Uint8Array, Record<string, string>] {
  const json = Buffer.from(JSON.stringify(document));
  const headers: Record<string, string> =
    tensors.length === 0 ? {} : { 'inference-header-content-length': String(json.length) };
  return [Buffer.concat([json, ...tensors]), headers];
}
