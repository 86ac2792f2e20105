// Attributes as JSON text. Python also writes NaN, Infinity and -Infinity, which are read; we never write them.

import { canonicalJson, SluiceError } from '../../core/index.ts';
import type { Json } from '../study/index.ts';

/** @throws SluiceError `not_canonical` */
export const jsonText = (value: Json): string => canonicalJson(value);

const mark = '\u0000number:';

/** @throws SluiceError `input_invalid` naming what was read */
export function parseJson(text: unknown, what: string): Json {
  if (typeof text === 'string') {
    try {
      return JSON.parse(text) as Json;
    } catch {
      try {
        return JSON.parse(quoteBareNumbers(text), (_key, value) => bareNumber(value)) as Json;
      } catch {}
    }
  }
  throw new SluiceError('input_invalid', `${what} must be JSON text; found ${String(text)}.`);
}

/** Strings are stepped over, so that one that says NaN stays. */
const quoteBareNumbers = (text: string): string =>
  text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (token) =>
    token.startsWith('"') ? token : JSON.stringify(mark + token),
  );

const bareNumber = (value: unknown): unknown =>
  typeof value === 'string' && value.startsWith(mark) ? Number(value.slice(mark.length)) : value;
