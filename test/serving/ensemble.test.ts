// A signed ensemble behind HTTP: every policy, in JSON and in raw tensors, against the float64 reference.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type BuiltArtifact, publishArtifact } from '../../models/artifact/index.ts';
import {
  normaliseSeries,
  sequenceScorer,
  treeScorer,
  tsmixerTolerances,
} from '../../models/score/index.ts';
import { type LoadedModel, loadModel } from '../../serving/load/index.ts';
import { type OpenSession, openSession } from '../../serving/load/session.ts';
import { keys, nowMs } from '../models/artifact/samples.ts';
import { type Answer, type Running, run } from './http/running.ts';
import { randomRows } from './randomTrees.ts';
import { ensembleInput, randomWindows, signedEnsemble, signedNetwork } from './signedModel.ts';

const asked = 50;
const alpha = 0.25;

describe('a served ensemble', () => {
  const { trees, network, manifest } = ensembleInput();
  const features = randomRows(41, asked, trees.featureCount);
  const sequences = randomWindows(42, asked);
  const tabular = treeScorer(trees).score(features, asked);
  const nn = sequenceScorer(network).score(sequences, asked);
  const windows = normaliseSeries(sequences, network.channels);
  const errors = tsmixerTolerances(network.weights, windows, asked);
  const { nTokens, nChannels } = network.weights.shape;

  let root: string;
  let model: LoadedModel;
  let server: Running;
  const load = async (built: BuiltArtifact, name: string, open?: OpenSession) => {
    const dir = join(root, name);
    await publishArtifact(dir, built);
    return loadModel({ dir, publicKeysPem: [keys.publicKeyPem], nowMs }, open);
  };
  const start = (loaded: LoadedModel) =>
    run({ model: loaded, maxBodyBytes: 4_000_000, clock: () => nowMs });
  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'sluice-ensemble-'));
    model = await load(signedEnsemble(), 'ensemble');
    server = await start(model);
  });
  after(async () => {
    await server.stop();
    await model.close();
    rmSync(root, { recursive: true });
  });

  const nullable = (values: Float32Array): (number | null)[] =>
    Array.from(values, (value) => (Number.isNaN(value) ? null : value));
  const path = `/v2/models/${manifest.model_name}/infer`;
  const heads = [
    { name: 'features', datatype: 'FP32', shape: [asked, trees.featureCount] },
    { name: 'sequence', datatype: 'FP32', shape: [asked, nTokens, nChannels] },
  ];

  async function viaJson(policy: string): Promise<Record<string, number[]>> {
    const inputs = [features, sequences].map((values, i) => ({
      ...heads[i]!,
      data: nullable(values),
    }));
    const { status, json } = await server.post(path, { inputs, parameters: { policy } });
    expect(status, JSON.stringify(json)).to.equal(200);
    return Object.fromEntries(
      json.outputs.map(({ name, data }: { name: string; data: number[] }) => [name, data]),
    );
  }

  async function viaBytes(policy: string): Promise<Record<string, number[]>> {
    const inputs = [features, sequences].map((values, i) => ({
      ...heads[i]!,
      parameters: { binary_data_size: values.byteLength },
    }));
    const head = Buffer.from(
      JSON.stringify({ inputs, parameters: { policy, binary_data_output: true } }),
    );
    const tensors = [features, sequences].map(({ buffer }) => Buffer.from(buffer));
    const answer = await server.post(path, Buffer.concat([head, ...tensors]), {
      'inference-header-content-length': String(head.length),
    });
    return rawOutputs(answer);
  }

  async function viaRows(policy: string) {
    const tensor = nullable(sequences);
    const rows = Array.from({ length: asked }, (_, row) => ({
      symbol: manifest.symbols[0],
      time: row,
      features: nullable(
        features.subarray(row * trees.featureCount, (row + 1) * trees.featureCount),
      ),
      sequence: Array.from({ length: nTokens }, (_, token) => {
        const at = (row * nTokens + token) * nChannels;
        return tensor.slice(at, at + nChannels);
      }),
    }));
    const { feature_payload_schema_version, feature_version } = manifest;
    const head = { feature_payload_schema_version, feature_version };
    const { status, json } = await server.post('/v1/predictions', { ...head, policy, rows });
    expect(status, JSON.stringify(json)).to.equal(200);
    return json;
  }

  /** What the reference says, and how far float32 may be from it. */
  const expected: Readonly<Record<string, (row: number) => [number, number]>> = {
    tabular_only: (row) => [tabular[row]!, 0],
    nn_only: (row) => [nn[row]!, errors[row]!],
    [`blend_alpha_${alpha}`]: (row) => [
      alpha * tabular[row]! + (1 - alpha) * nn[row]!,
      errors[row]!,
    ],
  };

  for (const [policy, reference] of Object.entries(expected)) {
    it(`answers ${policy} as the reference does, alike in JSON, in bytes and by rows`, async () => {
      const json = await viaJson(policy);
      expect(await viaBytes(policy)).to.deep.equal(json);
      const { predictions } = await viaRows(policy);
      expect(predictions.map(({ score }: { score: number }) => score)).to.deep.equal(json.score);
      for (let row = 0; row < asked; row += 1) {
        const [score, error] = reference(row);
        expect(Math.abs(json.score![row]! - score)).to.be.at.most(error);
      }
      if (policy === 'tabular_only') return;
      expect(json.tabular).to.deep.equal(Array.from(tabular));
      for (const [row, part] of json.nn!.entries()) {
        expect(Math.abs(part - nn[row]!)).to.be.at.most(errors[row]!);
        expect(predictions[row].parts).to.deep.equal({ tabular: tabular[row], nn: part });
      }
    });
  }

  it('explains a blend: trees by TreeSHAP, channels by ablation, and what is left over', async () => {
    const { predictions } = await viaRows(`blend_alpha_${alpha}`);
    let remainders = 0;
    for (const [row, { score, parts, explanation }] of predictions.entries()) {
      const { base, contributions, channels, remainder } = explanation;
      expect(Object.keys(channels)).to.deep.equal(network.channels.map(({ name }) => name));
      const sum = (terms: Record<string, number>) =>
        Object.values(terms).reduce((total, term) => total + term, 0);
      const whole = base + sum(contributions) + sum(channels) + remainder;
      expect(Math.abs(whole - score)).to.be.lessThan(1e-9);
      const shown = features.subarray(row * trees.featureCount, (row + 1) * trees.featureCount);
      const ofTrees = alpha * model.trees!.contributions(shown).base + sum(contributions);
      expect(Math.abs(ofTrees - alpha * parts.tabular)).to.be.lessThan(1e-6);
      remainders = Math.max(remainders, Math.abs(remainder));
    }
    // channels of this network work together: ablation alone must not be mistaken for a decomposition
    expect(remainders).to.be.greaterThan(0.01);
  });

  it('serves an artifact of a network alone, and names both inputs', async () => {
    const alone = await load(signedNetwork(), 'network');
    const other = await start(alone);
    const { json } = await other.get(`/v2/models/${manifest.model_name}`);
    expect(json.inputs.map(({ shape }: { shape: number[] }) => shape)).to.deep.equal([
      [-1, trees.featureCount],
      [-1, nTokens, nChannels],
    ]);
    const inputs = [{ ...heads[1]!, data: nullable(sequences) }];
    const answer = await other.post(path, { inputs });
    expect(answer.json.parameters).to.include({ policy: 'nn_only', score_source: 'model' });
    expect(answer.json.outputs[0].data).to.deep.equal((await viaJson('nn_only')).nn);
    const without = await other.post(path, { inputs: [] });
    expect(without.status).to.equal(400);
    await other.stop();
    await alone.close();
  });

  it('answers with the trees’ own bits while its network fails, and with the blend again afterwards', async () => {
    let dead = false;
    const open: OpenSession = async (bytes, shape) => {
      const session = await openSession(bytes, shape);
      return {
        ...session,
        run: async (values, rows) => {
          if (dead && shape.type === 'float32') throw new Error('the network is gone');
          return session.run(values, rows);
        },
      };
    };
    const failing = await load(signedEnsemble(), 'failing', open);
    const other = await start(failing);
    const inputs = [features, sequences].map((values, i) => ({
      ...heads[i]!,
      data: nullable(values),
    }));
    const blended = await other.post(path, { inputs });
    dead = true;
    const fallen = await other.post(path, { inputs });
    expect(fallen.json.parameters).to.include({
      policy: 'tabular_only',
      score_source: 'fallback',
      fallback_from: `blend_alpha_${alpha}`,
      fallback_reason: 'network_failed',
    });
    expect(fallen.json.outputs).to.have.length(1);
    expect(fallen.json.outputs[0].data).to.deep.equal(Array.from(tabular));
    expect(other.faults).to.have.length(1);
    dead = false;
    expect((await other.post(path, { inputs })).json.outputs).to.deep.equal(blended.json.outputs);
    await other.stop();
    await failing.close();
  });
});

function rawOutputs({ status, bytes, headers }: Answer): Record<string, number[]> {
  expect(status).to.equal(200);
  const length = Number(headers.get('inference-header-content-length'));
  const { outputs } = JSON.parse(Buffer.from(bytes.subarray(0, length)).toString());
  let at = length;
  const found: Record<string, number[]> = {};
  for (const { name, parameters } of outputs) {
    const end = at + parameters.binary_data_size;
    found[name] = Array.from(new Float64Array(bytes.slice(at, end).buffer));
    at = end;
  }
  expect(at).to.equal(bytes.length);
  return found;
}
