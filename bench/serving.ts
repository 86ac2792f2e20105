// The serving process against a bare Express endpoint that parses and answers the same JSON: requests per second
// at 1 and 8 connections, and the round trip at 200 requests/s; each server is a process of its own, this one is the
// client. Then without sockets: one request at 200/s, and 512 rows against a raw run of the session; and the same
// request to an ensemble, whose network reads a window of bars: blended, and blended with its explanation.
// Options: --rounds N, --seconds N (per measurement).

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import express from 'express';
import { createRandom, hourMs, silent } from '../core/index.ts';
import {
  barFeaturesBaseline,
  type FeatureSpec,
  featureSpecJson,
  featureVersion,
} from '../data/feature/index.ts';
import {
  type ArtifactInput,
  buildArtifact,
  featureSchemaOf,
  type GoldenScores,
  publishArtifact,
} from '../models/artifact/index.ts';
import { sequenceScorer, treeScorer } from '../models/score/index.ts';
import { createService, routesOf } from '../serving/http/index.ts';
import { type LoadedModel, loadModel } from '../serving/load/index.ts';
import { serve } from '../serving/main.ts';
import { createMetrics } from '../serving/monitor/index.ts';
import { createPredictor, fallbackReasons, refusalStatus } from '../serving/route/index.ts';
import { keys, nowMs, sampleInput } from '../test/models/artifact/samples.ts';
import { randomNetwork } from '../test/models/score/tsmixerSamples.ts';
import { randomRows, randomTrees } from '../test/serving/randomTrees.ts';
import { report, summarise, time } from './harness.ts';

const featureCount = 64;
/** What configs/default.json trains: 300 trees of 15 leaves, here 16. */
const size = { featureCount, trees: 300, depth: 4 };
const modelName = 'liquid_test';
const path = `/v2/models/${modelName}/infer`;
const perSecond = 200;

type Name = 'sluice' | 'bare_express';

interface Target {
  readonly name: Name;
  readonly url: string;
  readonly stop: () => void;
}

// The model

const trees = randomTrees(1, size);

/** What configs/default.json trains beside the trees. */
const networkShape = {
  nTokens: 48,
  nChannels: 9,
  hidden: 32,
  blocks: 2,
  activation: 'relu',
} as const;
const blendPolicy = 'blend_alpha_0.5';

/** Random trees over 64 columns, under the manifest that the tests use. */
function benchArtifact(): ArtifactInput & { readonly golden: GoldenScores } {
  const sample = sampleInput();
  const baseline = barFeaturesBaseline({ symbolCount: 1, timeframeMs: hourMs });
  const spec: FeatureSpec = {
    ...baseline,
    entries: Array.from({ length: featureCount }, (_, i) => ({
      ...baseline.entries[0]!,
      name: `log_return_${i + 1}`,
      params: { bars: i + 1, bar_ms: hourMs },
    })),
  };
  const rows = 32;
  const features = randomRows(3, rows, featureCount);
  return {
    ...sample,
    trees,
    network: null,
    golden: {
      ...{ features, rows, sequences: null, nn: null },
      tabular: treeScorer(trees).score(features, rows),
    },
    manifest: {
      ...sample.manifest,
      feature_schema: featureSchemaOf(spec),
      feature_spec: featureSpecJson(spec),
      feature_version: featureVersion(spec),
      n_channels: featureCount,
      drift_thresholds: [],
    },
  };
}

/** The same with a random network over its first columns. */
function benchEnsemble(): ArtifactInput {
  const input = benchArtifact();
  const { weights, channels } = randomNetwork(createRandom(7), networkShape);
  const network = {
    weights,
    channels: channels.map((channel, c) => ({ ...channel, name: `log_return_${c + 1}` })),
  };
  const sequences = windowsOf(input.golden.rows);
  const nn = sequenceScorer(network).score(sequences, input.golden.rows);
  return {
    ...input,
    network,
    golden: { ...input.golden, sequences, nn },
    manifest: {
      ...input.manifest,
      type: 'ensemble_liquid',
      n_tokens: networkShape.nTokens,
      n_channels: networkShape.nChannels,
      ensemble_alpha: 0.5,
      policies_allowed: ['tabular_only', 'nn_only', blendPolicy],
      policy: blendPolicy,
    },
  };
}

const windowsOf = (rows: number): Float32Array =>
  randomRows(6, rows * networkShape.nTokens, networkShape.nChannels);

/** The artifact and its public key in a folder that `serve` takes as `out`. */
async function withArtifact<T>(
  work: (out: string, dir: string) => Promise<T>,
  input = benchArtifact(),
): Promise<T> {
  const out = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const dir = join(out, 'models', modelName, '1');
  mkdirSync(join(out, 'keys'));
  writeFileSync(join(out, 'keys', 'signing.pub.pem'), keys.publicKeyPem);
  await publishArtifact(dir, buildArtifact(input));
  try {
    return await work(out, dir);
  } finally {
    rmSync(out, { recursive: true });
  }
}

// The servers

/** The real process, by its own command. */
const serveSluice = (): Promise<string> =>
  withArtifact(
    (out, artifact) =>
      new Promise((onReady, reject) => {
        const env = { LOG_LEVEL: 'error' };
        const { signal } = new AbortController();
        serve(
          { out, artifact, port: 0, onReady },
          { env, clock: () => nowMs, progress: silent, signal },
        ).catch(reject);
      }),
  );

/** What Express costs by itself: parse the JSON, answer the same JSON. */
function serveBare(answer: unknown): Promise<string> {
  const app = express().disable('x-powered-by').disable('etag');
  app.use(express.json({ limit: 1 << 22 }));
  app.post('/v2/models/:model/infer', (_request, response) => {
    response.json(answer);
  });
  return new Promise((resolve) => {
    const server = app.listen(0, '127.0.0.1', () => {
      resolve(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
    });
  });
}

async function serveAs(name: string): Promise<void> {
  let text = '';
  for await (const chunk of process.stdin) text += chunk;
  const url = name === 'sluice' ? await serveSluice() : await serveBare(JSON.parse(text));
  process.stdout.write(`${url}\n`);
}

async function startTarget(name: Name, answer: unknown): Promise<Target> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--server', name], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  child.stdin.end(JSON.stringify(answer));
  const lines = createInterface({ input: child.stdout });
  const url = await new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    child.once('exit', () => reject(new Error(`the ${name} server ended`)));
  });
  return { name, url: url + path, stop: () => child.kill() };
}

// The client

const features = randomRows(2, 1, featureCount);
const body = JSON.stringify({
  id: 'bench',
  inputs: [
    {
      name: 'features',
      shape: [1, featureCount],
      datatype: 'FP32',
      data: Array.from(features, (value) => (Number.isNaN(value) ? null : value)),
    },
  ],
});
const headers = { 'content-type': 'application/json' };

async function requestsPerSecond(
  url: string,
  connections: number,
  duration: number,
): Promise<number> {
  const result = await autocannon({ url, method: 'POST', body, headers, connections, duration });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(`${url}: ${result.non2xx} refusals, ${result.errors} errors`);
  }
  return result.requests.total / result.duration;
}

function post(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const length = Buffer.byteLength(body);
    const sent = request(url, {
      agent,
      method: 'POST',
      headers: { ...headers, 'content-length': length },
    });
    sent.on('error', reject).on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    });
    sent.end(body);
  });
}

/** Milliseconds of single calls at a steady pace. */
async function paced(call: () => unknown, seconds: number): Promise<Record<string, number>> {
  const times: number[] = [];
  const begin = performance.now();
  for (let i = 0; i < perSecond * seconds; i += 1) {
    const wait = begin + (i * 1000) / perSecond - performance.now();
    if (wait > 0) await sleep(wait);
    const sent = performance.now();
    await call();
    times.push(performance.now() - sent);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) =>
    times[Math.min(times.length - 1, Math.floor(share * times.length))]!;
  return { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1), n: times.length };
}

function checkedAnswer(text: string): unknown {
  const document = JSON.parse(text) as { outputs?: { data: number[] }[] };
  const expected = treeScorer(trees).score(features, 1)[0];
  if (document.outputs?.[0]?.data[0] !== expected) {
    throw new Error(`served ${text}, the reference says ${expected}`);
  }
  return document;
}

// The measurements

async function overSockets(rounds: number, seconds: number): Promise<Record<string, unknown>> {
  const sluice = await startTarget('sluice', null);
  const answer = checkedAnswer(await post(sluice.url, new Agent()));
  const targets = [sluice, await startTarget('bare_express', answer)];
  const result: Record<string, unknown> = {};
  for (const connections of [1, 8]) {
    const rates: Record<Name, number[]> = { sluice: [], bare_express: [] };
    for (const { url } of targets) await requestsPerSecond(url, connections, 2);
    for (let round = 0; round < rounds; round += 1) {
      for (const { name, url } of round % 2 === 0 ? targets : targets.toReversed()) {
        rates[name].push(await requestsPerSecond(url, connections, seconds));
      }
    }
    const ratios = rates.sluice.map((rate, i) => rate / rates.bare_express[i]!);
    result[`requests_per_s_c${connections}`] = {
      sluice: summarise(rates.sluice).median_s,
      bare_express: summarise(rates.bare_express).median_s,
      ratio: summarise(ratios).median_s,
      ratios,
    };
  }
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const roundTrip: Record<string, unknown> = {};
  for (const { name, url } of targets) {
    roundTrip[name] = await paced(() => post(url, agent), rounds * seconds);
  }
  agent.destroy();
  for (const { stop } of targets) stop();
  return { ...result, [`round_trip_at_${perSecond}_per_s`]: roundTrip };
}

async function withoutSockets(seconds: number): Promise<Record<string, unknown>> {
  return withArtifact(async (_out, dir) => {
    const model = await loadModel({ dir, publicKeysPem: [keys.publicKeyPem], nowMs });
    const answer = handlerOf(model, ':model/infer');
    const one = Buffer.from(body);
    checkedAnswer(String((await answer(one, {})).body));
    const handler = await paced(() => answer(one, {}), seconds);
    const many = await manyRows(model, answer);
    await model.close();
    return { [`handler_at_${perSecond}_per_s`]: handler, rows_512: many };
  });
}

/** One row with its window, by the path that explains: with and without the explanation. */
async function blended(seconds: number): Promise<Record<string, unknown>> {
  return withArtifact(async (_out, dir) => {
    const model = await loadModel({ dir, publicKeysPem: [keys.publicKeyPem], nowMs });
    const answer = handlerOf(model, '/v1/predictions');
    const result: Record<string, unknown> = {};
    for (const explain of [false, true]) {
      const one = Buffer.from(JSON.stringify(blendedRow(model, explain)));
      const { body: text } = await answer(one, {});
      const { policy, score_source } = JSON.parse(String(text));
      if (policy !== blendPolicy || score_source !== 'model') throw new Error(`served ${text}`);
      const name = `${explain ? 'explained_' : ''}blend_at_${perSecond}_per_s`;
      result[name] = await paced(() => answer(one, {}), seconds);
    }
    await model.close();
    return result;
  }, benchEnsemble());
}

function blendedRow({ manifest }: LoadedModel, explain: boolean) {
  const nullable = (values: Float32Array) =>
    Array.from(values, (value) => (Number.isNaN(value) ? null : value));
  const { nTokens, nChannels } = networkShape;
  const window = windowsOf(1);
  return {
    feature_payload_schema_version: manifest.feature_payload_schema_version,
    feature_version: manifest.feature_version,
    symbol: manifest.symbols[0],
    time: nowMs,
    explain,
    features: nullable(features),
    sequence: Array.from({ length: nTokens }, (_, token) =>
      nullable(window.subarray(token * nChannels, (token + 1) * nChannels)),
    ),
  };
}

type Answer = (
  body: Uint8Array,
  headers: Record<string, string>,
) => Promise<{ readonly status: number; readonly body: Uint8Array | string }>;

function handlerOf(model: LoadedModel, route: string): Answer {
  const monotonicMs = () => performance.now();
  const service = createService({
    limits: { maxBodyBytes: 1 << 23, maxRows: 4096, maxInFlight: 64 },
    metrics: createMetrics({
      refusalReasons: Object.keys(refusalStatus),
      fallbackReasons,
      processMetrics: false,
    }),
    clock: () => nowMs,
    monotonicMs,
    onFault: () => {},
    predict: createPredictor({
      newId: () => 'bench',
      clock: () => nowMs,
      monotonicMs,
      deadlineMs: 10_000,
      recorder: undefined,
      onFault: () => {},
    }),
  });
  service.install(model);
  const { handle } = routesOf(service, '0').find(({ path: one }) => one.endsWith(route))!;
  return async (bytes, head) =>
    handle({
      params: { model: modelName },
      headers: head,
      body: bytes,
      arrivedMs: monotonicMs(),
    });
}

/** 512 rows as raw tensors through the handler, against the session alone. */
async function manyRows(model: LoadedModel, answer: Answer): Promise<Record<string, unknown>> {
  const rows = 512;
  const values = randomRows(5, rows, featureCount);
  const head = Buffer.from(
    JSON.stringify({
      parameters: { binary_data_output: true },
      inputs: [
        {
          name: 'features',
          shape: [rows, featureCount],
          datatype: 'FP32',
          parameters: { binary_data_size: values.byteLength },
        },
      ],
    }),
  );
  const bytes = Buffer.concat([head, Buffer.from(values.buffer)]);
  const headers = { 'inference-header-content-length': String(head.length) };
  const { status } = await answer(bytes, headers);
  if (status !== 200) throw new Error(`512 rows were answered ${status}`);
  const session = await time(() => model.trees!.score(values, rows), 41);
  const handler = await time(() => answer(bytes, headers), 41);
  return { session, handler, ratio: handler.median_s / session.median_s };
}

const { values: options } = parseArgs({
  options: {
    server: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '4' },
  },
});
if (options.server !== undefined) await serveAs(options.server);
else {
  const [rounds, seconds] = [Number(options.rounds), Number(options.seconds)];
  report('serving', {
    model: { ...size, network: networkShape },
    rounds,
    seconds,
    ...(await overSockets(rounds, seconds)),
    ...(await withoutSockets(rounds * seconds)),
    ...(await blended(rounds * seconds)),
  });
}
