// From training to an answer over HTTP: what is served for a row is what LightGBM itself predicts for it, bit for bit,
// and what is served for a window is what the backtest scored, within the rounding of float32.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type CommandIo, type Policy, silent, systemClock } from '../../core/index.ts';
import { createSequenceView, gatherWindow } from '../../data/dataset/index.ts';
import { loadPanel } from '../../data/market/index.ts';
import { openArtifact } from '../../models/artifact/index.ts';
import { ownScores, scoreSequences } from '../../models/backtest/index.ts';
import {
  normaliseSeries,
  sequenceScorer,
  type TsmixerNetwork,
  tsmixerTolerances,
} from '../../models/score/index.ts';
import { judgeRuns } from '../../serving/gate.ts';
import { loadModel } from '../../serving/load/index.ts';
import { serve } from '../../serving/main.ts';
import { retrain } from '../../training/main.ts';
import { findLightgbm } from '../../training/native/index.ts';
import { fitFinal } from '../../training/retrain/fit.ts';
import type { RetrainConfig } from '../../training/retrain/index.ts';
import { prepareSamples } from '../../training/retrain/samples.ts';
import { needsSharedData, sharedData } from '../sharedData.ts';
import {
  asOf,
  neuralConfig,
  realConfig,
  smallConfig,
  writeConfig,
} from '../training/retrain/smallConfig.ts';

const ioOf = (signal: AbortSignal): CommandIo => ({
  env: { LOG_LEVEL: 'silent' },
  clock: systemClock,
  progress: silent,
  signal,
});
const never = new AbortController().signal;

/** Rows of features with the scores that LightGBM gives them. */
interface Scored {
  readonly features: Float32Array;
  readonly rows: number;
  readonly width: number;
  readonly expected: Float64Array;
}

/** An input tensor on its way to a server. */
interface Sent {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

const featuresOf = ({ features, rows, width }: Scored): Sent => ({
  name: 'features',
  shape: [rows, width],
  values: features,
});

const jsonTensor = ({ name, shape, values }: Sent) => ({
  ...{ name, shape, datatype: 'FP32' },
  data: Array.from(values, (x) => (Number.isNaN(x) ? null : x)),
});

const rawTensor = ({ name, shape, values }: Sent) => ({
  ...{ name, shape, datatype: 'FP32' },
  parameters: { binary_data_size: values.byteLength },
});

describe('from training to HTTP', function () {
  this.timeout(300_000);
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-served-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Small steps towards a strong signal: every round is kept, and scores differ. */
  const slow = (config: RetrainConfig): RetrainConfig => ({
    ...config,
    data: { ...config.data, simulator: { ...config.data.simulator, alpha: 5 } },
    gbdt: { ...config.gbdt, learning_rate: 0.005 },
  });

  /** Retrains, fits the same model once more by LightGBM, and lets that predict rows from the whole of the data. */
  async function trained(name: string, config: RetrainConfig, data?: string) {
    const out = join(folder, name);
    const options = { config: writeConfig(folder, config, `${name}.json`), out, asOf };
    const { json } = await retrain(
      { ...options, device: 'cpu', ...(data === undefined ? {} : { data }) },
      ioOf(never),
      judgeRuns,
    );
    const { path } = (json as { artifact: { path: string } }).artifact;
    const panel = await loadPanel({ storePath: join(out, 'bars', String(json.data_version)) });
    const samples = prepareSamples(config, panel, never);
    const { dataset, spans } = samples;
    const report = JSON.parse(readFileSync(join(path, 'train_report.json'), 'utf8'));
    const context = { library: findLightgbm(), progress: silent, signal: never };
    const model = await fitFinal(context, dataset, spans.search.rows, config.gbdt, report.rounds);
    const scored = (step: number): Scored => {
      const width = model.featureCount;
      const rows = Math.floor(dataset.rows / step);
      const features = new Float32Array(rows * width);
      for (let row = 0; row < rows; row += 1) {
        const from = row * step * width;
        features.set(dataset.features.subarray(from, from + width), row * width);
      }
      return { features, rows, width, expected: model.predict(features, rows) };
    };
    const golden = JSON.parse(readFileSync(join(path, 'golden.json'), 'utf8'));
    return { out, path, dataset, scored, golden, close: model.close };
  }

  const sameBits = (found: ArrayLike<number>, expected: Float64Array): void => {
    expect(found.length).to.equal(expected.length);
    expect(expected.findIndex((score, row) => !Object.is(score, found[row]))).to.equal(-1);
  };

  async function viaLoad(out: string, path: string, { features, rows }: Scored) {
    const publicKeysPem = [readFileSync(join(out, 'keys', 'signing.pub.pem'), 'utf8')];
    const model = await loadModel({ dir: path, publicKeysPem, nowMs: asOf });
    try {
      return await model.trees!.score(features, rows);
    } finally {
      await model.close();
    }
  }

  /** Asks a server of its own for the score of rows, as JSON and as raw tensors. */
  async function viaHttp(out: string, inputs: readonly Sent[], name: string, policy?: string) {
    const stop = new AbortController();
    const { promise: ready, resolve } = Promise.withResolvers<string>();
    const ended = serve({ out, port: 0, onReady: resolve }, ioOf(stop.signal));
    try {
      const url = await Promise.race([ready, ended.then(() => '')]);
      const path = `${url}/v2/models/${name}/infer`;
      const asked = policy === undefined ? {} : { policy };
      const answer = await fetch(path, {
        method: 'POST',
        body: JSON.stringify({ inputs: inputs.map(jsonTensor), parameters: asked }),
      });
      const document = (await answer.json()) as {
        outputs: [{ data: number[] }];
        parameters: Record<string, string>;
        error?: string;
      };
      expect(answer.status, document.error).to.equal(200);
      const head = Buffer.from(
        JSON.stringify({
          parameters: { ...asked, binary_data_output: true },
          outputs: [{ name: 'score' }],
          inputs: inputs.map(rawTensor),
        }),
      );
      const raw = await fetch(path, {
        method: 'POST',
        headers: { 'inference-header-content-length': String(head.length) },
        body: Buffer.concat([head, ...inputs.map(({ values }) => Buffer.from(values.buffer))]),
      });
      const at = Number(raw.headers.get('inference-header-content-length'));
      const binary = new Float64Array((await raw.arrayBuffer()).slice(at));
      return { json: document.outputs[0].data, binary, said: document.parameters };
    } finally {
      stop.abort();
      await ended;
    }
  }

  async function requireEqual(name: string, config: RetrainConfig, data?: string): Promise<void> {
    const { out, path, dataset, scored, golden, close } = await trained(name, config, data);
    try {
      const few = scored(Math.ceil(dataset.rows / 300));
      expect(few.rows).to.be.above(250);
      expect(new Set(few.expected).size, 'scores that differ').to.be.above(50);
      sameBits(await viaLoad(out, path, few), few.expected);
      const { json, binary } = await viaHttp(out, [featuresOf(few)], config.name);
      sameBits(json, few.expected);
      sameBits(binary, few.expected);
      // the trainer's own golden rows are every so-many-th row of the data, with the scores of that run
      const rows: (number | null)[][] = golden.features;
      const features = Float32Array.from(rows.flat(), (x) => x ?? Number.NaN);
      const replayed = { ...few, features, rows: rows.length };
      const { binary: again } = await viaHttp(out, [featuresOf(replayed)], config.name);
      sameBits(again, Float64Array.from(golden.scores.tabular));
      const all = scored(1);
      sameBits(await viaLoad(out, path, all), all.expected);
    } finally {
      close();
    }
  }

  it('serves a simulated market’s rows as LightGBM predicts them', async () => {
    await requireEqual('simulated', slow(smallConfig()));
  });

  it('serves the rows of real bars as LightGBM predicts them', async function () {
    needsSharedData(this);
    await requireEqual('real', slow(realConfig()), sharedData());
  });

  it('serves all three policies of an ensemble as the backtest scores them', async () => {
    const config = slow(neuralConfig());
    const { out, path, dataset, scored, close } = await trained('ensemble', config);
    const network = openedNetwork(out, path);
    const { nTokens, nChannels } = network.weights.shape;
    const names = network.channels.map(({ name }) => name);
    const { panel, featureSpec } = dataset;
    const grid = scoreSequences(featureSpec, names, sequenceScorer(network), panel, null, never);
    // rows from the whole of the data, without the first ones, whose windows begin before it
    const all = scored(1);
    close();
    const view = createSequenceView(dataset, names, nTokens);
    const valid = Array.from(view.windowsValid.keys()).filter(
      (row) => view.windowsValid[row] === 1,
    );
    const rows = valid.filter((_, i) => i % Math.ceil(valid.length / 200) === 0);
    const features = new Float32Array(rows.length * all.width);
    const windows = new Float32Array(rows.length * nTokens * nChannels);
    for (const [i, row] of rows.entries()) {
      features.set(all.features.subarray(row * all.width, (row + 1) * all.width), i * all.width);
      gatherWindow(view, row, windows, i * nTokens * nChannels);
    }
    const tabular = Float64Array.from(rows, (row) => all.expected[row]!);
    const nn = Float64Array.from(rows, (row) => grid[view.windowEnds[row]!]!);
    expect(new Set(nn).size, 'scores that differ').to.be.above(100);
    const errors = tsmixerTolerances(
      network.weights,
      normaliseSeries(windows, network.channels),
      rows.length,
    );
    const inputs = [
      { name: 'features', shape: [rows.length, all.width], values: features },
      { name: 'sequence', shape: [rows.length, nTokens, nChannels], values: windows },
    ];
    const { policies_allowed } = JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8'));
    expect(policies_allowed).to.have.length(3);
    for (const policy of policies_allowed as Policy[]) {
      const { json, binary, said } = await viaHttp(out, inputs, config.name, policy);
      expect(said).to.include({ policy, score_source: 'model' });
      sameBits(json, binary);
      const expected = ownScores(policy, tabular, nn);
      const far = expected.findIndex(
        (score, i) => !(Math.abs(score - json[i]!) <= (policy === 'tabular_only' ? 0 : errors[i]!)),
      );
      expect(far, policy).to.equal(-1);
    }
    const [trees] = inputs;
    const fallen = await viaHttp(out, [trees!], config.name, 'nn_only');
    expect(fallen.said).to.include({ policy: 'tabular_only', score_source: 'fallback' });
    sameBits(fallen.binary, tabular);
  });

  function openedNetwork(out: string, path: string): TsmixerNetwork {
    const publicKeysPem = [readFileSync(join(out, 'keys', 'signing.pub.pem'), 'utf8')];
    const verdict = openArtifact(path, { publicKeysPem, nowMs: asOf });
    if (!verdict.ok || verdict.artifact.network === null) throw new Error(`no network in ${path}`);
    return verdict.artifact.network;
  }
});
