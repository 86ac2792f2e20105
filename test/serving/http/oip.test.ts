import { expect } from 'chai';
import { type Running, run } from './running.ts';

const infer = '/v2/models/liquid/infer';
const input = (extra: Record<string, unknown> = {}) => ({
  name: 'features',
  shape: [1, 3],
  datatype: 'FP64',
  data: [1, 2, 3],
  ...extra,
});
const body = (extra: Record<string, unknown> = {}, top: Record<string, unknown> = {}) => ({
  inputs: [input(extra)],
  ...top,
});

/** A body of the binary extension: JSON, then raw bytes. */
function binary(document: unknown, raw: Uint8Array): [Uint8Array, Record<string, string>] {
  const json = Buffer.from(JSON.stringify(document));
  return [Buffer.concat([json, raw]), { 'inference-header-content-length': String(json.length) }];
}

describe('Open Inference Protocol v2', () => {
  let server: Running;
  before(async () => {
    server = await run();
  });
  after(async () => {
    await server.stop();
  });

  const refused = async (document: unknown, status: number, says: string) => {
    const answer = await server.post(infer, document);
    expect(answer.status, JSON.stringify(answer.json)).to.equal(status);
    expect(Object.keys(answer.json)).to.deep.equal(['error']);
    expect(answer.json.error).to.contain(says);
  };

  describe('metadata and health', () => {
    it('names itself and the binary extension', async () => {
      const { status, json } = await server.get('/v2');
      expect(status).to.equal(200);
      expect(json).to.deep.equal({
        name: 'sluice',
        version: '0.0.0',
        extensions: ['binary_tensor_data'],
      });
    });

    it('is live and ready in the words that both KServe and Triton clients read', async () => {
      for (const path of ['/v2/health/live', '/v2/health/ready']) {
        const { status, json } = await server.get(path);
        expect(status).to.equal(200);
        expect(json).to.include({ live: true, ready: true });
      }
    });

    it('carries the root digest and the key in readiness', async () => {
      const { json } = await server.get('/v2/health/ready');
      expect(json).to.include({
        artifact_digest: 'd'.repeat(64),
        key_hint: 'k'.repeat(64),
      });
    });

    it('describes its model with and without a version', async () => {
      const plain = await server.get('/v2/models/liquid');
      const versioned = await server.get('/v2/models/liquid/versions/7');
      expect(plain.json).to.deep.equal(versioned.json);
      expect(plain.json).to.include({ name: 'liquid', platform: 'onnx_onnxv1' });
      expect(plain.json.versions).to.deep.equal(['7']);
      expect(plain.json.inputs).to.deep.equal([
        { name: 'features', datatype: 'FP64', shape: [-1, 3] },
      ]);
      expect(plain.json.outputs).to.deep.equal([
        { name: 'score', datatype: 'FP64', shape: [-1, 1] },
      ]);
      expect(plain.json.parameters).to.include({
        feature_names: 'a,b,c',
        nullable_features: 'b',
      });
      expect(plain.json.parameters.input_precision).to.contain('float32');
    });

    it('lists and readies its model, and knows no other', async () => {
      expect((await server.get('/v2/models')).json).to.deep.equal({ models: ['liquid'] });
      expect((await server.get('/v2/models/liquid/ready')).json).to.deep.equal({
        name: 'liquid',
        ready: true,
      });
      for (const path of ['other', 'other/ready', 'liquid/versions/8', 'liquid/versions/8/ready']) {
        const { status, json } = await server.get(`/v2/models/${path}`);
        expect(status).to.equal(404);
        expect(json.error).to.contain('liquid');
      }
    });
  });

  describe('inference in JSON', () => {
    it('scores a row, echoes the id, and says which model, policy and lineage it was', async () => {
      const { status, json } = await server.post(infer, body({}, { id: '42' }));
      expect(status).to.equal(200);
      expect(json).to.include({ model_name: 'liquid', model_version: '7', id: '42' });
      expect(json.outputs).to.deep.equal([
        { name: 'score', datatype: 'FP64', shape: [1, 1], data: [321] },
      ]);
      expect(json.parameters).to.include({
        policy: 'tabular_only',
        artifact_digest: 'd'.repeat(64),
        key_hint: 'k'.repeat(64),
        feature_version: 'f-abc',
      });
      expect(json.parameters.lineage_id).to.equal(`lineage-1/${json.parameters.prediction_id}`);
    });

    it('makes an id where the caller gives none, a new one each time', async () => {
      const ids = await Promise.all([server.post(infer, body()), server.post(infer, body())]);
      expect(ids[0]!.json.id).to.be.a('string').and.not.equal(ids[1]!.json.id);
    });

    it('takes rows flat or nested, through the versioned path too', async () => {
      const shape = [2, 3];
      const flat = await server.post(infer, body({ shape, data: [1, 2, 3, 4, 5, 6] }));
      const nested = await server.post(
        '/v2/models/liquid/versions/7/infer',
        body({
          shape,
          data: [
            [1, 2, 3],
            [4, 5, 6],
          ],
        }),
      );
      expect(flat.json.outputs[0].data).to.deep.equal([321, 654]);
      expect(nested.json.outputs).to.deep.equal(flat.json.outputs);
      expect(flat.json.outputs[0].shape).to.deep.equal([2, 1]);
    });

    it('rounds FP64 and FP32 values alike to the float32 of the trainer', async () => {
      for (const datatype of ['FP32', 'FP64']) {
        const { json } = await server.post(infer, body({ datatype, data: [0.1, 0, 0] }));
        expect(json.outputs[0].data).to.deep.equal([Math.fround(0.1)]);
      }
    });

    it('reads null as missing where the schema allows it, and refuses it elsewhere', async () => {
      const { status, json } = await server.post(infer, body({ data: [1, null, 3] }));
      expect(status).to.equal(200);
      expect(json.outputs[0].data).to.deep.equal([301]);
      await refused(body({ data: [null, 2, 3] }), 400, 'Feature a of row 0 is missing');
      await refused(
        body({ shape: [2, 3], data: [1, 2, 3, 4, 5, null] }),
        400,
        'Feature c of row 1 is missing',
      );
    });

    it('answers the output that is asked for, and knows no other', async () => {
      const { status } = await server.post(infer, body({}, { outputs: [{ name: 'score' }] }));
      expect(status).to.equal(200);
      await refused(
        body({}, { outputs: [{ name: 'label' }] }),
        400,
        'outputs are score, each once; asked for label',
      );
    });

    it('lets unknown keys of other vendors’ clients pass', async () => {
      const { status } = await server.post(infer, body({}, { model_name: 'liquid', timeout: 1 }));
      expect(status).to.equal(200);
    });

    const wrong: readonly [string, unknown, string][] = [
      ['no JSON', '{"inputs":', 'not JSON'],
      ['an empty body', '', 'not JSON'],
      ['no object', '[]', 'Not an inference request'],
      ['no inputs', '{}', 'inputs'],
      ['an empty list of inputs', { inputs: [] }, 'takes features [rows, 3]; found'],
      ['two inputs', { inputs: [input(), input()] }, 'takes features [rows, 3]; found'],
      ['another input', body({ name: 'x' }), 'takes features [rows, 3]; found'],
      ['a vector', body({ shape: [3] }), 'shape [rows, 3]'],
      ['another width', body({ shape: [1, 4] }), 'shape [rows, 3]'],
      ['no rows', body({ shape: [0, 3], data: [] }), 'shape [rows, 3]'],
      ['a negative size', body({ shape: [-1, 3] }), 'shape'],
      ['a broken size', body({ shape: [1.5, 3] }), 'shape'],
      ['another type', body({ datatype: 'INT64' }), 'FP32 or FP64'],
      ['too few values', body({ data: [1, 2] }), 'another count'],
      ['too many values', body({ data: [1, 2, 3, 4] }), 'another count'],
      [
        'ragged rows',
        body({
          shape: [2, 3],
          data: [
            [1, 2],
            [3, 4, 5, 6],
          ],
        }),
        'another count',
      ],
      ['rows nested too deep', body({ data: [[[1, 2, 3]]] }), 'another count'],
      ['no data', body({ data: undefined }), 'another count'],
      ['a word', body({ data: [1, '2', 3] }), 'Feature b of row 0 takes a finite float32 number'],
      ['a truth value', body({ data: [true, 2, 3] }), 'Feature a of row 0'],
      ['a number beyond float32', body({ data: [1e300, 2, 3] }), 'found 1e+300'],
      [
        'an overflowing literal',
        '{"inputs":[{"name":"features","shape":[1,3],"datatype":"FP64","data":[1e999,2,3]}]}',
        'found Infinity',
      ],
      ['a parameter that is a list', body({}, { parameters: { a: [] } }), 'parameters.a'],
      ['an id that is no string', body({}, { id: 5 }), 'id'],
    ];
    for (const [what, document, says] of wrong) {
      it(`refuses ${what} with 400 and one sentence`, () => refused(document, 400, says));
    }

    it('refuses a deep nest before parsing it, but not many shallow brackets', async () => {
      await refused(`${'['.repeat(50_000)}`, 400, 'nests JSON deeper than 16');
      const many = Array.from({ length: 40 }, () => [1, 2, 3]);
      const { status } = await server.post(infer, body({ shape: [40, 3], data: many }));
      expect(status).to.equal(200);
      const text = JSON.stringify(body({}, { id: `[[[[[[[[[[[[[[[[[["\\"[[[[` }));
      expect((await server.post(infer, text)).status).to.equal(200);
    });

    it('refuses more rows and larger bodies than it takes with 413', async () => {
      await refused(body({ shape: [65, 3], data: Array(195).fill(1) }), 413, 'at most 64 rows');
      await refused(`"${'x'.repeat(200_000)}"`, 413, 'too large');
    });

    it('refuses a compressed body with 415', async () => {
      const answer = await server.post(infer, body(), { 'content-encoding': 'gzip' });
      expect(answer.status).to.equal(415);
      expect(answer.json.error).to.contain('encoding');
    });
  });

  describe('the handshake', () => {
    const fields = {
      feature_payload_schema_version: 'payload_v1',
      feature_version: 'f-abc',
      data_version: 'd-abc',
      lineage_id: 'lineage-1',
    };

    it('serves a caller whose versions are the model’s', async () => {
      const { status } = await server.post(infer, body({}, { parameters: fields }));
      expect(status).to.equal(200);
    });

    for (const field of Object.keys(fields)) {
      it(`answers 409 when ${field} is another one, and counts it`, async () => {
        const before = await counted(server, 'schema_mismatch');
        const parameters = { ...fields, [field]: 'other' };
        await refused(body({}, { parameters }), 409, `${field} is`);
        expect(await counted(server, 'schema_mismatch')).to.equal(before + 1);
      });
    }

    it('answers 409 for a policy that the artifact lacks, 400 for what is no policy', async () => {
      for (const policy of ['nn_only', 'blend_alpha_0.5']) {
        await refused(body({}, { parameters: { policy } }), 409, 'answers tabular_only');
      }
      await refused(body({}, { parameters: { policy: 'best' } }), 400, 'policy is tabular_only');
    });
  });

  describe('the binary tensor extension', () => {
    const tensor = (bytes: number, datatype = 'FP32') => ({
      name: 'features',
      shape: [1, 3],
      datatype,
      parameters: { binary_data_size: bytes },
    });
    const floats = Buffer.from(Float32Array.of(1, Number.NaN, 3).buffer);

    it('reads little-endian FP32 and FP64, NaN as missing, whatever the content type says', async () => {
      const doubles = Buffer.from(Float64Array.of(1, Number.NaN, 3).buffer);
      for (const [raw, datatype] of [
        [floats, 'FP32'],
        [doubles, 'FP64'],
      ] as const) {
        const [bytes, headers] = binary({ inputs: [tensor(raw.length, datatype)] }, raw);
        const types = ['application/octet-stream', 'application/json'];
        for (const type of types) {
          const answer = await server.post(infer, bytes, { ...headers, 'content-type': type });
          expect(answer.json.outputs[0].data).to.deep.equal([301]);
        }
      }
    });

    it('answers raw little-endian bytes when asked for all outputs or for this one', async () => {
      const asks = [
        { parameters: { binary_data_output: true } },
        { outputs: [{ name: 'score', parameters: { binary_data: true } }] },
      ];
      for (const ask of asks) {
        const answer = await server.post(infer, body({}, ask));
        const length = Number(answer.headers.get('inference-header-content-length'));
        const document = JSON.parse(Buffer.from(answer.bytes.subarray(0, length)).toString());
        expect(document.outputs).to.deep.equal([
          {
            name: 'score',
            datatype: 'FP64',
            shape: [1, 1],
            parameters: { binary_data_size: 8 },
          },
        ]);
        const raw = Buffer.from(answer.bytes.subarray(length));
        expect(raw.length).to.equal(8);
        expect(raw.readDoubleLE(0)).to.equal(321);
      }
    });

    it('lets one output refuse what all outputs ask for', async () => {
      const ask = {
        parameters: { binary_data_output: true },
        outputs: [{ name: 'score', parameters: { binary_data: false } }],
      };
      expect((await server.post(infer, body({}, ask))).json.outputs[0].data).to.deep.equal([321]);
    });

    it('refuses sizes that do not meet: header, tensor, bytes', async () => {
      const good = { inputs: [tensor(12)] };
      const cases: [Uint8Array, Record<string, string>][] = [
        binary(good, floats.subarray(0, 8)),
        binary(good, Buffer.concat([floats, floats])),
        binary({ inputs: [tensor(8)] }, floats),
        binary({ inputs: [tensor(12, 'FP64')] }, floats),
        binary({ inputs: [{ ...tensor(12), data: [1, 2, 3] }] }, floats),
        binary({ inputs: [input()] }, floats),
        [binary(good, floats)[0], { 'inference-header-content-length': '999999' }],
        [binary(good, floats)[0], { 'inference-header-content-length': '-1' }],
        [binary(good, floats)[0], { 'inference-header-content-length': '1e2' }],
        [binary(good, floats)[0], { 'inference-header-content-length': '5' }],
        [Buffer.from(JSON.stringify(good)), {}],
      ];
      for (const [bytes, headers] of cases) {
        const answer = await server.post(infer, bytes, headers);
        expect(answer.status).to.equal(400);
        expect(answer.json.error).to.be.a('string');
      }
    });

    it('refuses NaN where nothing may be missing, and infinity everywhere', async () => {
      for (const values of [
        [Number.NaN, 2, 3],
        [1, Number.POSITIVE_INFINITY, 3],
      ]) {
        const raw = Buffer.from(Float32Array.from(values).buffer);
        const [bytes, headers] = binary({ inputs: [tensor(12)] }, raw);
        expect((await server.post(infer, bytes, headers)).status).to.equal(400);
      }
    });
  });

  describe('everything else', () => {
    it('is a JSON error: unknown paths, wrong methods, paths that do not decode', async () => {
      const unknown = await server.get('/v3');
      expect([unknown.status, Object.keys(unknown.json)]).to.deep.equal([404, ['error']]);
      const method = await server.get(infer);
      expect([method.status, method.headers.get('allow')]).to.deep.equal([405, 'POST']);
      const posted = await server.post('/v2/health/live', '');
      expect([posted.status, posted.headers.get('allow')]).to.deep.equal([405, 'GET']);
      const path = await server.get('/v2/models/%E0%A4%A');
      expect([path.status, Object.keys(path.json)]).to.deep.equal([400, ['error']]);
    });

    it('says nothing of its framework, and forbids sniffing, framing and caching', async () => {
      const { headers } = await server.get('/v2');
      expect(headers.get('x-powered-by')).to.equal(null);
      expect(headers.get('etag')).to.equal(null);
      expect(headers.get('x-content-type-options')).to.equal('nosniff');
      expect(headers.get('cache-control')).to.equal('no-store');
      expect(headers.get('content-security-policy')).to.contain("frame-ancestors 'none'");
    });
  });
});

async function counted(server: Running, reason: string): Promise<number> {
  const text = Buffer.from((await server.get('/metrics')).bytes).toString();
  return Number(new RegExp(`sluice_refusals_total\\{reason="${reason}"\\} (\\d+)`).exec(text)![1]);
}
