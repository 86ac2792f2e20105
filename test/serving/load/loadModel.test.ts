import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import {
  artifactFile,
  type FileMap,
  generateKeyPair,
  publishArtifact,
  signatureFile,
} from '../../../models/artifact/index.ts';
import { treeScorer } from '../../../models/score/index.ts';
import { type LoadedModel, type LoadOptions, loadModel } from '../../../serving/load/index.ts';
import {
  canonical,
  keys,
  manifestOf,
  nowMs,
  remade,
  resigned,
} from '../../models/artifact/samples.ts';
import { randomRows } from '../randomTrees.ts';
import { signedArtifact, signedInput } from '../signedModel.ts';

describe('loading a model', () => {
  const built = signedArtifact();
  const { trees, golden } = signedInput();
  let root: string;
  let dir: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'sluice-load-'));
    dir = join(root, 'artifact');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const load = async (files: FileMap, options: Partial<LoadOptions> = {}): Promise<LoadedModel> => {
    await publishArtifact(dir, { files, digest: '' });
    return loadModel({ dir, publicKeysPem: [keys.publicKeyPem], nowMs, ...options });
  };
  /** Codes of all violations for which nothing was loaded. */
  const refusedFor = async (work: Promise<unknown>): Promise<string[]> => {
    const thrown = await work.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(thrown).to.be.instanceOf(SluiceError);
    const { code, context, message } = thrown as SluiceError;
    expect(code).to.equal('artifact_refused');
    const codes = (context.violations as { code: string }[]).map((violation) => violation.code);
    for (const one of codes) expect(message).to.contain(one);
    return codes;
  };

  it('hands out manifest, digest, key and a scorer with the reference’s bits, alone and in batches', async () => {
    const model = await load(built.files);
    expect(model.digest).to.equal(built.digest);
    expect(model.keyHint).to.match(/^[0-9a-f]{64}$/);
    const rows = 300;
    const width = trees.featureCount;
    const features = randomRows(11, rows, width);
    const expected = treeScorer(trees).score(features, rows);
    expect(await model.score(features, rows)).to.deep.equal(expected);
    const alone = await Promise.all(
      Array.from({ length: rows }, (_, i) =>
        model.score(features.subarray(i * width, (i + 1) * width), 1),
      ),
    );
    expect(alone.map((score) => score[0])).to.deep.equal(Array.from(expected));
    await model.close();
  });

  it('explains a score: base and contributions add up to it, to 1e-6', async () => {
    const model = await load(built.files);
    const width = trees.featureCount;
    const scores = await model.score(golden.features, golden.rows);
    for (let i = 0; i < golden.rows; i += 1) {
      const row = golden.features.subarray(i * width, (i + 1) * width);
      const { base, contributions } = model.contributions(row);
      const sum = contributions.reduce((total, value) => total + value, base);
      expect(Math.abs(sum - scores[i]!)).to.be.lessThan(1e-6);
    }
    await model.close();
  });

  const flipped = (name: string): Buffer => {
    const bytes = Buffer.from(built.files.get(name)!);
    bytes[bytes.length >> 1]! ^= 1;
    return bytes;
  };
  const manifestWith = (change: Record<string, unknown>): FileMap =>
    resigned(built.files, {
      [artifactFile.manifest]: canonical({ ...manifestOf(built.files), ...change }),
    });
  const without = (name: string): FileMap => {
    const files = new Map(built.files);
    files.delete(name);
    return files;
  };
  const wrongGolden = () => {
    const document = JSON.parse(built.files.get(artifactFile.golden)!.toString());
    document.scores.tabular[3] += 2 ** -20;
    return remade(built.files, { [artifactFile.golden]: canonical(document) });
  };

  const broken: readonly [string, string, () => FileMap][] = [
    ['no signature', 'file_missing', () => without(signatureFile)],
    ['no manifest', 'file_missing', () => without(artifactFile.manifest)],
    ['no model', 'file_missing', () => without(artifactFile.tabular)],
    ['a stranger’s file', 'file_extra', () => new Map([...built.files, ['x', Buffer.from('x')]])],
    ...Object.values(artifactFile).map((name): [string, string, () => FileMap] => [
      `one bit of ${name} changed`,
      'file_digest_wrong',
      () => new Map([...built.files, [name, flipped(name)]]),
    ]),
    [
      'a broken bundle',
      'bundle_invalid',
      () => new Map([...built.files, [signatureFile, Buffer.from('{}')]]),
    ],
    [
      'an unknown manifest version',
      'manifest_version_unknown',
      () => manifestWith({ manifest_version: 2 }),
    ],
    ['an unknown manifest key', 'manifest_invalid', () => manifestWith({ hello: 1 })],
    [
      'a model type of tomorrow',
      'type_unsupported',
      () => manifestWith({ type: 'ensemble_liquid' }),
    ],
    ['golden scores of another model', 'golden_mismatch', wrongGolden],
    [
      'an ONNX file of another maker',
      'onnx_invalid',
      () => remade(built.files, { [artifactFile.tabular]: Buffer.from('no graph') }),
    ],
  ];
  for (const [what, code, files] of broken) {
    it(`refuses ${what}`, async () => {
      expect(await refusedFor(load(files()))).to.include(code);
    });
  }

  it('refuses a key that is not trusted, an expired model and versions that are not expected', async () => {
    await publishArtifact(dir, built);
    const trusted = { dir, publicKeysPem: [keys.publicKeyPem], nowMs };
    const stranger = generateKeyPair().publicKeyPem;
    expect(await refusedFor(loadModel({ ...trusted, publicKeysPem: [stranger] }))).to.include(
      'unknown_key',
    );
    expect(await refusedFor(loadModel({ ...trusted, publicKeysPem: [] }))).to.include(
      'unknown_key',
    );
    expect(await refusedFor(loadModel({ ...trusted, nowMs: nowMs * 2 }))).to.include('expired');
    const expected = { feature_version: 'another', data_version: 'another' };
    expect(await refusedFor(loadModel({ ...trusted, expected }))).to.include.members([
      'feature_version_mismatch',
      'data_version_mismatch',
    ]);
  });

  it('refuses a link among the files, and lists every violation at once', async () => {
    await publishArtifact(dir, built);
    writeFileSync(join(root, 'elsewhere'), 'x');
    symlinkSync(join(root, 'elsewhere'), join(dir, 'link'));
    const options = { dir, publicKeysPem: [keys.publicKeyPem], nowMs: nowMs * 2 };
    expect(await refusedFor(loadModel(options))).to.include.members(['symlink', 'expired']);
  });

  it('says input_missing where there is no folder', async () => {
    const thrown = await loadModel({ dir, publicKeysPem: [keys.publicKeyPem], nowMs }).catch(
      (error: unknown) => error,
    );
    expect((thrown as SluiceError).code).to.equal('input_missing');
  });
});
