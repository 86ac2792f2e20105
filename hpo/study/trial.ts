// A running trial: gives parameters to its objective, takes reports and attributes, and keeps what is not yet written.

import { canonicalJson, SluiceError } from '../../core/index.ts';
import { constraintAttributes, constraintNamesKey, constraintsKey } from './constraints.ts';
import {
  categoricalDistribution,
  contains,
  floatDistribution,
  intDistribution,
  isSingle,
  type RangeOptions,
  requireCompatible,
  singleValue,
  toExternal,
  toInternal,
} from './distribution.ts';
import { requireStep } from './outcome.ts';
import type { Storage, TrialChanges, TrialClaim, TrialEnd } from './storage.ts';
import type {
  Direction,
  Distribution,
  FrozenTrial,
  Json,
  ParamValue,
  Pruner,
  Sampler,
  StudySnapshot,
  TrialParam,
} from './types.ts';
import { vectorReport } from './vectorReports.ts';

/**
 * A trial that runs. Its methods remember what they are given; it is written when the event loop next turns, at
 * `shouldPrune` and at the end, in one transaction each, so that a quick trial costs no more than its end.
 */
export interface Trial {
  readonly id: number;
  /** place in the study, from 0 */
  readonly number: number;
  /** @throws SluiceError `out_of_range` | `non_finite` | `input_invalid` (the name is something else in this study) */
  suggestFloat(name: string, low: number, high: number, options?: RangeOptions): number;
  /** @throws SluiceError as {@link suggestFloat} */
  suggestInt(name: string, low: number, high: number, options?: RangeOptions): number;
  /** @throws SluiceError as {@link suggestFloat} */
  suggestCategorical<T extends ParamValue>(name: string, choices: readonly T[]): T;
  /** A parameter of any kind; the same name gives the same value again. */
  suggest(name: string, distribution: Distribution): ParamValue;
  /**
   * A value on the way, or one for each direction; NaN included; the first report of a step counts. Vectors are for
   * `multiObjectivePruner`: Optuna, which prunes with one direction only, has no place for them and reads past them.
   * @throws SluiceError `out_of_range` (step) | `length_mismatch` (values)
   */
  report(value: number | readonly number[], step: number): void;
  /** Whether the pruner would end the trial now; true too when the trial was taken back from this worker. */
  shouldPrune(): Promise<boolean>;
  /** @throws SluiceError `not_canonical` for what JSON cannot say */
  setUserAttribute(key: string, value: Json): void;
  /** @throws SluiceError as {@link setUserAttribute} */
  setSystemAttribute(key: string, value: Json): void;
  /** All constraints of the trial, at most 0 where it is feasible. @throws SluiceError `non_finite` */
  setConstraints(constraints: Readonly<Record<string, number>>): void;
  /** The trial as it stands here. */
  frozen(): FrozenTrial;
}

/** What only the study sees of it. */
export interface RunningTrial extends Trial {
  readonly claim: TrialClaim;
  /** Writes what is not yet written, and the end. @returns false: the trial was taken back from this worker */
  finish(end: TrialEnd): Promise<boolean>;
}

/** What a trial needs of its study. */
export interface TrialSurroundings {
  readonly storage: Storage;
  readonly sampler: Sampler;
  readonly pruner: Pruner | null;
  readonly directions: readonly Direction[];
  /** the study as last read, with this process's running trials as they stand */
  snapshot(): StudySnapshot;
  refresh(): Promise<void>;
  /** the distribution that a name has in this study */
  distribution(name: string): Distribution | undefined;
}

interface Gathered extends TrialChanges {
  readonly params: Map<string, TrialParam>;
  readonly reports: Map<number, number>;
  readonly userAttributes: Map<string, Json>;
  readonly systemAttributes: Map<string, Json>;
}

const nothing = (): Gathered => ({
  params: new Map(),
  reports: new Map(),
  userAttributes: new Map(),
  systemAttributes: new Map(),
});

/** Starts on what `ask` gave. */
export function createTrial(asked: FrozenTrial, study: TrialSurroundings): RunningTrial {
  const gathered: Gathered = {
    params: new Map(asked.params),
    reports: new Map(asked.reports),
    userAttributes: new Map(asked.userAttributes),
    systemAttributes: new Map(asked.systemAttributes),
  };
  const writer = createWriter(asked, study.storage);
  const frozen = (): FrozenTrial => ({
    ...asked,
    params: new Map(gathered.params),
    reports: new Map(gathered.reports),
    userAttributes: new Map(gathered.userAttributes),
    systemAttributes: new Map(gathered.systemAttributes),
  });
  const remember = <K extends keyof Gathered, Key, Value>(
    kind: K & (Gathered[K] extends Map<Key, Value> ? K : never),
    key: Key,
    value: Value,
  ): void => {
    (gathered[kind] as Map<Key, Value>).set(key, value);
    (writer.changes()[kind] as Map<Key, Value>).set(key, value);
  };
  const choose = createChooser(study, frozen, fixedParams(asked), (key, value) =>
    remember('systemAttributes', key, value),
  );

  const suggest = (name: string, distribution: Distribution): ParamValue => {
    const given = gathered.params.get(name);
    const known = given?.distribution ?? study.distribution(name);
    if (known !== undefined) requireCompatible(name, known, distribution);
    if (given !== undefined) return toExternal(given.distribution, given.value);
    const value = choose(name, distribution);
    remember('params', name, { value, distribution });
    return toExternal(distribution, value);
  };

  return {
    id: asked.id,
    claim: asked,
    number: asked.number,
    suggest,
    suggestFloat: (name, low, high, options) =>
      suggest(name, floatDistribution(low, high, options)) as number,
    suggestInt: (name, low, high, options) =>
      suggest(name, intDistribution(low, high, options)) as number,
    suggestCategorical: <T extends ParamValue>(name: string, choices: readonly T[]) =>
      suggest(name, categoricalDistribution(choices)) as T,
    report: (value, step) => {
      requireStep(step);
      const values = typeof value === 'number' ? [value] : value;
      if (typeof value !== 'number') requireAll(values, study.directions);
      if (values.length === 1) {
        if (!gathered.reports.has(step)) remember('reports', step, values[0]!);
        return;
      }
      const [key, vector] = vectorReport(step, values);
      if (!gathered.systemAttributes.has(key)) remember('systemAttributes', key, vector);
    },
    shouldPrune: async () => {
      if (study.pruner === null) return false;
      await study.refresh();
      const decision = study.pruner.decide(study.snapshot(), frozen());
      for (const [key, value] of decision.remember) remember('systemAttributes', key, value);
      return !(await writer.flush()) || decision.prune;
    },
    setUserAttribute: (key, value) => remember('userAttributes', key, copied(value)),
    setSystemAttribute: (key, value) => remember('systemAttributes', key, copied(value)),
    setConstraints: (constraints) => {
      const { values, names } = constraintAttributes(constraints);
      remember('systemAttributes', constraintsKey, values);
      remember('userAttributes', constraintNamesKey, names);
    },
    frozen,
    finish: writer.finish,
  };
}

function requireAll(values: readonly number[], directions: readonly Direction[]): void {
  if (values.length === directions.length) return;
  throw new SluiceError(
    'length_mismatch',
    `A report of a study with ${directions.length} directions has as many values; found ${values.length}.`,
  );
}

const fixedParams = (asked: FrozenTrial): Readonly<Record<string, ParamValue>> =>
  (asked.systemAttributes.get('fixed_params') ?? {}) as Readonly<Record<string, ParamValue>>;

/** Chooses the inner number of a new parameter: fixed, the only one, chosen with others, or alone. */
function createChooser(
  study: TrialSurroundings,
  frozen: () => FrozenTrial,
  fixed: Readonly<Record<string, ParamValue>>,
  remember: (key: string, value: Json) => void,
): (name: string, distribution: Distribution) => number {
  // Not before a parameter needs it: a trial whose parameters are all fixed draws no random number.
  let view: StudySnapshot | undefined;
  let relative: ReadonlyMap<string, TrialParam> | undefined;
  return (name, distribution) => {
    if (Object.hasOwn(fixed, name)) return toInternal(distribution, fixed[name]!);
    if (isSingle(distribution)) return singleValue(distribution);
    view ??= peersOnly(study, frozen());
    if (relative === undefined) {
      relative = study.sampler.relative(view, frozen());
      const remembered = study.sampler.remember?.(view, frozen(), relative) ?? [];
      for (const [key, value] of remembered) remember(key, value);
    }
    const together = relative.get(name);
    if (together !== undefined) {
      requireCompatible(name, together.distribution, distribution);
      if (contains(distribution, together.value)) return together.value;
    }
    const alone = study.sampler.independent(view, frozen(), name, distribution);
    if (contains(distribution, alone)) return alone;
    throw new SluiceError(
      'internal',
      `The sampler chose ${alone} for ${name}, which is not of ${JSON.stringify(distribution)}.`,
      { name, value: alone },
    );
  };
}

function peersOnly(study: TrialSurroundings, trial: FrozenTrial): StudySnapshot {
  const snapshot = study.snapshot();
  const trials = study.pruner?.peers(snapshot, trial) ?? null;
  return trials === null ? snapshot : { ...snapshot, trials };
}

/** As it is now, whatever the caller does with it later. */
const copied = (value: Json): Json => JSON.parse(canonicalJson(value));

/** Gathers the changes of a trial and writes them, one write after the other; what fails stays for the next. */
function createWriter(asked: FrozenTrial, storage: Storage) {
  let changes = nothing();
  let soon: NodeJS.Immediate | undefined;
  let held = true;
  let last: Promise<unknown> = Promise.resolve();

  const send = (deliver: (changes: Gathered) => Promise<boolean>): Promise<boolean> => {
    clearImmediate(soon);
    soon = undefined;
    const next = last.then(async () => {
      const taken = changes;
      changes = nothing();
      try {
        held = held && (await deliver(taken));
        return held;
      } catch (error) {
        changes = merged(taken, changes);
        throw error;
      }
    });
    last = next.catch(() => {});
    return next;
  };
  const flush = () =>
    send(async (taken) => sizeOf(taken) === 0 || (await storage.write(asked, taken)));
  return {
    /** to add to; what is in it is written soon */
    changes: (): Gathered => {
      // one that fails is told by the next that is waited for: `shouldPrune` or the end
      soon ??= setImmediate(() => flush().catch(() => {}));
      return changes;
    },
    flush,
    finish: (end: TrialEnd) => send((taken) => storage.finish(asked, taken, end)),
  };
}

const sizeOf = ({ params, reports, userAttributes, systemAttributes }: Gathered): number =>
  params.size + reports.size + userAttributes.size + systemAttributes.size;

const merged = (before: Gathered, after: Gathered): Gathered => ({
  params: new Map([...before.params, ...after.params]),
  reports: new Map([...before.reports, ...after.reports]),
  userAttributes: new Map([...before.userAttributes, ...after.userAttributes]),
  systemAttributes: new Map([...before.systemAttributes, ...after.systemAttributes]),
});
