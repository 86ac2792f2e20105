// PBO of 1,000 configurations over 2,000 days, 16 blocks, against the loops that the paper describes.
// The loops run on a sample of the 12,870 combinations; their whole is that time scaled up.
// Bar: below 1.5 s on one core, every sampled logit equal.

import { createRandom } from '../core/index.ts';
import { probabilityOfBacktestOverfitting } from '../models/evaluate/index.ts';
import { combinations, slowOutcome } from '../test/models/evaluate/slowCscv.ts';
import { report, time } from './harness.ts';

const configs = 1000;
const days = 2000;
const blocks = 16;
const sampled = 24;

const random = createRandom(20_260_101);
const returns = Float64Array.from({ length: configs * days }, () => 0.01 * random.normal());
const choices = [...combinations(blocks, blocks / 2)];
const sample = Array.from({ length: sampled }, () => random.integer(choices.length));

const result = probabilityOfBacktestOverfitting(returns, configs, blocks);
const fast = await time(() => probabilityOfBacktestOverfitting(returns, configs, blocks));

let slowLogits: number[] = [];
const loops = await time(() => {
  slowLogits = sample.map((i) => slowOutcome(returns, configs, blocks, choices[i]!).logit);
}, 3);
const equal = sample.filter((i, at) => result.logits[i] === slowLogits[at]).length;
const loopsWholeS = (loops.median_s / sampled) * choices.length;

report('pbo', {
  configs,
  days,
  blocks,
  combinations: result.combinations,
  pbo: result.pbo,
  fast,
  loops_sampled: { combinations: sampled, ...loops },
  loops_whole_s_scaled: loopsWholeS,
  ratio: loopsWholeS / fast.median_s,
  logits_compared: sampled,
  logits_equal: equal,
  bar_s: 1.5,
  met: fast.median_s < 1.5 && equal === sampled,
});
process.exitCode = equal === sampled ? 0 : 1;
