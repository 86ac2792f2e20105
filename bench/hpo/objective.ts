// Trials to measure runs with: one that does nothing, and one that does nothing but count.

import type { TrialOrder, TrialOutcome } from '../../hpo/run/index.ts';

/** Takes `task.steps` rounds of arithmetic; 0 = nothing. */
export async function evaluate({ params, task }: TrialOrder): Promise<TrialOutcome> {
  const { steps } = task as { readonly steps: number };
  const x = params.x as number;
  return { values: [x * x + count(steps)], failure: null, userAttributes: {}, reports: [] };
}

/** Zero, the hard way. */
export function count(steps: number): number {
  let z = 1;
  for (let i = 0; i < steps; i += 1) z = (Math.imul(z, 0x21f0aaad) ^ (z >>> 15)) >>> 0;
  return z === 0 ? 1 : 0;
}
