import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectPath, SluiceError } from '../../../core/index.ts';
import {
  artifactFile,
  buildArtifact,
  defaultLimits,
  encodeTreesOnnx,
  generateKeyPair,
  type OpenOptions,
  openArtifact,
  openFiles,
  publishArtifact,
  signatureFile,
} from '../../../models/artifact/index.ts';
import {
  canonical,
  keys,
  nowMs,
  remade,
  resigned,
  sampleArtifact,
  sampleInput,
  violationCodes,
} from './samples.ts';

const trusted: OpenOptions = { publicKeysPem: [keys.publicKeyPem], nowMs };
const built = sampleArtifact();
const { files } = built;
const goldenOf = () => JSON.parse(files.get(artifactFile.golden)!.toString());

describe('an artifact', () => {
  it('has the same root digest when it is built again, and another when anything differs', () => {
    expect(sampleArtifact().digest).to.equal(built.digest);
    expect(sampleArtifact(2).digest).not.to.equal(built.digest);
    const input = sampleInput();
    const reseeded = { ...input, manifest: { ...input.manifest, seed: 8 } };
    expect(buildArtifact(reseeded).digest).not.to.equal(built.digest);
  });

  it('is not built when it would not open, and the error says all', () => {
    const input = sampleInput();
    const tabular = input.golden.tabular.map((x, i) => (i === 3 ? x + 2 ** -40 : x));
    const manifest = { ...input.manifest, policy: 'nn_only' as const };
    const build = () => buildArtifact({ ...input, manifest, golden: { ...input.golden, tabular } });
    expect(build).to.throw(SluiceError, /manifest_inconsistent.*golden_mismatch: 1 of 32/);
    expect(() => buildArtifact({ ...input, nowMs: input.manifest.expires_at })).to.throw(
      SluiceError,
      'expired',
    );
  });

  it('opens with its trees, golden rows, digest and key, and the very bytes that were verified', () => {
    const verdict = openFiles(files, trusted);
    if (!verdict.ok) throw new Error(JSON.stringify(verdict.violations));
    const { artifact } = verdict;
    expect(artifact.digest).to.equal(built.digest);
    expect(artifact.trees?.featureCount).to.equal(artifact.manifest.feature_schema.length);
    expect(artifact.network).to.equal(null);
    expect(artifact.golden.rows).to.equal(32);
    for (const [name, bytes] of files) expect(artifact.files.get(name)).to.equal(bytes);
  });

  it('is refused by a server that holds other versions, or too late', () => {
    const { feature_version, data_version, feature_payload_schema_version } =
      sampleInput().manifest;
    const same = { feature_version, data_version, feature_payload_schema_version };
    expect(violationCodes(files, { expected: same })).to.deep.equal([]);
    const other = { feature_version: 'x', data_version: 'y', feature_payload_schema_version: 'z' };
    expect(violationCodes(files, { expected: other })).to.deep.equal([
      'feature_payload_schema_version_mismatch',
      'feature_version_mismatch',
      'data_version_mismatch',
    ]);
    const { expires_at } = sampleInput().manifest;
    expect(violationCodes(files, { nowMs: expires_at - 1 })).to.deep.equal([]);
    expect(violationCodes(files, { nowMs: expires_at })).to.deep.equal(['expired']);
  });

  it('tells all that is wrong at once', () => {
    const wrong = new Map(files);
    wrong.set('extra.txt', Buffer.from('x'));
    wrong.set(artifactFile.golden, Buffer.from('{}'));
    wrong.delete(artifactFile.trainReport);
    const found = violationCodes(wrong, {
      publicKeysPem: [generateKeyPair().publicKeyPem],
      nowMs: sampleInput().manifest.expires_at,
      expected: { data_version: 'other' },
    });
    for (const code of [
      'unknown_key',
      'file_missing',
      'file_extra',
      'file_unsigned',
      'file_digest_wrong',
      'expired',
      'data_version_mismatch',
    ]) {
      expect(found).to.include(code);
    }
  });

  it('is refused without a signature or a manifest', () => {
    const without = (name: string) => new Map([...files].filter(([other]) => other !== name));
    expect(violationCodes(without(signatureFile))).to.deep.equal(['file_missing']);
    expect(violationCodes(without(artifactFile.manifest))).to.include('file_missing');
    expect(violationCodes(new Map())).to.deep.equal(['file_missing', 'file_missing']);
  });

  it('is refused if properly signed files do not belong to the manifest', () => {
    const extra = resigned(files, { 'notes.txt': Buffer.from('x') });
    expect(violationCodes(extra)).to.deep.equal(['file_extra']);
    const missing = resigned(files, { [artifactFile.golden]: null });
    expect(violationCodes(missing)).to.deep.equal(['file_missing']);
    const swapped = resigned(files, { [artifactFile.trainReport]: canonical({}) });
    expect(violationCodes(swapped)).to.deep.equal(['file_digest_wrong']);
  });

  it('is refused if its golden rows are few, ragged, not float32, not canonical, or not reproduced', () => {
    const bent = (bend: (golden: ReturnType<typeof goldenOf>) => void) => {
      const golden = goldenOf();
      bend(golden);
      return violationCodes(remade(files, { [artifactFile.golden]: canonical(golden) }));
    };
    expect(bent(() => {})).to.deep.equal([]);
    const invalid = ['golden_invalid'];
    expect(bent((g) => g.features.pop())).to.deep.equal(invalid);
    expect(bent((g) => g.features[0].pop())).to.deep.equal(invalid);
    expect(
      bent((g) => {
        for (const row of g.features) row.push(0);
      }),
    ).to.deep.equal(invalid);
    expect(bent((g) => g.scores.tabular.push(0))).to.deep.equal(invalid);
    expect(
      bent((g) => {
        g.features[0][0] = 0.1;
      }),
    ).to.deep.equal(invalid);
    expect(
      bent((g) => {
        g.features[0][0] = '1';
      }),
    ).to.deep.equal(invalid);
    expect(
      bent((g) => {
        g.scores.tabular[5] += 2 ** -40;
      }),
    ).to.deep.equal(['golden_mismatch']);
    const loose = Buffer.from(JSON.stringify(goldenOf(), null, 1));
    expect(violationCodes(remade(files, { [artifactFile.golden]: loose }))).to.deep.equal(invalid);
    const beyond = Buffer.from(files.get(artifactFile.golden)!.toString().replace('[', '[1e999,'));
    expect(violationCodes(remade(files, { [artifactFile.golden]: beyond }))).to.deep.equal([
      'non_finite',
    ]);
  });

  it('is refused if its trees, report or normalization are not what they must be', () => {
    const trees = sampleInput(2).trees;
    const other = remade(files, { [artifactFile.tabular]: encodeTreesOnnx(trees) });
    expect(violationCodes(other)).to.deep.equal(['golden_mismatch']);
    const wide = encodeTreesOnnx({ ...trees, featureCount: trees.featureCount + 1 });
    expect(violationCodes(remade(files, { [artifactFile.tabular]: wide }))).to.deep.equal([
      'manifest_inconsistent',
      'golden_invalid',
    ]);
    const garbage = remade(files, { [artifactFile.tabular]: Buffer.from('trees') });
    expect(violationCodes(garbage)).to.deep.equal(['onnx_invalid']);
    const report = remade(files, { [artifactFile.trainReport]: Buffer.from('no json') });
    expect(violationCodes(report)).to.deep.equal(['json_invalid']);
    const channel = { name: 'x', mean: 0, std: 1, clip: 5 };
    const scaled = canonical({ normalization_version: 1, channels: [channel] });
    expect(violationCodes(remade(files, { [artifactFile.normalization]: scaled }))).to.deep.equal([
      'normalization_invalid',
    ]);
  });

  it('whose signature does not hold has its model files left uninterpreted', () => {
    const wrong = new Map(remade(files, { [artifactFile.tabular]: Buffer.from('trees') }));
    const stranger = violationCodes(wrong, { publicKeysPem: [generateKeyPair().publicKeyPem] });
    expect(stranger).to.deep.equal(['unknown_key']);
  });
});

describe('an artifact folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = join(mkdtempSync(join(tmpdir(), 'sluice-artifact-')), 'models', 'liquid_test', '1');
    await publishArtifact(folder, built);
  });
  afterEach(() => rmSync(join(folder, '..', '..', '..'), { recursive: true, force: true }));

  const codes = (options: Partial<OpenOptions> = {}): string[] => {
    const verdict = openArtifact(folder, { ...trusted, ...options });
    return verdict.ok ? [] : verdict.violations.map(({ code }) => code);
  };

  it('appears whole, opens, and is never overwritten', async () => {
    expect(codes()).to.deep.equal([]);
    expect(readdirSync(folder).sort()).to.deep.equal([...files.keys()].sort());
    expect(readdirSync(join(folder, '..'))).to.deep.equal(['1']);
    let refused: unknown;
    await publishArtifact(folder, built).catch((error: unknown) => {
      refused = error;
    });
    expect(refused).to.be.instanceOf(SluiceError);
    expect(codes()).to.deep.equal([]);
  });

  it('may hold an empty folder, but nothing in it', () => {
    mkdirSync(join(folder, 'sub'));
    expect(codes()).to.deep.equal([]);
    writeFileSync(join(folder, 'sub', 'x'), 'x');
    expect(codes()).to.deep.equal(['file_extra']);
  });

  it('is refused with a file that git would ignore', () => {
    writeFileSync(join(folder, '.gitignore'), '*');
    expect(codes()).to.deep.equal(['file_unsigned', 'file_extra']);
  });

  it('is refused with a symbolic link, which is not followed', () => {
    const outside = join(folder, '..', 'outside.json');
    writeFileSync(outside, files.get(artifactFile.golden)!);
    rmSync(join(folder, artifactFile.golden));
    symlinkSync(outside, join(folder, artifactFile.golden));
    expect(codes()).to.include.members(['symlink', 'file_missing']);
  });

  it('is refused when a file or all files are over the limit', () => {
    expect(codes({ limits: { ...defaultLimits, fileBytes: 1000 } })).to.include('file_too_large');
    expect(codes({ limits: { ...defaultLimits, totalBytes: 5000 } })).to.include('file_too_large');
    expect(codes({ limits: { ...defaultLimits, files: 3 } })).to.include('file_extra');
  });

  it('that does not exist is an error of its own', () => {
    expect(() => openArtifact(join(folder, 'none'), trusted)).to.throw(SluiceError, 'ENOENT');
  });
});

describe('the artifact room', () => {
  it('touches the file system in the folder reader, the key files and its own message definitions only', () => {
    const room = projectPath('models', 'artifact');
    const users = readdirSync(room).filter((name) =>
      /node:fs|writeFileAtomic|readJson/.test(readFileSync(join(room, name), 'utf8')),
    );
    expect(users.sort()).to.deep.equal([
      'builtArtifact.ts',
      'folder.ts',
      'keyFiles.ts',
      'latestArtifact.ts',
      'onnx.ts',
    ]);
  });
});
