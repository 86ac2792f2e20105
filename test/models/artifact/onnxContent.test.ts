import { expect } from 'chai';
import { canonicalJson } from '../../../core/index.ts';
import { artifactFile, type FileMap } from '../../../models/artifact/index.ts';
import { decodeOnnx, encodeOnnx } from '../../../models/artifact/onnx.ts';
import { tsmixerParameters } from '../../../models/score/index.ts';
import {
  networkArtifact,
  networkInputOf,
  remade,
  sampleArtifact,
  violationCodes,
} from './samples.ts';

const { files } = sampleArtifact();
const bytes = files.get(artifactFile.tabular)!;
const network = networkArtifact();

// biome-ignore lint/suspicious/noExplicitAny: tests bend the model at will
type Bent = any;

/** Codes after a graph was bent and everything else was made to fit. */
function codesOf(of: FileMap, name: string, bend: (model: Bent) => void): string[] {
  const model: Bent = structuredClone(decodeOnnx(of.get(name)!));
  bend(model);
  return violationCodes(remade(of, { [name]: encodeOnnx(model) }));
}

const codes = (bend: (model: Bent) => void) => codesOf(files, artifactFile.tabular, bend);
const networkCodes = (bend: (model: Bent) => void) =>
  codesOf(network.files, artifactFile.network, bend);

const trees = (model: Bent) => model.graph.node.at(-1);
const attribute = (model: Bent, name: string) =>
  trees(model).attribute.find((entry: { name: string }) => entry.name === name);

describe('the content of an ONNX file', () => {
  it('comes through its own encoding unchanged', () => {
    expect(encodeOnnx(decodeOnnx(bytes)).equals(bytes)).to.equal(true);
    expect(codes(() => {})).to.deep.equal([]);
  });

  const graph = { node: [], name: 'g', initializer: [], input: [], output: [] };
  const external = [{ key: 'location', value: '../../etc/passwd' }];
  const cases: [string, (model: Bent) => void, string][] = [
    [
      'an operator outside the list',
      (m) => m.graph.node.unshift({ op_type: 'Loop' }),
      'onnx_op_refused',
    ],
    [
      'an operator of another domain',
      (m) => {
        trees(m).domain = 'com.microsoft';
      },
      'onnx_op_refused',
    ],
    [
      'a function',
      (m) => {
        m.functions = [{ name: 'TreeEnsemble' }];
      },
      'onnx_op_refused',
    ],
    ['a subgraph', (m) => trees(m).attribute.push({ name: 'body', g: graph }), 'onnx_op_refused'],
    [
      'several subgraphs',
      (m) => trees(m).attribute.push({ name: 'body', graphs: [graph] }),
      'onnx_op_refused',
    ],
    [
      'external data of an initializer',
      (m) => {
        m.graph.initializer[0].external_data = external;
      },
      'onnx_external_data',
    ],
    [
      'external data of an attribute',
      (m) => {
        attribute(m, 'leaf_weights').t.external_data = external;
      },
      'onnx_external_data',
    ],
    [
      'data said to be elsewhere',
      (m) => {
        m.graph.initializer[0].data_location = 1;
      },
      'onnx_external_data',
    ],
    [
      'no graph',
      (m) => {
        delete m.graph;
      },
      'onnx_invalid',
    ],
    [
      'no trees',
      (m) => {
        m.graph.node.pop();
      },
      'onnx_invalid',
    ],
    [
      'other opsets',
      (m) => {
        m.opset_import[0].version = 20;
      },
      'onnx_invalid',
    ],
    [
      'another input',
      (m) => {
        m.graph.input[0].name = 'x';
      },
      'onnx_invalid',
    ],
    ['an output more', (m) => m.graph.output.push(m.graph.output[0]), 'onnx_invalid'],
    [
      'no covers',
      (m) => {
        m.metadata_props.pop();
      },
      'onnx_invalid',
    ],
    ['metadata of others', (m) => m.metadata_props.push({ key: 'a', value: 'b' }), 'onnx_invalid'],
    [
      'a mean instead of a sum',
      (m) => {
        attribute(m, 'aggregate_function').i = 0;
      },
      'onnx_invalid',
    ],
    [
      'a logistic at the end',
      (m) => {
        attribute(m, 'post_transform').i = 2;
      },
      'onnx_invalid',
    ],
    [
      'a tree that is a ring',
      (m) => {
        attribute(m, 'nodes_truenodeids').ints.fill(0);
      },
      'onnx_invalid',
    ],
    [
      'a child far away',
      (m) => {
        attribute(m, 'nodes_falsenodeids').ints[0] = 2 ** 40;
      },
      'onnx_invalid',
    ],
    [
      'a negative child',
      (m) => {
        attribute(m, 'nodes_falsenodeids').ints[0] = -1;
      },
      'onnx_invalid',
    ],
    [
      'roots out of order',
      (m) => {
        attribute(m, 'tree_roots').ints.reverse();
      },
      'onnx_invalid',
    ],
    [
      'a root beyond the nodes',
      (m) => {
        attribute(m, 'tree_roots').ints.push(10 ** 9);
      },
      'onnx_invalid',
    ],
    [
      'columns of different length',
      (m) => {
        attribute(m, 'nodes_featureids').ints.pop();
      },
      'onnx_invalid',
    ],
    ['a column twice', (m) => trees(m).attribute.push(attribute(m, 'tree_roots')), 'onnx_invalid'],
    [
      'an unknown mode',
      (m) => {
        attribute(m, 'nodes_modes').t.raw_data[0] = 9;
      },
      'onnx_invalid',
    ],
    [
      'a huge claimed shape',
      (m) => {
        attribute(m, 'nodes_splits').t.dims = [2 ** 40];
      },
      'onnx_invalid',
    ],
    [
      'a billion features',
      (m) => {
        m.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 2 ** 30;
      },
      'onnx_invalid',
    ],
    [
      'a NaN threshold',
      (m) => {
        attribute(m, 'nodes_splits').t.raw_data.fill(255);
      },
      'onnx_invalid',
    ],
    [
      'an infinite leaf',
      (m) => {
        attribute(m, 'leaf_weights').t.raw_data.set([0, 0, 0, 0, 0, 0, 0xf0, 0x7f]);
      },
      'onnx_invalid',
    ],
    [
      'other missing sides',
      (m) => {
        const { ints } = attribute(m, 'nodes_missing_value_tracks_true');
        ints[0] = 1 - ints[0];
      },
      'onnx_invalid',
    ],
  ];
  for (const [what, bend, code] of cases) {
    it(`is refused with ${what}`, () => expect(codes(bend)).to.include(code));
  }

  it('is refused with fields that the format may have but Sluice never writes', () => {
    for (const extra of [
      [0x32, 1, 0x61],
      [0xa2, 1, 0],
      [0x28, 5],
    ]) {
      const content = Buffer.concat([bytes, Buffer.from(extra)]);
      expect(violationCodes(remade(files, { [artifactFile.tabular]: content }))).to.deep.equal([
        'onnx_invalid',
      ]);
    }
  });
});

describe('the content of nn.onnx', () => {
  const shapeOf = (model: Bent) => JSON.parse(model.metadata_props[0].value);
  const reshape = (model: Bent, change: Record<string, unknown>) => {
    model.metadata_props[0].value = canonicalJson({ ...shapeOf(model), ...change });
  };
  const node = (model: Bent, op: string) =>
    model.graph.node.find((candidate: { op_type: string }) => candidate.op_type === op);
  const weight = (model: Bent) => model.graph.initializer[2];

  it('is the parameters under their names, in their order', () => {
    const { graph } = decodeOnnx(network.files.get(artifactFile.network)!);
    const { weights } = networkInputOf().network!;
    const names = tsmixerParameters(weights.shape).map(({ name }) => name);
    expect(graph!.initializer.map(({ name }) => name)).to.deep.equal(names);
    const bytes = Buffer.concat(graph!.initializer.map(({ raw_data }) => raw_data!));
    expect(new Float32Array(new Uint8Array(bytes).buffer)).to.deep.equal(weights.values);
    expect(networkCodes(() => {})).to.deep.equal([]);
  });

  const cases: [string, (model: Bent) => void, string][] = [
    ['an operator of trees', (m) => m.graph.node.push({ op_type: 'Floor' }), 'onnx_op_refused'],
    ['a loop', (m) => m.graph.node.push({ op_type: 'Loop' }), 'onnx_op_refused'],
    [
      'an operator of another domain',
      (m) => {
        node(m, 'Gelu').domain = 'com.microsoft';
      },
      'onnx_op_refused',
    ],
    [
      'weights outside the file',
      (m) => {
        weight(m).external_data = [{ key: 'location', value: '../w' }];
      },
      'onnx_external_data',
    ],
    [
      'another activation than its shape says',
      (m) => {
        node(m, 'Gelu').op_type = 'Relu';
      },
      'onnx_invalid',
    ],
    [
      'a shape that says another activation',
      (m) => reshape(m, { activation: 'relu' }),
      'onnx_invalid',
    ],
    ['a shape of more blocks', (m) => reshape(m, { blocks: 3 }), 'onnx_invalid'],
    ['a shape of a billion blocks', (m) => reshape(m, { blocks: 1e9 }), 'onnx_invalid'],
    ['a shape of huge layers', (m) => reshape(m, { hidden: 2 ** 50 }), 'onnx_invalid'],
    ['a shape without tokens', (m) => reshape(m, { nTokens: 0 }), 'onnx_invalid'],
    ['a shape with a field more', (m) => reshape(m, { more: 1 }), 'onnx_invalid'],
    [
      'a shape that is no JSON',
      (m) => {
        m.metadata_props[0].value = '{';
      },
      'onnx_invalid',
    ],
    [
      'a shape with spaces',
      (m) => {
        m.metadata_props[0].value = JSON.stringify(shapeOf(m), null, 1);
      },
      'onnx_invalid',
    ],
    ['no shape', (m) => m.metadata_props.pop(), 'onnx_invalid'],
    ['a weight less', (m) => m.graph.initializer.pop(), 'onnx_invalid'],
    ['a weight more', (m) => m.graph.initializer.push(weight(m)), 'onnx_invalid'],
    ['weights in another order', (m) => m.graph.initializer.reverse(), 'onnx_invalid'],
    [
      'a weight that is not finite',
      (m) => weight(m).raw_data.set([0, 0, 0xc0, 0x7f]),
      'onnx_invalid',
    ],
    [
      'half a weight',
      (m) => {
        weight(m).raw_data = weight(m).raw_data.subarray(0, 7);
      },
      'onnx_invalid',
    ],
    [
      'a weight of another type',
      (m) => {
        weight(m).data_type = 11;
      },
      'onnx_invalid',
    ],
    [
      'a weight of other dimensions',
      (m) => {
        weight(m).dims = [25];
      },
      'onnx_invalid',
    ],
    [
      'another epsilon',
      (m) => {
        node(m, 'LayerNormalization').attribute[1].f = 1e-3;
      },
      'onnx_invalid',
    ],
    [
      'a norm over channels only',
      (m) => {
        node(m, 'LayerNormalization').attribute[0].i = 2;
      },
      'onnx_invalid',
    ],
    ['a residual less', (m) => m.graph.node.splice(-3, 1), 'onnx_invalid'],
    [
      'another input',
      (m) => {
        m.graph.input[0].name = 'x';
      },
      'onnx_invalid',
    ],
    ['an output more', (m) => m.graph.output.push(m.graph.output[0]), 'onnx_invalid'],
    [
      'another opset',
      (m) => {
        m.opset_import[0].version = 20;
      },
      'onnx_invalid',
    ],
    [
      'no graph',
      (m) => {
        delete m.graph;
      },
      'onnx_invalid',
    ],
    [
      'other weights',
      (m) => {
        const { initializer } = m.graph;
        initializer.at(-2).raw_data[3] ^= 0x80;
      },
      'golden_mismatch',
    ],
  ];
  for (const [what, bend, code] of cases) {
    it(`is refused with ${what}`, () => expect(networkCodes(bend)).to.include(code));
  }
});
