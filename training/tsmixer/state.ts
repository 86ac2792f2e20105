// The state of a member as every engine reads and writes it: int64 step, then parameters, first and second moments [P].

/** Bytes of a state of P parameters. */
export const stateBytes = (parameters: number): number => 8 + 12 * parameters;

/** State of a member that has not been trained: step 0, moments 0. */
export function freshState(parameters: Float32Array): Uint8Array {
  const state = new Uint8Array(stateBytes(parameters.length));
  new Float32Array(state.buffer, 8, parameters.length).set(parameters);
  return state;
}

/** Optimiser steps that a state has behind it. */
export const stepOf = (state: Uint8Array): number =>
  Number(new DataView(state.buffer, state.byteOffset).getBigInt64(0, true));

/** A copy of the parameters [P] of a state. */
export function parametersOf(state: Uint8Array): Float32Array {
  const parameters = (state.length - 8) / 12;
  return new Float32Array(state.slice(8, 8 + 4 * parameters).buffer);
}
