// What must happen to a feature column before a tree node may compare it: ONNX's nodes know NaN but neither
// "zero is missing" nor the truncation of categories. Static per column, so a few ops in front of the trees do it.

import { zeroThreshold } from '../score/index.ts';
import { byteTensor, doubleTensor, type OnnxNode, type OnnxTensor } from './onnx.ts';

/**
 * `zero_is_missing`: |x| <= 1e-35f becomes NaN. `category`: x is truncated toward zero, as by LightGBM's cast to int.
 * @source LightGBM 4 include/LightGBM/tree.h (NumericalDecision, CategoricalDecision)
 */
export type ColumnTreatment = 'plain' | 'zero_is_missing' | 'category';

interface Front {
  readonly nodes: OnnxNode[];
  readonly initializers: OnnxTensor[];
  /** name of the treated matrix, double [N, F] */
  readonly output: string;
}

/** The ops that treat the columns of `input`; none if all are plain. */
export function treatmentNodes(treatments: readonly ColumnTreatment[], input: string): Front {
  const front: Front = { nodes: [], initializers: [], output: input };
  const zeroed = treatments.includes('zero_is_missing') ? markZeros(front, treatments) : front;
  return treatments.includes('category') ? truncate(zeroed, treatments) : zeroed;
}

/** Where(|x| <= threshold and the column's mask, NaN, x) */
function markZeros({ nodes, initializers, output }: Front, all: readonly ColumnTreatment[]): Front {
  return {
    nodes: [
      ...nodes,
      op('Abs', [output], 'zero_abs'),
      op('LessOrEqual', ['zero_abs', 'zero_threshold'], 'zero_tiny'),
      op('And', ['zero_tiny', 'zero_mask'], 'zero_missing'),
      op('Where', ['zero_missing', 'nan', output], 'zero_treated'),
    ],
    initializers: [
      ...initializers,
      doubleTensor([zeroThreshold], [1], 'zero_threshold'),
      mask(all, 'zero_is_missing', 'zero_mask'),
      doubleTensor([Number.NaN], [1], 'nan'),
    ],
    output: 'zero_treated',
  };
}

/** Where(the column's mask, sign(x) floor(|x|), x): ONNX has no Trunc. */
function truncate({ nodes, initializers, output }: Front, all: readonly ColumnTreatment[]): Front {
  return {
    nodes: [
      ...nodes,
      op('Abs', [output], 'category_abs'),
      op('Floor', ['category_abs'], 'category_floor'),
      op('Sign', [output], 'category_sign'),
      op('Mul', ['category_sign', 'category_floor'], 'category_whole'),
      op('Where', ['category_mask', 'category_whole', output], 'category_treated'),
    ],
    initializers: [...initializers, mask(all, 'category', 'category_mask')],
    output: 'category_treated',
  };
}

const op = (op_type: string, input: string[], output: string): OnnxNode => ({
  op_type,
  input,
  output: [output],
  attribute: [],
});

function mask(all: readonly ColumnTreatment[], wanted: ColumnTreatment, name: string): OnnxTensor {
  const bits = Uint8Array.from(all, (treatment) => (treatment === wanted ? 1 : 0));
  return byteTensor(bits, 'bool', [1, all.length], name);
}
