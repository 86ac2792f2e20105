import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type CommandIo, SluiceError, silent } from '../../../core/index.ts';
import { publishArtifact, signatureFile } from '../../../models/artifact/index.ts';
import {
  artifactInspect,
  artifactKeygen,
  artifactSign,
  artifactVerify,
} from '../../../models/main.ts';
import { ensembleArtifact, keys, networkArtifact, nowMs, sampleArtifact } from './samples.ts';

const io: CommandIo = {
  env: {},
  clock: () => nowMs,
  progress: silent,
  signal: new AbortController().signal,
};

describe('artifact commands', () => {
  let folder: string;
  let dir: string;
  let key: string;
  const built = sampleArtifact();
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-commands-'));
    dir = join(folder, 'artifact');
    key = join(folder, 'pub.pem');
    writeFileSync(key, keys.publicKeyPem);
    await publishArtifact(dir, built);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('keygen makes a pair whose secret only its owner may read, and never overwrites one', async () => {
    const out = join(folder, 'keys');
    const { json, exit } = await artifactKeygen({ out }, io);
    expect(exit).to.equal(0);
    expect(statSync(String(json.private_key)).mode & 0o777).to.equal(0o600);
    const secret = readFileSync(String(json.private_key), 'utf8');
    let refused: unknown;
    await artifactKeygen({ out }, io).catch((error: unknown) => {
      refused = error;
    });
    expect(refused).to.be.instanceOf(SluiceError).with.property('code', 'io_failed');
    expect(readFileSync(String(json.private_key), 'utf8')).to.equal(secret);
  });

  it('verify passes what was signed, and lists every violation of what was changed', async () => {
    const good = await artifactVerify({ dir, key }, io);
    expect(good.exit).to.equal(0);
    expect(good.json).to.include({ ok: true, digest: built.digest });
    writeFileSync(join(dir, 'golden.json'), '{}');
    const bad = await artifactVerify({ dir, key }, io);
    expect(bad.exit).to.equal(1);
    expect(bad.json.ok).to.equal(false);
    expect(bad.text).to.match(/file_digest_wrong: "golden.json"/);
  });

  it('sign gives an artifact a new signer, and signs nothing that would not open', async () => {
    const { json: made } = await artifactKeygen({ out: join(folder, 'keys') }, io);
    const signer = { dir, key: String(made.private_key) };
    const { json, exit } = await artifactSign(signer, io);
    expect(exit).to.equal(0);
    expect(json).to.include({ ok: true, digest: built.digest });
    expect((await artifactVerify({ dir, key: String(made.public_key) }, io)).exit).to.equal(0);
    expect((await artifactVerify({ dir, key }, io)).exit).to.equal(1);

    const signature = readFileSync(join(dir, signatureFile));
    writeFileSync(join(dir, 'golden.json'), '{}');
    const refused = await artifactSign(signer, io);
    expect(refused.exit).to.equal(1);
    expect(refused.json.ok).to.equal(false);
    expect(readFileSync(join(dir, signatureFile)).equals(signature)).to.equal(true);
  });

  it('inspect shows what an artifact says of itself, and what is wrong with it whoever signed', async () => {
    const { json, text, exit } = await artifactInspect({ dir }, io);
    expect(exit).to.equal(0);
    expect(json).to.include({ ok: true, digest: built.digest });
    expect(json.manifest).to.have.property('model_name', 'liquid_test');
    expect(text).to.match(/liquid_test 1/);
    writeFileSync(join(dir, 'manifest.json'), '{}');
    const broken = await artifactInspect({ dir }, io);
    expect(broken.json).to.include({ ok: false, manifest: null });
    expect(broken.text).to.match(/manifest_invalid/);
  });

  for (const [kind, make] of Object.entries({ networkArtifact, ensembleArtifact })) {
    it(`verify, sign and inspect an artifact with a network: ${kind}`, async () => {
      const { digest, files } = make();
      const place = join(folder, kind);
      await publishArtifact(place, { digest, files });
      expect((await artifactVerify({ dir: place, key }, io)).json).to.include({ ok: true, digest });
      const { json, text } = await artifactInspect({ dir: place }, io);
      expect(json).to.include({ ok: true, digest });
      expect(text).to.match(/network {3}5 tokens x 3 channels; the trees weigh 0/);
      const { json: made } = await artifactKeygen({ out: join(folder, 'keys') }, io);
      const signed = await artifactSign({ dir: place, key: String(made.private_key) }, io);
      expect(signed.json).to.include({ ok: true, digest });
      writeFileSync(join(place, 'nn.onnx'), 'net');
      const bad = await artifactVerify({ dir: place, key: String(made.public_key) }, io);
      expect(bad.text).to.match(/file_digest_wrong: "nn.onnx"/);
    });
  }

  it('name the file when a key or folder is not there', async () => {
    for (const run of [
      () => artifactVerify({ dir, key: join(folder, 'none') }, io),
      () => artifactInspect({ dir: join(folder, 'none') }, io),
    ]) {
      let thrown: unknown;
      await run().catch((error: unknown) => {
        thrown = error;
      });
      expect(thrown).to.be.instanceOf(SluiceError).with.property('code', 'input_missing');
    }
  });
});
