// A tree small enough to check by hand, and the text that LightGBM would write for it.

import type { Tree } from '../../../models/score/index.ts';
import { missingType } from '../../../models/score/index.ts';

/**
 * x0 <= 0.5 ? (x1 in {1, 33} ? 1 : 2) : 4; 10 training rows: 6 left of the root, 4 of them in {1, 33}.
 * x0 missing goes left.
 */
export const handTree: Tree = {
  splitFeature: Int32Array.of(0, 1),
  threshold: Float64Array.of(0.5, 0),
  left: Int32Array.of(1, ~0),
  right: Int32Array.of(~2, ~1),
  defaultLeft: Uint8Array.of(1, 0),
  missing: Uint8Array.of(missingType.nan, missingType.none),
  categories: [null, [1, 33]],
  nodeCover: Float64Array.of(10, 6),
  leafValue: Float64Array.of(1, 2, 4),
  leafCover: Float64Array.of(4, 2, 4),
};

const treeText = `Tree=0
num_leaves=3
num_cat=1
split_feature=0 1
split_gain=5 2
threshold=0.5 0
decision_type=10 1
left_child=1 -1
right_child=-3 -2
leaf_value=1 2 4
leaf_weight=4 2 4
leaf_count=4 2 4
internal_value=0 0
internal_weight=0 6
internal_count=10 6
cat_boundaries=0 2
cat_threshold=2 2
is_linear=0
shrinkage=1


`;

/** {@link handTree} and a tree that is a single leaf of -0.25, as text. */
export const handText = `tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=regression
feature_names=Column_0 Column_1
feature_infos=[0:1] 0:1:33
tree_sizes=${treeText.length} 60

${treeText}Tree=1
num_leaves=1
num_cat=0
split_feature=
split_gain=
threshold=
decision_type=
left_child=
right_child=
leaf_value=-0.25
leaf_weight=
leaf_count=
internal_value=
internal_weight=
internal_count=
is_linear=0
shrinkage=1


end of trees

feature_importances:
Column_0=1

parameters:
end of parameters
`;
