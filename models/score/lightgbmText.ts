// Reads LightGBM's text model (format v4) into flat trees. Source: LightGBM 4.1 src/io/tree.cpp, gbdt_model_text.cpp.

import { SluiceError } from '../../core/index.ts';
import { missingType, type Tree, type TreeEnsemble } from './types.ts';

const categoricalBit = 1;
const defaultLeftBit = 2;
const missingShift = 2;

type Fields = ReadonlyMap<string, string>;

/**
 * Parses the text that LightGBM writes for a model of one score per row.
 * @throws SluiceError `input_invalid` for anything that is not such a text: another kind of model (several classes,
 *   averaged forests, linear leaves), arrays of unequal length, numbers that are not finite, links that form no tree
 */
export function parseLightgbmText(text: string): TreeEnsemble {
  const [head = '', ...blocks] = text.split(/\n(?=Tree=\d+\n)/);
  const header = fieldsOf(head);
  if (!head.startsWith('tree\nversion=v4\n'))
    throw invalid('it does not start with the lines "tree" and "version=v4"');
  if (header.get('num_class') !== '1' || header.get('num_tree_per_iteration') !== '1')
    throw invalid('it has more than one score per row');
  if (/^average_output$/m.test(head)) throw invalid('it averages its trees (random forest)');
  const featureCount = integer(header, 'max_feature_idx') + 1;
  const declared = (header.get('tree_sizes') ?? '').split(' ').filter((size) => size !== '').length;
  if (declared !== blocks.length)
    throw invalid(`it declares ${declared} trees and holds ${blocks.length}`);
  return {
    featureCount,
    trees: blocks.map((block, index) => parseTree(block, index, featureCount)),
  };
}

function parseTree(block: string, index: number, featureCount: number): Tree {
  const fields = fieldsOf(block);
  const what = `tree ${index}`;
  if (Number(fields.get('is_linear') ?? 0) !== 0) throw invalid(`${what} has linear leaves`);
  const leaves = integer(fields, 'num_leaves');
  if (leaves < 1) throw invalid(`${what} has no leaf`);
  const nodes = leaves - 1;
  const decision = integers(fields, 'decision_type', nodes, what);
  const tree: Tree = {
    splitFeature: Int32Array.from(integers(fields, 'split_feature', nodes, what)),
    threshold: numbers(fields, 'threshold', nodes, what),
    left: Int32Array.from(integers(fields, 'left_child', nodes, what)),
    right: Int32Array.from(integers(fields, 'right_child', nodes, what)),
    defaultLeft: Uint8Array.from(decision, (bits) => ((bits & defaultLeftBit) === 0 ? 0 : 1)),
    missing: Uint8Array.from(decision, (bits) => (bits >> missingShift) & 3),
    categories: categorySets(fields, decision, what),
    nodeCover: numbers(fields, 'internal_count', nodes, what),
    leafValue: numbers(fields, 'leaf_value', leaves, what),
    leafCover: nodes === 0 ? new Float64Array(1) : numbers(fields, 'leaf_count', leaves, what),
  };
  checkShape(tree, featureCount, what);
  return tree;
}

/** Per node the categories that go left, from LightGBM's bitsets of 32-bit words; null for a numerical split. */
function categorySets(
  fields: Fields,
  decision: Float64Array,
  what: string,
): (readonly number[] | null)[] {
  const sets = integer(fields, 'num_cat');
  if (sets === 0) return Array.from(decision, () => null);
  const bounds = integers(fields, 'cat_boundaries', sets + 1, what);
  const words = integers(fields, 'cat_threshold', bounds[sets]!, what);
  const threshold = numbers(fields, 'threshold', decision.length, what);
  return Array.from(decision, (bits, node) => {
    if ((bits & categoricalBit) === 0) return null;
    const set = threshold[node]!;
    if (!(Number.isInteger(set) && set >= 0 && set < sets))
      throw invalid(`${what}, node ${node} names category set ${set} of ${sets}`);
    return membersOf(words.subarray(bounds[set], bounds[set + 1]));
  });
}

function membersOf(words: Float64Array): number[] {
  const members: number[] = [];
  words.forEach((word, at) => {
    for (let bit = 0; bit < 32; bit += 1) {
      if (((word >>> bit) & 1) === 1) members.push(at * 32 + bit);
    }
  });
  return members;
}

/** Every node and leaf is reached exactly once from the root, every feature exists, every missing type is known. */
function checkShape(tree: Tree, featureCount: number, what: string): void {
  const nodes = tree.splitFeature.length;
  const seenNodes = new Uint8Array(nodes);
  const seenLeaves = new Uint8Array(nodes + 1);
  const reach = (child: number) => {
    const seen = child < 0 ? seenLeaves : seenNodes;
    const at = child < 0 ? ~child : child;
    if (at >= seen.length || seen[at] === 1) throw invalid(`${what}: its links form no tree`);
    seen[at] = 1;
  };
  if (nodes > 0) reach(0);
  for (let node = 0; node < nodes; node += 1) {
    reach(tree.left[node]!);
    reach(tree.right[node]!);
    const feature = tree.splitFeature[node]!;
    if (feature < 0 || feature >= featureCount)
      throw invalid(`${what}, node ${node} splits on feature ${feature} of ${featureCount}`);
    if (tree.missing[node]! > missingType.nan)
      throw invalid(`${what}, node ${node} has an unknown missing type`);
  }
  checkAcyclic(tree, what);
}

/** Each node has one parent by now; a walk from the root that does not meet all of them has left a ring aside. */
function checkAcyclic(tree: Tree, what: string): void {
  const nodes = tree.splitFeature.length;
  const open = nodes === 0 ? [] : [0];
  let met = 0;
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    met += 1;
    for (const child of [tree.left[node]!, tree.right[node]!]) if (child >= 0) open.push(child);
  }
  if (met !== nodes) throw invalid(`${what}: its links form no tree`);
}

function fieldsOf(block: string): Fields {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1));
    else if (line === 'end of trees') break;
  }
  return fields;
}

/** Finite numbers; a threshold may be `inf`, in a split that parts the missing values from all others. */
function numbers(fields: Fields, name: string, length: number, what: string): Float64Array {
  const text = fields.get(name) ?? '';
  const values = Float64Array.from(text === '' ? [] : text.split(' '), toNumber);
  if (values.length !== length)
    throw invalid(`${what}: ${name} has ${values.length} numbers, expected ${length}`);
  const accepted = (value: number) =>
    Number.isFinite(value) || (name === 'threshold' && value === Number.POSITIVE_INFINITY);
  if (!values.every(accepted))
    throw invalid(`${what}: ${name} holds a value that is no finite number`);
  return values;
}

function toNumber(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  return text.trim() === '' ? Number.NaN : Number(text);
}

function integers(fields: Fields, name: string, length: number, what: string): Float64Array {
  const values = numbers(fields, name, length, what);
  if (!values.every(Number.isInteger)) throw invalid(`${what}: ${name} holds a fraction`);
  return values;
}

function integer(fields: Fields, name: string): number {
  return integers(fields, name, 1, name)[0]!;
}

function invalid(found: string): SluiceError {
  return new SluiceError(
    'input_invalid',
    `Expected the text of a LightGBM model with one score per row; found that ${found}. Save it again with LightGBM 4.`,
  );
}
