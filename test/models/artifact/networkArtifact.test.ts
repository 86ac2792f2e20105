import { expect } from 'chai';
import { createRandom } from '../../../core/index.ts';
import {
  artifactFile,
  type buildArtifact,
  encodeTreesOnnx,
  encodeTsmixerOnnx,
  type FileMap,
  type Manifest,
  openFiles,
} from '../../../models/artifact/index.ts';
import {
  normaliseSeries,
  sequenceScorer,
  treeScorer,
  tsmixerTolerances,
} from '../../../models/score/index.ts';
import { randomNetwork } from '../score/tsmixerSamples.ts';
import {
  canonical,
  ensembleArtifact,
  ensembleInputOf,
  keys,
  manifestOf,
  networkArtifact,
  networkInputOf,
  nowMs,
  remade,
  resigned,
  sampleArtifact,
  sampleInput,
  violationCodes,
} from './samples.ts';

const built = {
  trees: sampleArtifact(),
  network: networkArtifact(),
  ensemble: ensembleArtifact(),
} satisfies Record<string, ReturnType<typeof buildArtifact>>;

function opened(files: FileMap) {
  const verdict = openFiles(files, { publicKeysPem: [keys.publicKeyPem], nowMs });
  if (!verdict.ok) throw new Error(JSON.stringify(verdict.violations));
  return verdict.artifact;
}

// biome-ignore lint/suspicious/noExplicitAny: tests bend documents at will
type Bent = any;

/** Codes after one document was bent and everything else made to fit. */
function bent(files: FileMap, name: string, bend: (document: Bent) => void): string[] {
  const document = JSON.parse(files.get(name)!.toString());
  bend(document);
  return violationCodes(remade(files, { [name]: canonical(document) }));
}

describe('an artifact with a network', () => {
  it('opens with the very network that went in, alone or beside trees', () => {
    const alone = opened(built.network.files);
    expect(alone.trees).to.equal(null);
    expect(alone.network).to.deep.equal(networkInputOf().network);
    expect(alone.golden.tabular).to.equal(null);
    const both = opened(built.ensemble.files);
    expect(both.network).to.deep.equal(ensembleInputOf().network);
    expect(encodeTreesOnnx(both.trees!)).to.deep.equal(encodeTreesOnnx(sampleInput().trees));
    expect(both.golden).to.deep.equal(ensembleInputOf().golden);
  });

  it('gives the golden scores again, the trees their bits and the network its own', () => {
    const { trees, network, golden } = opened(built.ensemble.files);
    const { features, sequences, rows, tabular, nn } = golden;
    expect(treeScorer(trees!).score(features, rows)).to.deep.equal(tabular);
    expect(sequenceScorer(network!).score(sequences!, rows)).to.deep.equal(nn);
  });

  it('has the same root digest when it is built again', () => {
    for (const make of [networkArtifact, ensembleArtifact]) {
      expect(make().digest).to.equal(make().digest);
      expect(make(2).digest).not.to.equal(make().digest);
    }
  });

  it('may bring golden scores of an engine that computes in float32, and no others', () => {
    const { network, golden } = networkInputOf();
    const windows = normaliseSeries(golden.sequences!, network!.channels);
    const { files } = built.network;
    const tolerance = tsmixerTolerances(network!.weights, windows, golden.rows);
    const shifted = (share: number) =>
      bent(files, artifactFile.golden, (g) => {
        g.scores.nn[9] += share * tolerance[9]!;
      });
    expect(shifted(0.99)).to.deep.equal([]);
    expect(shifted(1.01)).to.deep.equal(['golden_mismatch']);
    const rounded = bent(files, artifactFile.golden, (g) => {
      g.scores.nn = g.scores.nn.map(Math.fround);
    });
    expect(rounded).to.deep.equal([]);
  });

  it('is refused if its golden windows are ragged, not float32, few, or without scores', () => {
    const codes = (bend: (golden: Bent) => void) =>
      bent(built.ensemble.files, artifactFile.golden, bend);
    const invalid = ['golden_invalid'];
    expect(codes(() => {})).to.deep.equal([]);
    const cases: ((golden: Bent) => void)[] = [
      (g) => g.sequences.pop(),
      (g) => g.sequences[3].pop(),
      (g) => g.sequences[3][2].pop(),
      (g) => {
        g.sequences[3][2][1] = 0.1;
      },
      (g) => {
        for (const window of g.sequences) window.pop();
      },
      (g) => {
        delete g.sequences;
      },
      (g) => {
        delete g.scores.nn;
      },
      (g) => {
        delete g.scores.nn;
        delete g.sequences;
      },
      (g) => {
        delete g.scores.tabular;
        delete g.features;
      },
      (g) => g.scores.nn.push(0),
      (g) => {
        g.sequences.pop();
        g.scores.nn.pop();
      },
    ];
    for (const bend of cases) {
      const found = codes(bend);
      expect([...new Set(found)], `${bend}`).to.deep.equal(invalid);
    }
    expect(
      codes((g) => {
        g.sequences[3][2][1] = 3;
      }),
    ).to.deep.equal(['golden_mismatch']);
  });

  it('is refused if its channels are not those of the network, or not among the features', () => {
    const codes = (bend: (normalization: Bent) => void) =>
      bent(built.network.files, artifactFile.normalization, bend);
    const invalid = ['normalization_invalid'];
    expect(codes(() => {})).to.deep.equal([]);
    expect(codes((n) => n.channels.pop())).to.deep.equal(invalid);
    expect(
      codes((n) => {
        n.channels[1].name = 'no_feature';
      }),
    ).to.deep.equal(invalid);
    expect(
      codes((n) => {
        n.channels[1].name = n.channels[0].name;
      }),
    ).to.deep.equal(invalid);
    for (const wrong of [{ std: 0 }, { std: -1 }, { clip: 0 }, { clip: 1e300 }, { mean: null }]) {
      expect(
        codes((n) => Object.assign(n.channels[0], wrong)),
        JSON.stringify(wrong),
      ).to.deep.equal(invalid);
    }
    expect(
      codes((n) => {
        n.channels[0].std *= 2;
      }),
    ).to.deep.equal(['golden_mismatch']);
  });

  it('is refused if its network is another than manifest, channels and golden windows know', () => {
    const random = createRandom(9);
    const replaced = (shape: Parameters<typeof randomNetwork>[1]) => {
      const { weights } = randomNetwork(random, { nTokens: 5, nChannels: 3, ...shape });
      return violationCodes(
        remade(built.ensemble.files, { [artifactFile.network]: encodeTsmixerOnnx(weights) }),
      );
    };
    expect(replaced({})).to.deep.equal(['golden_mismatch']);
    expect(replaced({ nTokens: 6 })).to.deep.equal(['manifest_inconsistent', 'golden_invalid']);
    expect(replaced({ nChannels: 4 })).to.deep.equal([
      'normalization_invalid',
      'manifest_inconsistent',
      'golden_invalid',
    ]);
    expect(replaced({ horizon: 2 })).to.deep.equal(['onnx_invalid']);
    const garbage = remade(built.ensemble.files, { [artifactFile.network]: Buffer.from('net') });
    expect(violationCodes(garbage)).to.deep.equal(['onnx_invalid']);
    const trees = built.ensemble.files.get(artifactFile.tabular)!;
    const swapped = violationCodes(remade(built.ensemble.files, { [artifactFile.network]: trees }));
    expect(new Set(swapped)).to.deep.equal(new Set(['onnx_op_refused']));
  });

  it('is refused if the manifest gives another size of windows', () => {
    for (const field of ['n_tokens', 'n_channels'] as const) {
      const manifest = manifestOf(built.ensemble.files);
      manifest[field] += 1;
      const files = resigned(built.ensemble.files, {
        [artifactFile.manifest]: canonical(manifest),
      });
      expect(violationCodes(files)).to.deep.equal(['manifest_inconsistent']);
    }
  });

  const typed: Record<keyof typeof built, Pick<Manifest, 'type' | 'ensemble_alpha'>> = {
    trees: { type: 'lightgbm_liquid', ensemble_alpha: 1 },
    network: { type: 'tsmixer_liquid', ensemble_alpha: 0 },
    ensemble: { type: 'ensemble_liquid', ensemble_alpha: 0.25 },
  };
  const kinds = ['trees', 'network', 'ensemble'] as const;
  for (const made of kinds) {
    for (const said of kinds) {
      if (made === said) continue;
      it(`of ${made} is refused when it says that it is of ${said}`, () => {
        const { files } = built[made];
        const { policies_allowed, policy } = manifestOf(built[said].files);
        const manifest = { ...manifestOf(files), ...typed[said], policies_allowed, policy };
        const found = violationCodes(
          resigned(files, { [artifactFile.manifest]: canonical(manifest) }),
        );
        const tooMany = made === 'ensemble' || said !== 'ensemble';
        const tooFew = said === 'ensemble' || made !== 'ensemble';
        expect(found.includes('file_extra'), `${found}`).to.equal(tooMany);
        expect(found.includes('file_missing'), `${found}`).to.equal(tooFew);
        expect(found).to.include('golden_invalid');
      });
    }
  }

  it('tells all that is wrong with its parts at once', () => {
    const { files } = built.ensemble;
    const manifest = manifestOf(files);
    manifest.n_tokens += 1;
    const normalization = JSON.parse(files.get(artifactFile.normalization)!.toString());
    normalization.channels[0].name = 'x';
    const golden = JSON.parse(files.get(artifactFile.golden)!.toString());
    golden.scores.tabular[0] += 1;
    const changed = remade(resigned(files, { [artifactFile.manifest]: canonical(manifest) }), {
      [artifactFile.normalization]: canonical(normalization),
      [artifactFile.golden]: canonical(golden),
    });
    expect(violationCodes(changed).sort()).to.deep.equal([
      'golden_mismatch',
      'manifest_inconsistent',
      'normalization_invalid',
    ]);
  });
});
