import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { expect } from 'chai';
import { SluiceError, sha256Hex } from '../../../core/index.ts';
import {
  type FileMap,
  generateKeyPair,
  keyHint,
  publicKeyOf,
  rootDigest,
  signFiles,
  verifyBundle,
} from '../../../models/artifact/index.ts';

const { privateKeyPem, publicKeyPem } = generateKeyPair();

const files: FileMap = new Map([
  ['b.json', Buffer.from('{"b":2}')],
  ['a.json', Buffer.from('{"a":1}')],
]);
const payloadType = 'application/vnd.in-toto+json';

interface Bundle {
  mediaType: string;
  verificationMaterial: Record<string, unknown>;
  dsseEnvelope: {
    payload: string;
    payloadType: string;
    signatures: { sig: string; keyid?: string }[];
  };
  [more: string]: unknown;
}
// biome-ignore lint/suspicious/noExplicitAny: tests bend the statement at will
type Statement = any;

const signed = (): Bundle => JSON.parse(signFiles(files, 'm_1', privateKeyPem).bundle.toString());
const statementOf = (bundle: Bundle): Statement =>
  JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString());

/** DSSE pre-authentication encoding, written a second time from the specification. */
const pae = (payload: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `),
    payload,
  ]);

/** A bundle whose statement was bent and then properly signed. */
function resigned(bend: (statement: Statement) => void): Bundle {
  const bundle = signed();
  const statement = statementOf(bundle);
  bend(statement);
  const payload = Buffer.from(JSON.stringify(statement));
  bundle.dsseEnvelope.payload = payload.toString('base64');
  bundle.dsseEnvelope.signatures[0]!.sig = sign('sha256', pae(payload), privateKeyPem).toString(
    'base64',
  );
  return bundle;
}

const codes = (
  bundle: Bundle | string | Buffer,
  content: FileMap = files,
  trusted = [publicKeyPem],
): string[] => {
  const raw = typeof bundle === 'string' || Buffer.isBuffer(bundle);
  const bytes = Buffer.from(raw ? (bundle as string) : JSON.stringify(bundle));
  return verifyBundle(bytes, content, trusted).violations.map(({ code }) => code);
};
const bent = (bend: (bundle: Bundle) => void): Bundle => {
  const bundle = signed();
  bend(bundle);
  return bundle;
};
const withFile = (name: string, text = 'x'): FileMap =>
  new Map([...files, [name, Buffer.from(text)]]);

describe('a signature of files', () => {
  it('has the layout of OpenSSF Model Signing v1.0 and verifies by the specification alone', () => {
    const bundle = signed();
    expect(bundle.mediaType).to.equal('application/vnd.dev.sigstore.bundle.v0.3+json');
    expect(bundle.verificationMaterial).to.deep.equal({
      publicKey: { hint: sha256Hex(publicKeyPem) },
      tlogEntries: [],
    });
    const [a, b] = ['a.json', 'b.json'].map((name) => sha256Hex(files.get(name)!));
    const root = sha256Hex(Buffer.from(`${a}${b}`, 'hex'));
    expect(statementOf(bundle)).to.deep.equal({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'm_1', digest: { sha256: root } }],
      predicateType: 'https://model_signing/signature/v1.0',
      predicate: {
        resources: [
          { name: 'a.json', algorithm: 'sha256', digest: a },
          { name: 'b.json', algorithm: 'sha256', digest: b },
        ],
        serialization: {
          method: 'files',
          hash_type: 'sha256',
          allow_symlinks: false,
          ignore_paths: [],
        },
      },
    });
    const { payload, signatures } = bundle.dsseEnvelope;
    const signature = Buffer.from(signatures[0]!.sig, 'base64');
    const holds = verify('sha256', pae(Buffer.from(payload, 'base64')), publicKeyPem, signature);
    expect(holds).to.equal(true);
    expect(rootDigest(files)).to.equal(root);
  });

  it('names the same root digest every time, though ECDSA signs anew', () => {
    const [one, two] = [1, 2].map(() => signFiles(files, 'm_1', privateKeyPem));
    expect(one!.digest).to.equal(two!.digest);
    expect(one!.bundle.equals(two!.bundle)).to.equal(false);
  });

  it('sorts names by code point, where UTF-16 would not', () => {
    const names = ['\u{10000}', '\uffee', 'b', 'a-b', 'a', 'B'];
    const odd = new Map(names.map((name) => [name, Buffer.from(name)]));
    const bundle = JSON.parse(signFiles(odd, 'm', privateKeyPem).bundle.toString()) as Bundle;
    const listed = statementOf(bundle).predicate.resources.map(
      ({ name }: { name: string }) => name,
    );
    expect(listed).to.deep.equal(['B', 'a', 'a-b', 'b', '\uffee', '\u{10000}']);
  });

  it('knows its key among several, by the hint', () => {
    const other = generateKeyPair().publicKeyPem;
    expect(codes(signed(), files, [other, publicKeyPem])).to.deep.equal([]);
    expect(codes(signed(), files, [other])).to.deep.equal(['unknown_key']);
    expect(codes(signed(), files, [])).to.deep.equal(['unknown_key']);
    expect(keyHint(publicKeyPem.replaceAll('\n', '\r\n'))).to.equal(keyHint(publicKeyPem));
    expect(publicKeyOf(privateKeyPem)).to.equal(publicKeyPem);
  });

  it('is never made or checked with a key that is not P-256', () => {
    const ed25519 = generateKeyPairSync('ed25519');
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    for (const { privateKey, publicKey } of [ed25519, p384]) {
      const secret = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const open = publicKey.export({ type: 'spki', format: 'pem' }).toString();
      expect(() => signFiles(files, 'm', secret)).to.throw(SluiceError, 'P-256');
      expect(() => codes(signed(), files, [open])).to.throw(SluiceError, 'P-256');
    }
    expect(() => signFiles(files, 'm', 'no key')).to.throw(SluiceError, 'P-256');
  });

  describe('is accepted, as the reference verifier does, with', () => {
    const accepted: [string, Bundle, FileMap?][] = [
      [
        'an unknown key in the predicate',
        resigned((s) => {
          s.predicate.more = { a: 1 };
        }),
      ],
      [
        'annotations of a resource',
        resigned((s) => {
          s.predicate.resources[0].annotations = { a: 1 };
        }),
      ],
      [
        'annotations of the subject',
        resigned((s) => {
          s.subject[0].annotations = { a: 1 };
        }),
      ],
      [
        'resources in another order, the root following it',
        resigned((s) => {
          s.predicate.resources.reverse();
          const digests = s.predicate.resources.map(({ digest }: { digest: string }) => digest);
          s.subject[0].digest.sha256 = sha256Hex(Buffer.from(digests.join(''), 'hex'));
        }),
      ],
      [
        'paths to ignore that are not there',
        resigned((s) => {
          s.predicate.serialization.ignore_paths = ['.git', '.gitignore'];
        }),
      ],
      [
        'no list of paths to ignore',
        resigned((s) => {
          delete s.predicate.serialization.ignore_paths;
        }),
      ],
      [
        'no tlogEntries',
        bent((b) => {
          delete b.verificationMaterial.tlogEntries;
        }),
      ],
      [
        'no keyid',
        bent((b) => {
          delete b.dsseEnvelope.signatures[0]!.keyid;
        }),
      ],
      [
        'a second, meaningless signature',
        bent((b) => {
          b.dsseEnvelope.signatures.push({ sig: 'AAAA' });
        }),
      ],
      ['the bundle among the files', signed(), withFile('model.sig')],
    ];
    for (const [what, bundle, content] of accepted) {
      it(what, () => expect(codes(bundle, content)).to.deep.equal([]));
    }
  });

  describe('is refused with', () => {
    const refused: [string, Bundle | string | Buffer, string[], FileMap?][] = [
      ['an extra file', signed(), ['file_unsigned'], withFile('extra')],
      ['an extra file that git would ignore', signed(), ['file_unsigned'], withFile('.gitignore')],
      ['a missing file', signed(), ['file_missing'], new Map([['a.json', files.get('a.json')!]])],
      ['a changed byte', signed(), ['file_digest_wrong'], withFile('a.json', '{"a":2}')],
      ['two subjects', resigned((s) => s.subject.push(s.subject[0])), ['statement_invalid']],
      [
        'a root digest of another order',
        resigned((s) => s.predicate.resources.reverse()),
        ['root_digest_wrong'],
      ],
      [
        'an unknown top-level key',
        bent((b) => {
          b.more = 1;
        }),
        ['bundle_invalid'],
      ],
      [
        'an older media type',
        bent((b) => {
          b.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.3';
        }),
        ['bundle_invalid'],
      ],
      [
        'the good signature at index 1',
        bent((b) => {
          b.dsseEnvelope.signatures.unshift({ sig: 'AAAA' });
        }),
        ['signature_wrong'],
      ],
      [
        'no signature',
        bent((b) => {
          b.dsseEnvelope.signatures = [];
        }),
        ['bundle_invalid'],
      ],
      [
        'no hint',
        bent((b) => {
          b.verificationMaterial.publicKey = {};
        }),
        ['bundle_invalid'],
      ],
      [
        'a wrong hint',
        bent((b) => {
          b.verificationMaterial.publicKey = { hint: 'a'.repeat(64) };
        }),
        ['unknown_key'],
      ],
      [
        'a certificate',
        bent((b) => {
          b.verificationMaterial.certificate = { rawBytes: 'AAAA' };
        }),
        ['bundle_invalid'],
      ],
      [
        'base64 with trailing bits',
        bent((b) => {
          b.dsseEnvelope.signatures[0]!.sig = b.dsseEnvelope.signatures[0]!.sig.replace(/=*$/, '!');
        }),
        ['bundle_invalid'],
      ],
      [
        'base64 with a blank',
        bent((b) => {
          b.dsseEnvelope.payload = ` ${b.dsseEnvelope.payload}`;
        }),
        ['bundle_invalid'],
      ],
      [
        'another payload type',
        bent((b) => {
          b.dsseEnvelope.payloadType = 'text/plain';
        }),
        ['bundle_invalid'],
      ],
      [
        'a statement that was changed after signing',
        bent((b) => {
          const statement = statementOf(b);
          statement.subject[0].name = 'other';
          b.dsseEnvelope.payload = Buffer.from(JSON.stringify(statement)).toString('base64');
        }),
        ['signature_wrong'],
      ],
      [
        'another hash',
        resigned((s) => {
          s.predicate.resources[0].algorithm = 'blake2b';
        }),
        ['statement_invalid'],
      ],
      [
        'method shards',
        resigned((s) => {
          s.predicate.serialization.method = 'shards';
        }),
        ['statement_invalid'],
      ],
      [
        'symlinks allowed',
        resigned((s) => {
          s.predicate.serialization.allow_symlinks = true;
        }),
        ['statement_invalid'],
      ],
      [
        'another predicate',
        resigned((s) => {
          s.predicateType = 'https://slsa.dev/provenance/v1';
        }),
        ['statement_invalid'],
      ],
      [
        'nothing listed',
        resigned((s) => {
          s.predicate.resources = [];
        }),
        ['statement_invalid'],
      ],
      ['no JSON', 'model', ['bundle_invalid']],
      ['bytes that are no UTF-8', Buffer.from('"\xff"', 'latin1'), ['bundle_invalid']],
    ];
    for (const [what, bundle, wanted, content] of refused) {
      it(what, () => expect(codes(bundle, content)).to.deep.equal(wanted));
    }

    const names: [string, string][] = [
      ['../a.json', 'name_parent'],
      ['a//b', 'name_parent'],
      ['./a.json', 'name_parent'],
      ['/etc/passwd', 'name_absolute'],
      ['C:/a', 'name_absolute'],
      ['a\\b', 'name_backslash'],
      ['a\0b', 'name_nul'],
      ['a\nb', 'name_nul'],
      ['u\u0308.json', 'name_not_nfc'],
      ['A.json', 'name_case_collision'],
      ['a.json', 'name_duplicate'],
    ];
    for (const [name, code] of names) {
      it(`the signed name ${JSON.stringify(name)}: ${code}`, () => {
        const bundle = resigned(({ predicate, subject }) => {
          predicate.resources.push({ name, algorithm: 'sha256', digest: sha256Hex('x') });
          const digests = predicate.resources.map(({ digest }: { digest: string }) => digest);
          subject[0].digest.sha256 = sha256Hex(Buffer.from(digests.join(''), 'hex'));
        });
        expect(codes(bundle, withFile(name))).to.include(code);
      });
    }
  });
});
