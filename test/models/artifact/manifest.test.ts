import { expect } from 'chai';
import { artifactFile, type Manifest, validateManifest } from '../../../models/artifact/index.ts';
import {
  canonical,
  ensembleArtifact,
  manifestOf,
  networkArtifact,
  sampleArtifact,
} from './samples.ts';

const { files } = sampleArtifact();

/** Violations of a manifest after a change, as `code: message`. */
function found(
  change: (manifest: Manifest & Record<string, unknown>) => void,
  of = files,
): string[] {
  const manifest = manifestOf(of) as Manifest & Record<string, unknown>;
  change(manifest);
  return validateManifest(canonical(manifest)).violations.map(
    ({ code, message }) => `${code}: ${message}`,
  );
}

describe('a manifest', () => {
  it('that was written is accepted', () => {
    expect(found(() => {})).to.deep.equal([]);
  });

  it('may tell what each part was trained by, on which device', () => {
    const part: NonNullable<Manifest['engine']['parts']>[number] = {
      part: 'network',
      name: 'tsmixer_native',
      version: '2-cuda-sm90-tf32',
      device: 'cuda',
      device_name: 'NVIDIA H200',
      precision: 'tf32',
      driver: '13.0',
      reproducible: true,
    };
    const told = (...parts: NonNullable<Manifest['engine']['parts']>) =>
      found((manifest) => {
        manifest.engine = { ...manifest.engine, parts };
      });
    expect(told(part)).to.deep.equal([]);
    expect(told({ ...part, part: 'trees', driver: null, device_name: null }, part)).to.deep.equal(
      [],
    );
    expect(told().join()).to.match(/engine\.parts/);
    expect(told({ ...part, device: 'tpu' as 'cuda' }).join()).to.match(/engine\.parts\.0\.device/);
  });

  it('is refused without any one of its fields', () => {
    const names = Object.keys(manifestOf(files));
    expect(names).to.include.members([
      ...['manifest_version', 'type', 'model_name', 'model_version', 'lineage_id'],
      ...['feature_payload_schema_version', 'feature_version', 'data_version', 'data_range'],
      ...['symbols', 'feature_schema', 'n_tokens', 'n_channels', 'normalization'],
      ...['ensemble_alpha', 'policies_allowed', 'train_report_hash', 'fold_metrics', 'windows'],
      ...['seed', 'code_version', 'engine', 'created_at', 'expires_at', 'drift_thresholds'],
      ...['files', 'feature_spec', 'label', 'timeframe', 'policy', 'lineage', 'trade'],
    ]);
    for (const name of names) {
      const violations = found((manifest) => {
        delete manifest[name];
      });
      expect(violations.join(), name).to.match(new RegExp(`manifest_invalid: .*${name}`));
    }
  });

  it('is refused with an unknown field, and the nearest known one is named', () => {
    const violations = found((manifest) => {
      manifest.model_nam = 'x';
      manifest.engine = { ...manifest.engine, gpu: 1 } as never;
    });
    expect(violations).to.have.length(2);
    expect(violations.join()).to.match(/"model_nam", did you mean "model_name"/);
  });

  it('of another version is refused for that alone', () => {
    const violations = found((manifest) => {
      manifest.manifest_version = 2 as 1;
      manifest.new_field = true;
    });
    expect(violations).to.have.length(1);
    expect(violations[0]).to.match(/^manifest_version_unknown/);
  });

  const contradictions: [string, (manifest: Manifest) => unknown, RegExp][] = [
    [
      'windows that overlap',
      (m) => {
        m.windows.validation.from = m.windows.search.to - 1;
      },
      /overlap/,
    ],
    [
      'windows beyond the data',
      (m) => {
        m.data_range.to -= 1;
      },
      /beyond data_range/,
    ],
    [
      'an expiry before its creation',
      (m) => {
        m.expires_at = m.created_at;
      },
      /expires_at/,
    ],
    [
      'a promoted policy that is not allowed',
      (m) => {
        m.policy = 'nn_only';
      },
      /not among/,
    ],
    [
      'a policy that trees alone cannot answer',
      (m) => {
        m.policies_allowed = ['tabular_only', 'nn_only'];
      },
      /allows tabular_only/,
    ],
    [
      'a blend of one',
      (m) => {
        m.ensemble_alpha = 0.5;
      },
      /ensemble_alpha 1/,
    ],
    [
      'a symbol twice',
      (m) => {
        m.symbols.push(m.symbols[0]!);
      },
      /"BTCUSDT" twice/,
    ],
    [
      'columns in another order',
      (m) => {
        m.feature_schema.reverse();
      },
      /list of columns/,
    ],
    [
      'the version of other features',
      (m) => {
        m.feature_version = 'f'.repeat(64);
      },
      /feature_version/,
    ],
    [
      'another payload',
      (m) => {
        m.feature_payload_schema_version = 'v0';
      },
      /payload_schema_version/,
    ],
    [
      'features of another bar length',
      (m) => {
        m.timeframe = '5m';
      },
      /timeframe 5m/,
    ],
    [
      'a drift threshold of no feature',
      (m) => {
        m.drift_thresholds[0]!.feature = 'x';
      },
      /no feature: "x"/,
    ],
  ];
  for (const [what, change, message] of contradictions) {
    it(`contradicts itself with ${what}`, () => {
      const violations = found(change);
      expect(violations).to.have.length(1);
      expect(violations[0])
        .to.match(/^manifest_inconsistent/)
        .and.to.match(message);
    });
  }

  const ensemble = ensembleArtifact().files;
  const network = networkArtifact().files;
  const blend = 'blend_alpha_0.25' as const;
  const mixed: [string, typeof files, (manifest: Manifest) => unknown, RegExp][] = [
    [
      'an ensemble that withholds a policy',
      ensemble,
      (m) => {
        m.policies_allowed = ['tabular_only', blend];
      },
      /allows tabular_only, nn_only, blend_alpha_0.25, found tabular_only, blend_alpha_0.25/,
    ],
    [
      'an ensemble with a second blend',
      ensemble,
      (m) => m.policies_allowed.push('blend_alpha_0.5'),
      /allows tabular_only, nn_only, blend_alpha_0.25, found/,
    ],
    [
      'a network that answers for trees',
      network,
      (m) => m.policies_allowed.push('tabular_only'),
      /type tsmixer_liquid allows nn_only, found/,
    ],
    [
      'a network with trees in its blend',
      network,
      (m) => {
        m.ensemble_alpha = 0.5;
      },
      /type tsmixer_liquid has ensemble_alpha 0, found 0.5/,
    ],
    [
      'a policy of another blend',
      ensemble,
      (m) => {
        m.policy = 'blend_alpha_0.5';
      },
      /not among/,
    ],
  ];
  for (const [what, of, change, message] of mixed) {
    it(`contradicts itself with ${what}`, () => {
      const violations = found(change, of);
      expect(violations).to.have.length(1);
      expect(violations[0])
        .to.match(/^manifest_inconsistent/)
        .and.to.match(message);
    });
  }

  it('of an ensemble blends with the very weight that it gives', () => {
    const reweighted = (alpha: number, name: string) =>
      found((manifest) => {
        manifest.ensemble_alpha = alpha;
        manifest.policies_allowed[2] = name as 'nn_only';
        manifest.policy = null;
      }, ensemble);
    for (const [alpha, name] of [
      [0.1, 'blend_alpha_0.1'],
      [1, 'blend_alpha_1'],
      [0, 'blend_alpha_0'],
    ] as const) {
      expect(reweighted(alpha, name), name).to.deep.equal([]);
    }
    expect(reweighted(0.1, 'blend_alpha_0.10')).not.to.deep.equal([]);
    expect(reweighted(0.1, 'blend_alpha_0.2')).not.to.deep.equal([]);
  });

  it('names files that stay inside the folder', () => {
    const violations = found(({ files: listed }) => {
      listed.push({ ...listed[0]!, name: '../x' }, { ...listed[0]!, name: 'GOLDEN.json' });
    });
    expect(violations.map((text) => text.split(':')[0])).to.deep.equal([
      'name_parent',
      'name_case_collision',
    ]);
  });

  it('has one form of bytes: canonical, UTF-8, finite, no key twice', () => {
    const text = files.get(artifactFile.manifest)!.toString();
    const codes = (bytes: Buffer) => validateManifest(bytes).violations.map(({ code }) => code);
    expect(codes(Buffer.from(text))).to.deep.equal([]);
    expect(codes(Buffer.from(`${text}\n`))).to.deep.equal(['manifest_invalid']);
    expect(codes(Buffer.from(`\ufeff${text}`))).to.deep.equal(['manifest_invalid']);
    expect(codes(Buffer.from(text.replace('{', '{"seed":8,')))).to.deep.equal(['manifest_invalid']);
    expect(codes(Buffer.from(text, 'utf16le'))).to.deep.equal(['manifest_invalid']);
    expect(codes(Buffer.from(text.replace('"seed":7', '"seed":1e999')))).to.deep.equal([
      'non_finite',
    ]);
    expect(codes(Buffer.from(text.replace('{', '{"__proto__":{},')))).to.deep.equal([
      'manifest_invalid',
    ]);
    expect(codes(Buffer.from('['.repeat(100_000)))).to.deep.equal(['manifest_invalid']);
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    for (const field of ['feature_spec', 'seed', 'trade', 'more']) {
      const nested = text.replace('{', `{"${field}":${deep},`);
      expect(codes(Buffer.from(nested)), field).to.include('manifest_invalid');
    }
  });

  it('with very many entries is refused, not a crash', () => {
    const many = { feature: 'x', statistic: 'psi', threshold: 1 };
    const violations = found((manifest) => {
      manifest.drift_thresholds = new Array(300_000).fill(many);
      manifest.symbols = new Array(300_000).fill('x');
    });
    expect(violations).to.have.length(2);
  });

  for (const value of [null, [], 'x', 1, {}]) {
    it(`that is ${JSON.stringify(value)} is refused`, () => {
      const { violations } = validateManifest(canonical(value));
      expect(violations.map(({ code }) => code)).to.include('manifest_invalid');
    });
  }
});
