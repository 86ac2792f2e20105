import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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
import {
  normaliseSeries,
  sequenceScorer,
  treeScorer,
  tsmixerTolerances,
} from '../../../models/score/index.ts';
import { type LoadedModel, type LoadOptions, loadModel } from '../../../serving/load/index.ts';
import { type OnnxSession, type OpenSession, openSession } from '../../../serving/load/session.ts';
import {
  canonical,
  keys,
  manifestOf,
  nowMs,
  remade,
  resigned,
} from '../../models/artifact/samples.ts';
import { randomRows } from '../randomTrees.ts';
import {
  ensembleInput,
  randomWindows,
  signedArtifact,
  signedEnsemble,
  signedInput,
  signedNetwork,
} from '../signedModel.ts';

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
    await publishArtifact(options.dir ?? dir, { files, digest: '' });
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
    expect(await model.trees!.score(features, rows)).to.deep.equal(expected);
    const alone = await Promise.all(
      Array.from({ length: rows }, (_, i) =>
        model.trees!.score(features.subarray(i * width, (i + 1) * width), 1),
      ),
    );
    expect(alone.map((score) => score[0])).to.deep.equal(Array.from(expected));
    await model.close();
  });

  it('explains a score: base and contributions add up to it, to 1e-6', async () => {
    const model = await load(built.files);
    const width = trees.featureCount;
    const scores = await model.trees!.score(golden.features, golden.rows);
    for (let i = 0; i < golden.rows; i += 1) {
      const row = golden.features.subarray(i * width, (i + 1) * width);
      const { base, contributions } = model.trees!.contributions(row);
      const sum = contributions.reduce((total, value) => total + value, base);
      expect(Math.abs(sum - scores[i]!)).to.be.lessThan(1e-6);
    }
    await model.close();
  });

  const ensemble = signedEnsemble();
  const flipped = (name: string): Buffer => {
    const bytes = Buffer.from(ensemble.files.get(name)!);
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
      () => new Map([...ensemble.files, [name, flipped(name)]]),
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
      'a type whose files are not there',
      'file_missing',
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

  describe('with a network', () => {
    const { network } = ensembleInput();
    const windows = randomWindows(31, 300);
    const size = windows.length / 300;

    it('scores windows within the rounding of float32 around the reference, alone and in batches', async () => {
      const model = await load(ensemble.files);
      expect(model.network).to.include({ nTokens: 12 });
      expect(model.network!.channels).to.deep.equal(network.channels.map(({ name }) => name));
      const expected = sequenceScorer(network).score(windows, 300);
      const normal = normaliseSeries(windows, network.channels);
      const tolerances = tsmixerTolerances(network.weights, normal, 300);
      const together = await model.network!.score(windows, 300);
      for (let row = 0; row < 300; row += 1) {
        const window = windows.subarray(row * size, (row + 1) * size);
        const alone = (await model.network!.score(window, 1))[0]!;
        for (const score of [alone, together[row]!]) {
          expect(Math.abs(score - expected[row]!)).to.be.at.most(tolerances[row]!);
        }
      }
      await model.close();
    });

    it('attributes to a channel what the score loses with it at its training mean', async () => {
      const model = await load(ensemble.files);
      const { channels } = network;
      const reference = sequenceScorer(network);
      const known = (values: Float32Array) => ({
        score: reference.score(values, 1)[0]!,
        error: tsmixerTolerances(network.weights, normaliseSeries(values, channels), 1)[0]!,
      });
      for (let row = 0; row < 20; row += 1) {
        const window = windows.subarray(row * size, (row + 1) * size);
        const { base, contributions } = await model.network!.contributions(window);
        const empty = known(new Float32Array(size).fill(Number.NaN));
        expect(base).to.be.closeTo(empty.score, empty.error);
        const whole = known(window);
        for (const [c, contribution] of contributions.entries()) {
          const without = known(
            window.map((value, at) => (at % channels.length === c ? Number.NaN : value)),
          );
          const expected = whole.score - without.score;
          expect(contribution).to.be.closeTo(expected, whole.error + without.error);
        }
        expect(contributions).to.have.length(channels.length);
      }
      await model.close();
    });

    it('and no trees scores windows only', async () => {
      const model = await load(signedNetwork().files);
      expect(model.trees).to.equal(null);
      const whole = await load(ensemble.files, { dir: join(root, 'whole') });
      expect(await model.network!.score(windows, 300)).to.deep.equal(
        await whole.network!.score(windows, 300),
      );
      await whole.close();
      await model.close();
    });

    it('refuses golden windows of another network', async () => {
      const { files } = ensemble;
      const document = JSON.parse(files.get(artifactFile.golden)!.toString());
      document.scores.nn[3] *= 1.01;
      const wrong = remade(files, { [artifactFile.golden]: canonical(document) });
      expect(await refusedFor(load(wrong))).to.deep.equal(['golden_mismatch']);
    });
  });

  // the opener has replayed everything through the reference: here only this machine's ONNX Runtime can be at fault
  describe('replays the golden rows through the sessions of this machine', () => {
    type Change = (scores: Float64Array, rows: number) => Float64Array;
    /** Opens real sessions whose runs are changed, and counts those that are open. */
    function changed(changes: { readonly trees?: Change; readonly network?: Change }) {
      const state = { open: 0 };
      const open: OpenSession = async (bytes, shape) => {
        const session = await openSession(bytes, shape);
        const change = shape.type === 'float64' ? changes.trees : changes.network;
        state.open += 1;
        return {
          run: async (values, rows) => {
            const scores = await session.run(values, rows);
            return change === undefined ? scores : change(scores, rows);
          },
          close: async () => {
            state.open -= 1;
            await session.close();
          },
        } satisfies OnnxSession;
      };
      return { state, open };
    }
    const messageOf = async (changes: Parameters<typeof changed>[0]): Promise<string> => {
      const { state, open } = changed(changes);
      if (!existsSync(dir)) await publishArtifact(dir, ensemble);
      const work = loadModel({ dir, publicKeysPem: [keys.publicKeyPem], nowMs }, open);
      expect(await refusedFor(work)).to.deep.equal(['golden_mismatch']);
      expect(state.open, 'sessions left open').to.equal(0);
      return work.then(
        () => '',
        (error: Error) => error.message,
      );
    };
    const nudge = (row: number, by: number) => (scores: Float64Array) =>
      scores.map((score, i) => (i === row ? score + by : score));
    const lastBit = (scores: Float64Array) => scores.map((score) => score * (1 + 2 ** -52));
    const when =
      (wanted: (rows: number) => boolean, change: (scores: Float64Array) => Float64Array): Change =>
      (scores, rows) =>
        wanted(rows) ? change(scores) : scores;
    const alone = (rows: number) => rows === 1;
    const together = (rows: number) => rows > 1;

    it('and opens what gives them', async () => {
      const { state, open } = changed({});
      await publishArtifact(dir, ensemble);
      const model = await loadModel({ dir, publicKeysPem: [keys.publicKeyPem], nowMs }, open);
      expect(state.open).to.equal(2);
      await model.close();
      expect(state.open).to.equal(0);
    });

    it('and refuses trees that miss one bit, together or alone', async () => {
      const inBatch = await messageOf({ trees: when(together, lastBit) });
      expect(inBatch).to.contain('Golden row 0 through the trees').and.to.contain('(together)');
      await messageOf({ trees: when(alone, lastBit) });
      expect(await messageOf({ trees: when(together, nudge(7, 2 ** -20)) })).to.contain('row 7');
      await messageOf({ trees: () => new Float64Array(40).fill(Number.NaN) });
    });

    it('and refuses a network beyond the rounding of float32, together or alone', async () => {
      const { golden } = ensembleInput();
      const normal = normaliseSeries(golden.sequences, ensembleInput().network.channels);
      const tolerances = tsmixerTolerances(ensembleInput().network.weights, normal, golden.rows);
      const beyond = (row: number) => nudge(row, 2.1 * tolerances[row]!);
      const message = await messageOf({ network: when(together, beyond(5)) });
      expect(message).to.contain('Golden row 5 through the network');
      expect(await messageOf({ network: when(alone, beyond(0)) })).to.contain('row 0');
      await messageOf({ network: () => new Float64Array(40).fill(Number.NaN) });
    });

    it('and refuses the whole artifact, with what is wrong with each part', async () => {
      await publishArtifact(dir, ensemble);
      const { state, open } = changed({ trees: lastBit, network: () => new Float64Array(40) });
      const work = loadModel({ dir, publicKeysPem: [keys.publicKeyPem], nowMs }, open);
      expect(await refusedFor(work)).to.deep.equal(['golden_mismatch', 'golden_mismatch']);
      expect(state.open).to.equal(0);
    });

    it('and refuses the whole artifact when a graph does not open or run', async () => {
      await publishArtifact(dir, ensemble);
      const failing: OpenSession = async (bytes, shape) => {
        if (shape.type === 'float32') throw new SluiceError('native_failed', 'no such operator');
        return openSession(bytes, shape);
      };
      const dies = changed({
        network: () => {
          throw new SluiceError('native_failed', 'out of memory');
        },
      });
      for (const open of [failing, dies.open]) {
        const work = loadModel({ dir, publicKeysPem: [keys.publicKeyPem], nowMs }, open);
        expect(await refusedFor(work)).to.deep.equal(['onnx_invalid']);
      }
      expect(dies.state.open).to.equal(0);
    });

    it('and refuses a graph of another shape', async () => {
      const { trees } = signedInput();
      const bytes = ensemble.files.get(artifactFile.tabular)!;
      const shape = { type: 'float64', input: 'features', output: 'score' } as const;
      const thrown = await openSession(bytes, { ...shape, dims: [trees.featureCount + 1] }).catch(
        (error: SluiceError) => error,
      );
      expect((thrown as SluiceError).code).to.equal('native_failed');
      expect((thrown as SluiceError).message).to.contain(`[${trees.featureCount + 1}]`);
    });
  });
});
