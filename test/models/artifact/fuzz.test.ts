// Nothing that was changed opens, nothing that is broken opens even when a trusted key signed it, and nothing throws:
// more than 20,000 seeded mutations of files, manifests, statements, bundles and ONNX bytes.

import { sign } from 'node:crypto';
import { expect } from 'chai';
import { createRandom, type Random, SluiceError, sha256Hex } from '../../../core/index.ts';
import {
  artifactFile,
  decodeTreesOnnx,
  decodeTsmixerOnnx,
  encodeTreesOnnx,
  encodeTsmixerOnnx,
  type FileMap,
  type Manifest,
  type OpenVerdict,
  openFiles,
  signatureFile,
  type ViolationCode,
  violationRegistry,
} from '../../../models/artifact/index.ts';
import { sequenceScorer, treeScorer } from '../../../models/score/index.ts';
import { changeType, mutateBytes, mutatePlace, type Place, placesOf } from './mutations.ts';
import {
  canonical,
  ensembleArtifact,
  ensembleInputOf,
  keys,
  manifestOf,
  nowMs,
  remade,
  resigned,
  sampleArtifact,
} from './samples.ts';

const built = { trees: sampleArtifact(), ensemble: ensembleArtifact() };

/** Opens, and checks that a refusal is made of registered violations. */
function open(content: FileMap): OpenVerdict {
  const verdict = openFiles(content, { publicKeysPem: [keys.publicKeyPem], nowMs });
  if (!verdict.ok) {
    expect(verdict.violations).not.to.have.length(0);
    for (const { code } of verdict.violations) expect(violationRegistry).to.have.property(code);
  }
  return verdict;
}

const withFile = (files: FileMap, name: string, bytes: Buffer): FileMap =>
  new Map([...files, [name, bytes]]);

/** Runs mutations, each from a stream of its own, and counts how many were refused with which codes. */
function fuzz(label: string, cases: number, one: (random: Random) => OpenVerdict | null) {
  const seen = new Map<ViolationCode, number>();
  let opened = 0;
  for (let i = 0; i < cases; i += 1) {
    const verdict = one(createRandom(41).fork(`${label} ${i}`));
    if (verdict === null) continue;
    if (verdict.ok) opened += 1;
    else for (const { code } of verdict.violations) seen.set(code, (seen.get(code) ?? 0) + 1);
  }
  return { opened, codes: [...seen.keys()] };
}

for (const kind of ['trees', 'ensemble'] as const) fuzzArtifact(kind);

function fuzzArtifact(type: keyof typeof built): void {
  const { files, digest } = built[type];
  const names = [...files.keys()];
  // the paths are the same: fewer cases of the second kind
  const share = (cases: number) => (type === 'trees' ? cases : cases / 10);

  describe(`fuzzed artifacts: ${type}`, function () {
    this.timeout(180_000);

    it('never open after a byte of a file has changed without its signature', () => {
      const content = names.filter((name) => name !== signatureFile);
      const { opened, codes } = fuzz('bytes', share(3000), (random) => {
        const name = content[random.integer(content.length)]!;
        return open(withFile(files, name, mutateBytes(random, files.get(name)!)));
      });
      expect(opened).to.equal(0);
      expect(codes).to.include.members(['file_digest_wrong', 'manifest_invalid']);
    });

    it('never open with files renamed, swapped, left out or added without their signature', () => {
      const hostile = [
        '../x',
        '/etc/passwd',
        'a\\b',
        'a\0',
        'GOLDEN.json',
        'u\u0308',
        '.git',
        'nn.onnx',
      ].filter((name) => !files.has(name));
      const { opened } = fuzz('names', share(1500), (random) => {
        const changed = new Map(files);
        const [a, b] = [names, names].map((all) => all[random.integer(all.length)]!) as [
          string,
          string,
        ];
        const kind = random.integer(4);
        if (kind === 0) changed.set(hostile[random.integer(hostile.length)]!, files.get(a)!);
        else if (kind === 1 || a === b) changed.delete(a);
        else if (kind === 2) changed.set(a, files.get(b)!);
        else {
          changed.delete(a);
          changed.set(`${a}~`, files.get(a)!);
        }
        return open(changed);
      });
      expect(opened).to.equal(0);
    });

    it('open with a changed bundle only as what they were', () => {
      const { codes } = fuzz('bundle', share(2500), (random) => {
        const bundle = files.get(signatureFile)!;
        const verdict = open(withFile(files, signatureFile, mutateBytes(random, bundle)));
        // white space and an unused field may differ: what is signed may not
        if (verdict.ok) expect(verdict.artifact.digest).to.equal(digest);
        return verdict;
      });
      expect(codes).to.include.members(['bundle_invalid', 'signature_wrong']);
      if (type === 'trees') expect(codes).to.include('unknown_key');
    });

    it('never open with a manifest whose structure is broken, signed by a trusted key or not', () => {
      const { opened, codes } = fuzz('structure', share(1500), (random) => {
        const manifest = manifestOf(files);
        const place = breakStructure(random, manifest);
        const bytes = canonical(manifest);
        const verdict = open(
          random.integer(4) === 0
            ? withFile(files, artifactFile.manifest, bytes)
            : resigned(files, { [artifactFile.manifest]: bytes }),
        );
        expect(
          verdict.ok,
          `${place.path.join('.')} = ${JSON.stringify(place.holder[place.key])}`,
        ).to.equal(false);
        return verdict;
      });
      expect(opened).to.equal(0);
      expect(codes).to.include.members(['manifest_invalid']);
    });

    it('open with a manifest changed and signed by a trusted key only if it still makes sense', () => {
      const { opened, codes } = fuzz('sense', share(2000), (random) => {
        const manifest = manifestOf(files);
        const places = placesOf(manifest);
        for (let i = 0; i <= random.integer(2); i += 1) {
          mutatePlace(random, places[random.integer(places.length)]!);
        }
        const verdict = open(resigned(files, { [artifactFile.manifest]: canonical(manifest) }));
        if (verdict.ok) expectSense(verdict.artifact.manifest, files);
        return verdict;
      });
      // texts and settings are free, so some do open: else this test would prove nothing
      expect(opened).to.be.within(1, share(2000) / 2);
      expect(codes).to.include.members([
        'manifest_invalid',
        'manifest_inconsistent',
        'file_digest_wrong',
      ]);
    });

    it('open with a statement changed and signed by a trusted key only if it lists these very files', () => {
      const { codes } = fuzz('statement', share(2000), (random) => {
        const statement = signedStatement(files);
        const places = placesOf(statement);
        mutatePlace(random, places[random.integer(places.length)]!);
        const verdict = open(withFile(files, signatureFile, sealed(files, statement)));
        if (verdict.ok) expectListsFiles(files, statement, verdict.artifact.digest);
        return verdict;
      });
      expect(codes).to.include.members(['statement_invalid', 'root_digest_wrong', 'file_unsigned']);
    });
  });
}

describe('fuzzed ONNX files', function () {
  this.timeout(180_000);
  const { files } = built.ensemble;
  const onnx = {
    [artifactFile.tabular]: files.get(artifactFile.tabular)!,
    [artifactFile.network]: files.get(artifactFile.network)!,
  };

  it('open, signed by a trusted key, only as a well-formed model that gives the golden scores', () => {
    const { codes } = fuzz('signed onnx', 1000, (random) => {
      const name = random.integer(2) === 0 ? artifactFile.tabular : artifactFile.network;
      const bytes = mutateBytes(random, onnx[name as keyof typeof onnx]!);
      const verdict = open(remade(files, { [name]: bytes }));
      if (verdict.ok) {
        const { trees, network, golden } = verdict.artifact;
        const again =
          name === artifactFile.tabular
            ? encodeTreesOnnx(trees!)
            : encodeTsmixerOnnx(network!.weights);
        expect(again.equals(bytes)).to.equal(true);
        const { features, sequences, rows, tabular, nn } = golden;
        expect(treeScorer(trees!).score(features, rows)).to.deep.equal(tabular);
        const scores = sequenceScorer(network!).score(sequences!, rows);
        // a low bit of a weight may differ: that is within rounding
        for (const [i, score] of scores.entries()) expect(score).to.be.closeTo(nn![i]!, 1e-3);
      }
      return verdict;
    });
    expect(codes).to.include.members(['onnx_invalid', 'golden_mismatch', 'onnx_op_refused']);
  });

  const coders = {
    [artifactFile.tabular]: (bytes: Buffer) => encodeTreesOnnx(decodeTreesOnnx(bytes)),
    [artifactFile.network]: (bytes: Buffer) => encodeTsmixerOnnx(decodeTsmixerOnnx(bytes)),
  };
  for (const [name, again] of Object.entries(coders)) {
    it(`hold bytes that decode to what they say, or are refused in a sentence: ${name}`, () => {
      const cases = name === artifactFile.tabular ? 6500 : 3000;
      let decoded = 0;
      fuzz(name, cases, (random) => {
        let bytes = onnx[name as keyof typeof onnx]!;
        for (let i = 0; i <= random.integer(3); i += 1) {
          bytes = mutateBytes(random, bytes.length > 0 ? bytes : onnx[name as keyof typeof onnx]!);
        }
        try {
          expect(again(bytes).equals(bytes)).to.equal(true);
          decoded += 1;
        } catch (error) {
          expect(error).to.be.instanceOf(SluiceError).with.property('code', 'input_invalid');
        }
        return null;
      });
      expect(decoded).to.be.within(1, cases / 2);
    });
  }

  it('are normalised and replayed as golden.json and normalization.json say, or refused in a sentence', () => {
    const documents = [artifactFile.normalization, artifactFile.golden] as const;
    const { opened, codes } = fuzz('documents', 300, (random) => {
      const name = documents[random.integer(2)]!;
      const document = JSON.parse(files.get(name)!.toString());
      const places = placesOf(document);
      mutatePlace(random, places[random.integer(places.length)]!);
      const verdict = open(remade(files, { [name]: canonical(document) }));
      if (verdict.ok) {
        const { network, golden } = verdict.artifact;
        expect(network!.channels).to.have.length(network!.weights.shape.nChannels);
        const again = sequenceScorer(network!).score(golden.sequences!, golden.rows);
        expect(again.every(Number.isFinite)).to.equal(true);
      }
      return verdict;
    });
    expect(opened).to.be.within(1, 150);
    expect(codes).to.include.members([
      'normalization_invalid',
      'golden_invalid',
      'golden_mismatch',
    ]);
  });
});

/** Drops a mandatory field, adds an unknown one, or gives a value another JSON type. */
function breakStructure(random: Random, manifest: unknown): Place {
  const free = (path: Place['path']) => path.includes('metrics') || path.length === 0;
  const places = placesOf(manifest).filter(({ path }) => !free(path));
  const inObjects = places.filter(({ holder }) => !Array.isArray(holder));
  const kind = random.integer(3);
  const place =
    kind === 2
      ? places[random.integer(places.length)]!
      : inObjects[random.integer(inObjects.length)]!;
  if (kind === 0) delete place.holder[place.key];
  else if (kind === 1) place.holder[`${place.key}x`] = place.value;
  else changeType(random, place);
  return place;
}

/** What must hold of any manifest that was let through, said a second time. */
function expectSense(manifest: Manifest, files: FileMap): void {
  const { windows, data_range } = manifest;
  const { search, validation, forward_oos } = windows;
  const order = [data_range.from, search.from, search.to, validation.from, validation.to];
  const times = [...order, forward_oos.from, forward_oos.to, data_range.to];
  expect(times).to.deep.equal([...times].sort((a, b) => a - b));
  expect(manifest.expires_at).greaterThan(nowMs);
  const before = manifestOf(files);
  expect(manifest.type).to.equal(before.type);
  expect(manifest.feature_spec).to.deep.equal(before.feature_spec);
  expect(manifest.feature_schema).to.deep.equal(before.feature_schema);
  expectPolicies(manifest);
  const listed = manifest.files.map(({ name, sha256, bytes }) => [name, sha256, bytes]).sort();
  const content = [...files].filter(
    ([name]) => name !== artifactFile.manifest && name !== signatureFile,
  );
  const real = content.map(([name, bytes]) => [name, sha256Hex(bytes), bytes.length]);
  expect(listed).to.deep.equal(real.sort());
  expect(manifest.train_report_hash).to.equal(sha256Hex(files.get(artifactFile.trainReport)!));
  expect(manifest.model_name).to.match(/^[\w.-]+$/);
}

function expectPolicies({
  type,
  ensemble_alpha,
  policies_allowed,
  n_tokens,
  n_channels,
}: Manifest) {
  if (type === 'lightgbm_liquid') {
    expect(ensemble_alpha).to.equal(1);
    expect(policies_allowed).to.deep.equal(['tabular_only']);
    return;
  }
  const { nTokens, nChannels } = ensembleInputOf().network!.weights.shape;
  expect([n_tokens, n_channels]).to.deep.equal([nTokens, nChannels]);
  const blend = `blend_alpha_${ensemble_alpha}`;
  expect([...policies_allowed].sort()).to.deep.equal([blend, 'nn_only', 'tabular_only'].sort());
}

interface Statement {
  readonly predicate: { readonly resources: { readonly name: string; readonly digest: string }[] };
}

function expectListsFiles(files: FileMap, { predicate }: Statement, opened: string): void {
  const digests = predicate.resources.map(({ digest: hex }) => hex);
  expect(opened).to.equal(sha256Hex(Buffer.from(digests.join(''), 'hex')));
  const content = [...files.keys()].filter((name) => name !== signatureFile);
  expect(predicate.resources.map(({ name }) => name).sort()).to.deep.equal(content.sort());
  for (const { name, digest: hex } of predicate.resources)
    expect(hex).to.equal(sha256Hex(files.get(name)!));
}

const bundleOf = (files: FileMap) => JSON.parse(files.get(signatureFile)!.toString());

const signedStatement = (files: FileMap): Statement =>
  JSON.parse(Buffer.from(bundleOf(files).dsseEnvelope.payload, 'base64').toString());

/** A statement under a good signature of the trusted key. */
function sealed(files: FileMap, statement: Statement): Buffer {
  const bundle = bundleOf(files);
  const payload = Buffer.from(JSON.stringify(statement));
  const { payloadType } = bundle.dsseEnvelope;
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `;
  const signature = sign('sha256', Buffer.concat([Buffer.from(head), payload]), keys.privateKeyPem);
  bundle.dsseEnvelope.payload = payload.toString('base64');
  bundle.dsseEnvelope.signatures[0].sig = signature.toString('base64');
  return Buffer.from(JSON.stringify(bundle));
}
