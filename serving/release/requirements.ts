// What a track record must show. Defaults here; a config or the command line may ask for more or less.

import { z } from 'zod';

/** The gate's conditions, all of which must hold. Shares are fractions; days are whole UTC days. */
export const gateRequirementsSchema = z.strictObject({
  /** the only Sharpe that is judged; anything else, such as sharpe_step_raw, is refused */
  sharpe_metric: z.literal('sharpe_daily').default('sharpe_daily'),
  min_completed_runs: z.int().positive().default(3),
  min_observation_days: z.int().positive().default(90),
  /** annualised, after cost */
  min_sharpe_daily: z.number().default(1),
  /** largest fall that is borne, as a positive share */
  max_drawdown: z.number().min(0).max(1).default(0.25),
  max_reject_rate: z.number().min(0).max(1).default(0.05),
  /** probability that the Sharpe is more than the luck of so many trials */
  min_dsr: z.number().min(0).lt(1).default(0.95),
  /** of the minimum track record length: how sure that the Sharpe exceeds 0 */
  min_trl_confidence: z.number().gt(0.5).lt(1).default(0.95),
});

/** What {@link gateRequirementsSchema} lets through. */
export type GateRequirements = z.infer<typeof gateRequirementsSchema>;
