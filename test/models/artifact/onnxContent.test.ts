import { expect } from 'chai';
import { artifactFile } from '../../../models/artifact/index.ts';
import { decodeOnnx, encodeOnnx } from '../../../models/artifact/onnx.ts';
import { remade, sampleArtifact, violationCodes } from './samples.ts';

const { files } = sampleArtifact();
const bytes = files.get(artifactFile.tabular)!;

// biome-ignore lint/suspicious/noExplicitAny: tests bend the model at will
type Bent = any;

/** Codes after the model was bent and everything else was made to fit. */
function codes(bend: (model: Bent) => void): string[] {
  const model: Bent = structuredClone(decodeOnnx(bytes));
  bend(model);
  return violationCodes(remade(files, { [artifactFile.tabular]: encodeOnnx(model) }));
}

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
