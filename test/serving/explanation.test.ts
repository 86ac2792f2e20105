// What a served prediction says of itself, against LightGBM's own scores and its own SHAP values.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createRandom } from '../../core/index.ts';
import { buildArtifact, publishArtifact } from '../../models/artifact/index.ts';
import { loadModel } from '../../serving/load/index.ts';
import { fitGbdt } from '../../training/gbdt/index.ts';
import { findLightgbm } from '../../training/native/index.ts';
import { keys, nowMs, sampleInput } from '../models/artifact/samples.ts';
import { run } from './http/running.ts';
import { randomRows } from './randomTrees.ts';

describe('a served prediction of a LightGBM model', () => {
  it('has LightGBM’s own bits, and contributions within 1e-6 of LightGBM’s own', async () => {
    const sample = sampleInput();
    const featureCount = sample.manifest.feature_schema.length;
    const rows = 2000;
    const features = randomRows(21, rows, featureCount);
    const random = createRandom(22);
    const labels = Float32Array.from({ length: rows }, (_, i) => {
      const [a, b] = [features[i * featureCount]!, features[i * featureCount + 1]!];
      return (a || 0.5) * (b || -1) + 0.1 * random.normal();
    });
    const model = await fitGbdt(findLightgbm(), {
      features,
      rows,
      labels,
      featureCount,
      params: { threads: 1, rounds: 40 },
    });
    const asked = 50;
    const probe = randomRows(23, asked, featureCount);
    const expected = model.predict(probe, asked);
    const shap = model.contributions(probe, asked);
    const built = buildArtifact({
      ...sample,
      trees: model.trees,
      network: null,
      golden: { features: probe, rows: asked, tabular: expected, sequences: null, nn: null },
    });
    model.close();
    const root = mkdtempSync(join(tmpdir(), 'sluice-explain-'));
    await publishArtifact(join(root, 'artifact'), built);
    const loaded = await loadModel({
      dir: join(root, 'artifact'),
      publicKeysPem: [keys.publicKeyPem],
      nowMs,
    });
    rmSync(root, { recursive: true });
    const server = await run({ model: loaded });

    const { manifest } = loaded;
    const { status, json } = await server.post('/v1/predictions', {
      feature_payload_schema_version: manifest.feature_payload_schema_version,
      feature_version: manifest.feature_version,
      rows: Array.from({ length: asked }, (_, i) => ({
        symbol: manifest.symbols[0],
        time: i,
        features: Array.from(probe.subarray(i * featureCount, (i + 1) * featureCount), (value) =>
          Number.isNaN(value) ? null : value,
        ),
      })),
    });
    expect(status, JSON.stringify(json)).to.equal(200);
    for (const [i, prediction] of json.predictions.entries()) {
      expect(prediction.score).to.equal(expected[i]);
      const { base, contributions } = prediction.explanation;
      const own = shap.subarray(i * (featureCount + 1), (i + 1) * (featureCount + 1));
      let sum = base;
      for (const [j, { name }] of manifest.feature_schema.entries()) {
        expect(Math.abs(contributions[name] - own[j]!)).to.be.lessThan(1e-6);
        sum += contributions[name];
      }
      expect(Math.abs(base - own[featureCount]!)).to.be.lessThan(1e-6);
      expect(Math.abs(sum - prediction.score)).to.be.lessThan(1e-6);
    }
    await server.stop();
    await loaded.close();
  });
});
