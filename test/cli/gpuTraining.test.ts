// A network trained on a GPU, here an emulated one, is an artifact like any other: it opens, gives its golden scores again
// and is served on a CPU, and it says what trained it.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { silent } from '../../core/index.ts';
import { openArtifact } from '../../models/artifact/index.ts';
import { sequenceScorer } from '../../models/score/index.ts';
import { loadModel } from '../../serving/load/index.ts';
import { findSluice } from '../../training/native/index.ts';
import {
  type RetrainConfig,
  type TrainedArtifact,
  type TrainRequest,
  trainNetwork,
} from '../../training/retrain/index.ts';
import { nativeEngine } from '../../training/tsmixer/index.ts';
import { gpu, withEmulatedGpu } from '../training/native/engineCase.ts';
import { asOf, neuralConfig } from '../training/retrain/smallConfig.ts';
import { documentOf, sluice } from './sluice.ts';

/** One symbol, few days, one epoch in large batches: an emulated GPU is slow. */
function tinyConfig(): RetrainConfig {
  const config = neuralConfig();
  const { data, tsmixer } = config;
  return {
    ...config,
    name: 'gpu',
    data: { ...data, simulator: { ...data.simulator, symbols: 1, days: 60 } },
    tsmixer: { ...tsmixer, channels: ['log_return_1'], n_tokens: 4, epochs: 1, seeds: 1 },
  };
}

describe('a network trained on a GPU', function () {
  this.timeout(120_000);
  withEmulatedGpu();
  let out: string;
  let onGpu: TrainedArtifact;
  before(async () => {
    out = mkdtempSync(join(tmpdir(), 'sluice-gpu-trained-'));
    onGpu = await train(nativeEngine(findSluice(gpu.tf32.path), gpu.tf32.precision));
  });
  after(() => rmSync(out, { recursive: true, force: true }));

  const train = (engine: TrainRequest['engine']) =>
    trainNetwork({
      config: tinyConfig(),
      dataFolder: null,
      out,
      asOf,
      engine,
      library: null,
      clock: () => asOf,
      progress: silent,
      signal: new AbortController().signal,
    });

  it('opens, answers as it was signed and is served on a CPU, and says what trained it', async () => {
    const { artifact, neural } = onGpu;
    const key = join(out, 'keys', 'signing.pub.pem');
    const verified = await sluice('artifact', 'verify', artifact.path, '--key', key, '--json');
    expect(documentOf(verified)).to.deep.include({ ok: true, violations: [] });

    const publicKeysPem = [readFileSync(key, 'utf8')];
    const verdict = openArtifact(artifact.path, { publicKeysPem, nowMs: asOf });
    if (!verdict.ok) throw new Error(JSON.stringify(verdict.violations));
    const { manifest, network, golden } = verdict.artifact;
    const { sequences, rows, nn } = golden;
    expect(sequenceScorer(network!).score(sequences!, rows)).to.deep.equal(nn);
    const served = await loadModel({ dir: artifact.path, publicKeysPem, nowMs: asOf });
    await served.close();

    const told = { device: 'cuda', device_name: 'emulated GPU', driver: '13.0' } as const;
    const version = '2-emulated-sm90-tf32';
    expect(manifest.engine).to.deep.equal({
      ...{ name: 'tsmixer_native', version, device: 'cuda', precision: 'tf32' },
      parts: [
        {
          ...{ part: 'network', name: 'tsmixer_native', version, ...told },
          ...{ precision: 'tf32', reproducible: true },
        },
      ],
    });
    expect(neural.engine).to.deep.equal({ name: 'native', version, ...told, precision: 'tf32' });
    const report = JSON.parse(readFileSync(join(artifact.path, 'train_report.json'), 'utf8'));
    expect(report.neural.engine).to.deep.equal(neural.engine);
  });

  it('is another model than that of the CPU from the same config, which is the same trial', async () => {
    const onCpu = await train(nativeEngine());
    expect(onCpu.artifact.path).to.not.equal(onGpu.artifact.path);
    const [gpuReport, cpuReport] = [onGpu, onCpu].map(({ artifact }) =>
      JSON.parse(readFileSync(join(artifact.path, 'train_report.json'), 'utf8')),
    );
    expect(gpuReport.config_digest).to.equal(cpuReport.config_digest);
    expect(gpuReport.lineage_id).to.not.equal(cpuReport.lineage_id);
    const [a, b] = [onGpu, onCpu].map(({ neural }) => neural.lambda_candidates[0]!);
    expect(a!.validation_loss).to.be.closeTo(b!.validation_loss, 1e-2);
  });
});
