// A past verdict, computed again from the run ids that it names.

import { z } from 'zod';
import { canonicalJson, parseStrict, type RunRecord } from '../../core/index.ts';
import { selectEvidence } from './evidence.ts';
import { gateFiltersSchema } from './filters.ts';
import { judge, type Verdict } from './judge.ts';
import { gateRequirementsSchema } from './requirements.ts';

const pastSchema = z.looseObject({
  verdict_version: z.literal('gate_v1'),
  filters: gateFiltersSchema,
  requirements: gateRequirementsSchema,
  run_ids: z.array(z.string()),
});

/** The verdict computed again, and whether it is the one that was stored. */
export interface Recomputed {
  readonly verdict: Verdict;
  readonly agrees: boolean;
}

/**
 * Judges the runs of a stored verdict again.
 * @param past a verdict as it was stored
 * @param readRuns reads runs by id
 * @throws SluiceError `input_invalid` if it is not a verdict of this version
 */
export async function recomputeVerdict(
  past: unknown,
  readRuns: (runIds: readonly string[]) => Promise<readonly RunRecord[]>,
): Promise<Recomputed> {
  const stored = parseStrict(pastSchema, past, 'stored verdict', 'input_invalid');
  const evidence = selectEvidence(await readRuns(stored.run_ids), stored.filters);
  const verdict = judge(evidence, stored.requirements);
  return { verdict, agrees: verdictCore(verdict) === verdictCore(stored as unknown as Verdict) };
}

/** Canonical JSON of all that a verdict says, apart from how many runs it left out. */
export function verdictCore(verdict: Verdict): string {
  const { recorded_runs: _, set_aside: __, ...counts } = verdict.counts;
  return canonicalJson({ ...verdict, counts });
}
