// The whole process: a signed folder, a port, requests, and an orderly end.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type CommandIo, SluiceError, silent } from '../../core/index.ts';
import { publishArtifact, writeLatestArtifact } from '../../models/artifact/index.ts';
import { treeScorer } from '../../models/score/index.ts';
import { type ServeOptions, serve } from '../../serving/main.ts';
import { keys, nowMs } from '../models/artifact/samples.ts';
import { signedArtifact, signedInput } from './signedModel.ts';

describe('the command serve', () => {
  let out: string;

  beforeEach(async () => {
    out = mkdtempSync(join(tmpdir(), 'sluice-serve-'));
    mkdirSync(join(out, 'keys'));
    writeFileSync(join(out, 'keys', 'signing.pub.pem'), keys.publicKeyPem);
    const built = signedArtifact();
    const path = join('models', 'liquid_test', '1');
    await publishArtifact(join(out, path), built);
    writeLatestArtifact(out, { path, digest: built.digest }, false);
  });
  afterEach(() => rmSync(out, { recursive: true, force: true }));

  const ioOf = (signal: AbortSignal): CommandIo => ({
    env: { LOG_LEVEL: 'silent' },
    clock: () => nowMs,
    progress: silent,
    signal,
  });

  /** Runs `work` while the server answers, then stops it. */
  async function whileServing(
    options: ServeOptions,
    work: (url: string) => Promise<void>,
  ): Promise<Awaited<ReturnType<typeof serve>>> {
    const stop = new AbortController();
    let begin: (url: string) => void = () => {};
    const ready = new Promise<string>((resolve) => {
      begin = resolve;
    });
    const ended = serve({ out, port: 0, onReady: begin, ...options }, ioOf(stop.signal));
    try {
      const url = await Promise.race([ready, ended.then(() => '')]);
      await work(url);
    } finally {
      stop.abort();
    }
    return ended;
  }

  it('serves the latest artifact of a folder on loopback until it is told to stop', async () => {
    let digest = '';
    const result = await whileServing({}, async (url) => {
      expect(url).to.match(/^http:\/\/127\.0\.0\.1:\d+$/);
      const answer = await fetch(`${url}/v2/health/ready`);
      digest = ((await answer.json()) as { artifact_digest: string }).artifact_digest;
    });
    expect(result.exit).to.equal(0);
    expect(result.json).to.deep.include({ stopped: true, drained: true });
    expect(result.json.artifact).to.deep.include({ digest });
  });

  it('answers every golden row with the trainer’s own bits, through JSON and through raw tensors', async () => {
    const { golden, trees } = signedInput();
    const width = trees.featureCount;
    const expected = Array.from(golden.tabular);
    expect(expected).to.deep.equal(
      Array.from(treeScorer(trees).score(golden.features, golden.rows)),
    );
    await whileServing({}, async (url) => {
      const { models } = (await (await fetch(`${url}/v2/models`)).json()) as { models: string[] };
      const path = `${url}/v2/models/${models[0]}/infer`;
      const tensor = { name: 'features', shape: [golden.rows, width] };
      const json = await fetch(path, {
        method: 'POST',
        body: JSON.stringify({
          inputs: [
            {
              ...tensor,
              datatype: 'FP32',
              data: Array.from(golden.features, (x) => (Number.isNaN(x) ? null : x)),
            },
          ],
        }),
      });
      const document = (await json.json()) as { outputs: [{ data: number[] }] };
      expect(document.outputs[0].data).to.deep.equal(expected);

      const head = Buffer.from(
        JSON.stringify({
          parameters: { binary_data_output: true },
          inputs: [
            {
              ...tensor,
              datatype: 'FP64',
              parameters: { binary_data_size: golden.features.length * 8 },
            },
          ],
        }),
      );
      const raw = await fetch(path, {
        method: 'POST',
        headers: { 'inference-header-content-length': String(head.length) },
        body: Buffer.concat([head, Buffer.from(Float64Array.from(golden.features).buffer)]),
      });
      const bytes = await raw.arrayBuffer();
      const at = Number(raw.headers.get('inference-header-content-length'));
      expect(Array.from(new Float64Array(bytes.slice(at)))).to.deep.equal(expected);
    });
  });

  it('ends at once, and frees its port, when the artifact is refused', async () => {
    const other = join(out, 'other.pub.pem');
    writeFileSync(other, keys.publicKeyPem);
    rmSync(join(out, 'models', 'liquid_test', '1', 'golden.json'));
    let thrown: unknown;
    await whileServing({ key: other }, async () => {}).catch((error) => {
      thrown = error;
    });
    expect(thrown).to.be.instanceOf(SluiceError);
    expect((thrown as SluiceError).code).to.equal('artifact_refused');
    expect((thrown as SluiceError).message).to.contain('golden.json');
  });

  it('says what to do when there is no artifact', async () => {
    rmSync(join(out, 'models'), { recursive: true });
    let thrown: unknown;
    await whileServing({}, async () => {}).catch((error) => {
      thrown = error;
    });
    expect((thrown as SluiceError).code).to.equal('input_missing');
    expect((thrown as SluiceError).message).to.contain('retrain');
  });
});
