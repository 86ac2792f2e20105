// When a row is a bar, as SQL over the columns of one file. The first rule broken is the row's reason; reasons
// start with a kind that the report counts by. No rule repairs anything.

import { type BarField, type BarLayout, barFields, optionalFields } from './barLayout.ts';

/** Unit codes of the column `unit`. */
export const stampUnits = { ms: 1, us: 2, s: 3 } as const;

const numberFields = barFields.filter((field) => field !== 'symbol' && field !== 'ts');
const prices: readonly BarField[] = ['open', 'high', 'low', 'close'];
const sizes: readonly BarField[] = ['volume', ...optionalFields];

/** Years 1990 to 2100 in seconds; one magnitude per unit, so a stamp has one reading or none. */
const fromS = 631_152_000;
const toS = 4_102_444_800;
const between = (factor: number) => `stamp BETWEEN ${fromS * factor} AND ${toS * factor}`;

/**
 * SELECT of a file's rows as the import stores them: symbol, open_ms, the numbers of a bar, unit, source, and
 * the reason (NULL for a good row, empty for a blank line).
 */
export function selectBars(layout: BarLayout, timeframeMs: number, sourceIndex: number): string {
  const { text, number, cells, blank, from } = layout;
  const numbers = numberFields.map((field) => `${readNumber(field, number[field])} AS ${field}`);
  const texts = barFields.map((field) => `${text[field]} AS ${field}_text`);
  const read = `SELECT ${blank} AS blank, ${cells} AS cells, ${number.ts} AS stamp, ${[...texts, ...numbers].join(', ')} FROM ${from}`;
  const unit = `CASE WHEN ${between(1000)} THEN 1 WHEN ${between(1e6)} THEN 2 WHEN ${between(1)} THEN 3 ELSE 0 END AS unit`;
  const openMs = `CASE unit WHEN 1 THEN stamp WHEN 2 THEN stamp / 1000 WHEN 3 THEN stamp * 1000 END AS open_ms`;
  const rules = barRules(layout, timeframeMs).map(
    ([broken, reason]) => `WHEN ${broken} THEN ${reason}`,
  );
  return `SELECT symbol_text AS symbol, open_ms, open, high, low, close, volume, ${optionalFields.join(', ')},
    unit::UTINYINT AS unit, ${sourceIndex}::UTINYINT AS source, CASE ${rules.join('\n')} END AS reason
    FROM (SELECT *, ${openMs} FROM (SELECT *, ${unit} FROM (${read})))`;
}

/** NaN in an optional column is how some writers say "absent". */
const readNumber = (field: BarField, number: string): string =>
  optionalFields.includes(field) ? `nullif(${number}, 'NaN'::DOUBLE)` : number;

type Rule = readonly [broken: string, reason: string];

function barRules(layout: BarLayout, timeframeMs: number): Rule[] {
  const { expectedCells } = layout;
  return [
    ['blank', `''`],
    [
      `cells <> ${expectedCells}`,
      `'column_count: expected ${expectedCells} cells, found ' || cells`,
    ],
    [
      `symbol_text IS NULL OR NOT regexp_full_match(symbol_text, '[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}')`,
      say('symbol: ', quoted('symbol'), ' is no symbol (letters, digits and . _ : / -)'),
    ],
    ['stamp IS NULL', say('stamp: ts ', quoted('ts'), ' is not a number')],
    ['unit = 0', say('stamp: ts ', quoted('ts'), ' is no time of 1990 to 2100 in s, ms or us')],
    [`open_ms % ${timeframeMs} <> 0`, say('off_grid: ts ', quoted('ts'), ' is not on the grid')],
    ...numberFields.map(numberRule),
    ...prices.map(
      (field): Rule => [`${field} <= 0`, say(`price_not_positive: ${field} is `, quoted(field))],
    ),
    [
      'high < greatest(open, close, low)',
      say('ohlc: high ', quoted('high'), ' is below open, close or low'),
    ],
    ['low > least(open, close)', say('ohlc: low ', quoted('low'), ' is above open or close')],
    ...sizes.map(
      (field): Rule => [`${field} < 0`, say(`negative_volume: ${field} is `, quoted(field))],
    ),
    [
      'taker_buy_volume > volume',
      say('taker_above_volume: ', quoted('taker_buy_volume'), ' of ', quoted('volume')),
    ],
  ];
}

function numberRule(field: BarField): Rule {
  const optional = optionalFields.includes(field);
  const given = `lower(trim(coalesce(${field}_text, ''))) NOT IN ('', 'nan')`;
  const broken = optional
    ? `(${field} IS NULL AND ${given}) OR isinf(${field})`
    : `${field} IS NULL OR NOT isfinite(${field})`;
  return [broken, say(`not_a_number: ${field} is `, quoted(field))];
}

/** Joins literals and already quoted cells. */
const say = (...parts: string[]): string =>
  parts.map((part) => (part.startsWith('(') ? part : `'${part}'`)).join(' || ');

/** The cell in quotes, cut to a readable length; an absent one reads as empty. */
const quoted = (field: BarField): string => `('"' || left(coalesce(${field}_text, ''), 40) || '"')`;
