// JSON from a caller: parsed only after its nesting was seen to be shallow, so that a few megabytes of brackets cost nothing.

import { isRefusal, type Refusal, refuse } from '../route/index.ts';

/** Nesting that no honest request exceeds: tensors of rank 2 lie five deep. */
const deepest = 16;

const quote = 0x22;
const backslash = 0x5c;

/**
 * Parses the UTF-8 JSON text of a request.
 * @returns the value, or a refusal `malformed`
 */
export function parseJson(bytes: Uint8Array): { readonly value: unknown } | Refusal {
  const refusal = checkDepth(bytes);
  if (isRefusal(refusal)) return refusal;
  try {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    return refuse('malformed', `The body is not JSON: ${(error as Error).message.slice(0, 120)}`);
  }
}

/** Brackets are ASCII and `| 0x20` folds `[`/`{` and `]`/`}` together. */
function checkDepth(bytes: Uint8Array): Refusal | undefined {
  let depth = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i]!;
    if (byte === quote) {
      for (i += 1; i < bytes.length && bytes[i] !== quote; i += 1)
        if (bytes[i] === backslash) i += 1;
      continue;
    }
    const folded = byte | 0x20;
    if (folded === 0x7b) {
      depth += 1;
      if (depth > deepest) {
        return refuse('malformed', `The body nests JSON deeper than ${deepest} levels.`);
      }
    } else if (folded === 0x7d) depth -= 1;
  }
  return undefined;
}
