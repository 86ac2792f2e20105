// How numbers, names and spans of time are written in the report of a search.

import { isoTime } from '../../core/index.ts';
import type { Json } from '../study/index.ts';
import type { Figure } from './types.ts';

/** Five significant digits; whole numbers, and those from 10,000, without decimals; what is missing as a dash. */
export function figureText(value: Figure | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'number') return numberText(value);
  return value === 'nan' ? 'NaN' : value.replace('inf', '∞');
}

/** What a parameter or an attribute holds; undefined = it is not there. */
export function valueText(value: Json | undefined): string {
  if (value === undefined) return '–';
  if (typeof value === 'number') return figureText(value);
  if (Array.isArray(value) && value.length > 4) return `${value.length} values`;
  return nameText(typeof value === 'string' ? value : JSON.stringify(value), 48);
}

function numberText(value: number): string {
  const size = Math.abs(value);
  if ((Number.isInteger(value) || size >= 1e4) && size < 1e15) {
    // -0 is 0 to a reader
    return (value + 0).toLocaleString('en', { maximumFractionDigits: 0 });
  }
  return String(Number(value.toPrecision(5)));
}

/** A {@link valueText}; the ends of a window, `from` and `to` in Unix ms, as days. */
export function attributeText(name: string, value: Json | undefined): string {
  const isEnd = /(^|\.)(from|to)$/.test(name) && typeof value === 'number' && value > 1e12;
  return isEnd ? isoTime(value).slice(0, 10) : valueText(value);
}

/** A name that must not be longer than its place. */
export const nameText = (name: string, length = 28): string =>
  name.length <= length ? name : `${name.slice(0, length - 1)}…`;

const stageNames = new Map([
  [1, 'coarse'],
  [2, 'refine'],
  [3, 'forward confirmation'],
]);

/** A stage with what it is for. */
export function stageName(stage: number | null): string {
  if (stage === null) return 'no stage';
  const purpose = stageNames.get(stage);
  return purpose === undefined ? `stage ${stage}` : `stage ${stage}, ${purpose}`;
}

/** A time to the minute, UTC. */
export const timeText = (ms: number | null): string =>
  ms === null ? '–' : `${isoTime(ms).slice(0, 16).replace('T', ' ')} UTC`;

/** A span of time in its largest unit that is not below 1. */
export function spanText(seconds: number | null): string {
  if (seconds === null) return '–';
  if (seconds < 120) return `${Number(seconds.toPrecision(3))} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Attributes as rows: `terms: {pnl: 1}` becomes `terms.pnl`. */
export function flatten(attributes: Readonly<Record<string, Json>>): Map<string, Json> {
  const rows = new Map<string, Json>();
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) rows.set(key, value);
    else {
      const inner = flatten(value as Readonly<Record<string, Json>>);
      for (const [name, leaf] of inner) rows.set(`${key}.${name}`, leaf);
    }
  }
  return rows;
}
