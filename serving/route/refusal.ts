// Why a request is answered with something else than a prediction: an expected outcome, so returned, not thrown.

/** Every reason, with the HTTP status it is answered with; the reason is also the label of the refusal counter. */
export const refusalStatus = {
  malformed: 400,
  unknown_route: 404,
  unknown_model: 404,
  method_not_allowed: 405,
  schema_mismatch: 409,
  policy_not_allowed: 409,
  too_large: 413,
  unsupported_encoding: 415,
  internal: 500,
  overloaded: 503,
  not_ready: 503,
  deadline: 503,
  expired: 503,
} as const;

/** A reason of {@link refusalStatus}. */
export type RefusalReason = keyof typeof refusalStatus;

/** A request that is not served: the reason for counters, the sentence for the caller. */
export interface Refusal {
  readonly refused: RefusalReason;
  /** what was expected, what was found */
  readonly message: string;
}

/** Makes a refusal. */
export const refuse = (refused: RefusalReason, message: string): Refusal => ({ refused, message });

/** True if an outcome is a refusal. */
export const isRefusal = (outcome: unknown): outcome is Refusal =>
  typeof outcome === 'object' && outcome !== null && Object.hasOwn(outcome, 'refused');
