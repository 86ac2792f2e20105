// JSON from a caller: parsed only after its nesting was seen to be shallow, so that a few megabytes of brackets cost nothing.

import { type Refusal, refuse } from '../route/index.ts';

/** Nesting that no honest request exceeds: tensors of rank 2 lie five deep. */
const deepest = 16;

const [quote, backslash] = [0x22, 0x5c];
const [openArray, closeArray] = [0x5b, 0x5d];
const [openObject, closeObject] = [0x7b, 0x7d];

/**
 * Parses the UTF-8 JSON text of a request.
 * @returns the value, or a refusal `malformed`
 */
export function parseJson(bytes: Uint8Array): { readonly value: unknown } | Refusal {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (tooDeep(buffer)) {
    return refuse('malformed', `The body nests JSON deeper than ${deepest} levels.`);
  }
  try {
    return { value: JSON.parse(buffer.toString('utf8')) as unknown };
  } catch (error) {
    return refuse('malformed', `The body is not JSON: ${(error as Error).message.slice(0, 120)}`);
  }
}

/** Few brackets cannot nest deeply: most bodies are seen to be shallow without looking at each byte. */
function tooDeep(bytes: Buffer): boolean {
  return (
    openings(bytes, openArray) + openings(bytes, openObject) > deepest && depthOf(bytes) > deepest
  );
}

function openings(bytes: Buffer, bracket: number): number {
  let count = 0;
  for (let at = bytes.indexOf(bracket); at >= 0 && count <= deepest; count += 1) {
    at = bytes.indexOf(bracket, at + 1);
  }
  return count;
}

/** Depth of the nesting, strings skipped; stops counting just past the deepest that matters. */
function depthOf(bytes: Buffer): number {
  let depth = 0;
  let reached = 0;
  for (let i = 0; i < bytes.length && reached <= deepest; i += 1) {
    const byte = bytes[i]!;
    if (byte === quote) i = endOfString(bytes, i + 1);
    else if (byte === openArray || byte === openObject) {
      depth += 1;
      reached = Math.max(reached, depth);
    } else if (byte === closeArray || byte === closeObject) depth -= 1;
  }
  return reached;
}

function endOfString(bytes: Buffer, from: number): number {
  let i = from;
  while (i < bytes.length && bytes[i] !== quote) i += bytes[i] === backslash ? 2 : 1;
  return i;
}
