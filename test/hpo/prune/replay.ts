// Replays what Optuna decided: the studies that optuna_decisions.py recorded.

import {
  hyperbandPruner,
  medianPruner,
  percentilePruner,
  successiveHalvingPruner,
} from '../../../hpo/prune/index.ts';
import type {
  Direction,
  FrozenTrial,
  Json,
  Pruner,
  StudySnapshot,
  TrialState,
} from '../../../hpo/study/index.ts';

type Said = number | 'nan' | 'inf' | '-inf';
type Event =
  | ['ask', number, number[] | null]
  | ['report', number, number, Said, 0 | 1, Record<string, Said>]
  | ['tell', number, TrialState];

/** One study as Optuna ran it. */
export interface Recording {
  /** version */
  readonly optuna: string;
  readonly pruner: 'median' | 'percentile' | 'successive_halving' | 'hyperband';
  readonly options: Readonly<Record<string, number | 'auto'>>;
  readonly study: string;
  readonly direction: Direction;
  readonly events: readonly Event[];
}

/** What a replay came across. */
export interface Replay {
  /** one sentence for each decision that differs */
  readonly differences: readonly string[];
  readonly decisions: number;
  readonly pruned: number;
}

const numberOf = (said: Said): number =>
  typeof said === 'number' ? said : { nan: Number.NaN, inf: Infinity, '-inf': -Infinity }[said];

/** What a rung remembers, which our storage must be able to write. */
const sayable = (said: Said): number =>
  Math.min(Math.max(numberOf(said), -Number.MAX_VALUE), Number.MAX_VALUE);

/** The pruner of a recording. */
export function prunerOf({ pruner, options }: Recording): Pruner {
  const camel = Object.fromEntries(
    Object.entries(options).map(([key, value]) => [
      key.replace(/^n_/, '').replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
  if (pruner === 'median') return medianPruner(camel);
  if (pruner === 'percentile') return percentilePruner(options.percentile as number, camel);
  if (pruner === 'successive_halving') return successiveHalvingPruner(camel);
  return hyperbandPruner(camel);
}

/** A trial that has just been asked for. */
export const newTrial = (number: number): FrozenTrial => ({
  id: number + 1,
  number,
  state: 'RUNNING',
  values: null,
  params: new Map(),
  reports: new Map(),
  userAttributes: new Map(),
  systemAttributes: new Map(),
  startedAt: 0,
  completedAt: null,
});

/** A trial with one more report. */
export const withReport = (trial: FrozenTrial, step: number, value: number): FrozenTrial => ({
  ...trial,
  reports: new Map([...trial.reports, [step, value]]),
});

/** A trial with more system attributes. */
export const withAttributes = (
  trial: FrozenTrial,
  more: ReadonlyMap<string, Json>,
): FrozenTrial => ({
  ...trial,
  systemAttributes: new Map([...trial.systemAttributes, ...more]),
});

/** Runs a recording's events through a pruner, by default its own, and compares every answer. */
export function replay(recording: Recording, pruner = prunerOf(recording)): Replay {
  const trials: FrozenTrial[] = [];
  const study = (): StudySnapshot => ({
    name: recording.study,
    directions: [recording.direction],
    trials: [...trials],
  });
  const differences: string[] = [];
  const compare = (what: string, ours: unknown, theirs: unknown) => {
    const [a, b] = [ours, theirs].map((x) => JSON.stringify(x));
    if (a !== b)
      differences.push(
        `${recording.pruner} ${JSON.stringify(recording.options)} ${recording.study}: ${what}: ${a}, Optuna ${b}`,
      );
  };
  let decisions = 0;
  let pruned = 0;
  recording.events.forEach((event, time) => {
    const [kind, number] = event;
    if (kind === 'ask') {
      trials.push(newTrial(number));
      const peers = pruner.peers(study(), trials[number]!)?.map((trial) => trial.number);
      if (event[2] !== null)
        compare(`peers of ${number}`, peers ?? trials.map((t) => t.number), event[2]);
    } else if (kind === 'tell') {
      trials[number] = { ...trials[number]!, state: event[2], completedAt: time };
    } else {
      const [, , step, value, expected, remembered] = event;
      trials[number] = withReport(trials[number]!, step, numberOf(value));
      const { prune, remember } = pruner.decide(study(), trials[number]);
      compare(`trial ${number} step ${step}`, Number(prune), expected);
      const attributes = Object.entries(remembered).map(([key, said]) => [key, sayable(said)]);
      compare(
        `attributes of ${number} at ${step}`,
        [...remember].map(String),
        attributes.map(String),
      );
      trials[number] = withAttributes(trials[number], remember);
      decisions += 1;
      pruned += Number(prune);
    }
  });
  return { differences, decisions, pruned };
}
