// Distributions as Optuna's JSON text. Python refuses any attribute that it does not know.

import { z } from 'zod';
import { parseStrict } from '../../core/index.ts';
import type { Distribution } from '../study/index.ts';
import { parseJson } from './json.ts';

/** The text of a distribution, with the attributes and their order that Optuna writes. */
export function distributionText(distribution: Distribution): string {
  if (distribution.kind === 'categorical') {
    return text('CategoricalDistribution', { choices: distribution.choices });
  }
  const { kind, low, high, step, log } = distribution;
  return kind === 'float'
    ? text('FloatDistribution', { step, low, high, log })
    : text('IntDistribution', { log, step, low, high });
}

const text = (name: string, attributes: object): string => JSON.stringify({ name, attributes });

const low = z.number();
const high = z.number();
const log = z.boolean().default(false);
const floatStep = z.number().nullable().default(null);
const intStep = z.number().nullable().default(1);
const choices = z.array(z.union([z.null(), z.boolean(), z.number(), z.nan(), z.string()]));

const named = <N extends string, S extends z.ZodRawShape>(name: N, shape: S) =>
  z.strictObject({ name: z.literal(name), attributes: z.strictObject(shape) });

/** What Optuna writes, and wrote before version 3. */
const longForm = z.discriminatedUnion('name', [
  named('FloatDistribution', { low, high, log, step: floatStep }),
  named('UniformDistribution', { low, high }),
  named('LogUniformDistribution', { low, high }),
  named('DiscreteUniformDistribution', { low, high, q: z.number() }),
  named('IntDistribution', { low, high, log, step: intStep }),
  named('IntUniformDistribution', { low, high, step: intStep }),
  named('IntLogUniformDistribution', { low, high, step: intStep }),
  named('CategoricalDistribution', { choices }),
]);

/** What people write by hand, which Optuna reads too. */
const shortForm = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('float'), low, high, log, step: floatStep }),
  z.strictObject({ type: z.literal('int'), low, high, log, step: intStep }),
  z.strictObject({ type: z.literal('categorical'), choices }),
]);

/**
 * Reads the distributions of a database. Equal texts give the same object: a study has few distributions and many
 * parameters.
 * @throws SluiceError `input_invalid`
 */
export function createDistributionReader(): (text: unknown) => Distribution {
  const known = new Map<unknown, Distribution>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const distribution = readDistribution(text);
    known.set(text, distribution);
    return distribution;
  };
}

interface Range {
  readonly low: number;
  readonly high: number;
  readonly step?: number | null;
  readonly log?: boolean;
}

const numeric = (kind: 'float' | 'int', { low, high, step, log = false }: Range): Distribution =>
  kind === 'float'
    ? { kind, low, high, step: step ?? null, log }
    : { kind, low, high, step: step ?? 1, log };

function readDistribution(text: unknown): Distribution {
  const json = parseJson(text, 'distribution_json');
  const what = `distribution_json ${String(text)}`;
  if (json === null || typeof json !== 'object' || !('name' in json)) {
    const short = parseStrict(shortForm, json, what, 'input_invalid');
    return short.type === 'categorical'
      ? { kind: 'categorical', choices: short.choices }
      : numeric(short.type, short);
  }
  const long = parseStrict(longForm, json, what, 'input_invalid');
  switch (long.name) {
    case 'FloatDistribution':
    case 'UniformDistribution':
      return numeric('float', long.attributes);
    case 'LogUniformDistribution':
      return numeric('float', { ...long.attributes, log: true });
    case 'DiscreteUniformDistribution':
      return numeric('float', { ...long.attributes, step: long.attributes.q });
    case 'IntDistribution':
    case 'IntUniformDistribution':
      return numeric('int', long.attributes);
    case 'IntLogUniformDistribution':
      return numeric('int', { ...long.attributes, log: true });
    case 'CategoricalDistribution':
      return { kind: 'categorical', choices: long.attributes.choices };
  }
}
