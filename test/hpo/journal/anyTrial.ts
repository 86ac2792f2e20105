// Any finished trial at all.

import fc from 'fast-check';
import type { Distribution, FrozenTrial, Json, TrialParam } from '../../../hpo/study/index.ts';

const json = fc.letrec<{ any: Json }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    fc.string({ unit: 'binary' }),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constant('number')), tie('any'), {
      maxKeys: 2,
      noNullPrototype: true,
    }),
    fc.constantFrom<Json>(
      { number: 'NaN' },
      { number: { number: '-0' } },
      { number: 1 },
      JSON.parse('{"__proto__":1}'),
    ),
  ),
})).any;

// parsing makes plain objects, and comparing looks at prototypes
const plain = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(fields, { noNullPrototype: true });
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const distribution: fc.Arbitrary<Distribution> = fc.oneof(
  plain({
    kind: fc.constant('float' as const),
    low: finite,
    high: finite,
    step: fc.option(finite),
    log: fc.boolean(),
  }),
  plain({
    kind: fc.constant('int' as const),
    low: fc.integer(),
    high: fc.integer(),
    step: fc.nat(),
    log: fc.boolean(),
  }),
  plain({
    kind: fc.constant('categorical' as const),
    choices: fc.array(fc.oneof(fc.constant(null), fc.boolean(), fc.double(), fc.string())),
  }),
);
const param: fc.Arbitrary<TrialParam> = plain({ value: fc.double(), distribution });
const name = fc.oneof(fc.string(), fc.constantFrom('__proto__', '1', 'number', 'constructor'));
const mapOf = <K, V>(key: fc.Arbitrary<K>, value: fc.Arbitrary<V>): fc.Arbitrary<Map<K, V>> =>
  fc.array(fc.tuple(key, value), { maxLength: 4 }).map((pairs) => new Map(pairs));

/** Any finished trial with this number. */
export const anyTrial = (number: number): fc.Arbitrary<FrozenTrial> =>
  plain({
    id: fc.nat(),
    number: fc.constant(number),
    state: fc.constantFrom('COMPLETE', 'PRUNED', 'FAIL'),
    values: fc.option(fc.array(fc.double(), { maxLength: 3 })),
    params: mapOf(name, param),
    reports: mapOf(fc.nat(), fc.double()),
    userAttributes: mapOf(name, json),
    systemAttributes: mapOf(name, json),
    startedAt: fc.option(finite),
    completedAt: fc.option(finite),
  });
