// Python Optuna beside us: runs it where PEER_PYTHON names a Python that has it, and reads studies as it lists them.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { projectPath } from '../../../core/index.ts';
import { distributionText } from '../../../hpo/storage/distributionJson.ts';
import {
  bestTrial,
  type FrozenTrial,
  type Json,
  paretoFront,
  type StudySnapshot,
  toExternal,
} from '../../../hpo/study/index.ts';

/** A study as `python_optuna.py` lists it. */
export interface Listing {
  readonly name: string;
  readonly directions: readonly string[];
  readonly best: readonly number[];
  readonly trials: readonly { readonly number: number; readonly state: string }[];
}

/** What Optuna's figures draw, trace by trace. */
export interface Plots {
  readonly history: readonly (readonly number[])[];
  readonly intermediate: readonly (readonly number[])[];
}

/** Runs `python_optuna.py`; with a time zone far from UTC, which no stored time may show. */
export async function runPython<Answer = Listing>(...command: string[]): Promise<Answer> {
  const script = projectPath('test', 'hpo', 'storage', 'python_optuna.py');
  const { stdout } = await promisify(execFile)(
    process.env.PEER_PYTHON!,
    ['-B', script, ...command],
    {
      env: { ...process.env, TZ: 'Asia/Tokyo' },
    },
  );
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

/** A study of ours in the same words. */
export function listed(study: StudySnapshot): Listing {
  const best =
    study.directions.length === 1
      ? [bestTrial(study)].filter((t) => t !== null)
      : paretoFront(study);
  return {
    name: study.name,
    directions: study.directions,
    best: best.map(({ number }) => number),
    trials: study.trials.map(listedTrial),
  };
}

const listedTrial = (trial: FrozenTrial) => ({
  number: trial.number,
  state: trial.state,
  values: trial.values?.map(said) ?? null,
  params: [...trial.params].map(([name, { value, distribution }]) => [
    name,
    toExternal(distribution, value),
    JSON.parse(distributionText(distribution)),
  ]),
  reports: [...trial.reports].map(([step, value]) => [step, said(value)]),
  user: Object.fromEntries([...trial.userAttributes].map(([key, value]) => [key, said(value)])),
  system: Object.fromEntries([...trial.systemAttributes].map(([key, value]) => [key, said(value)])),
  started: trial.startedAt,
  completed: trial.completedAt,
});

/** Python's words for what JSON cannot say. */
function said(value: Json): Json {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  }
  return Array.isArray(value) ? value.map(said) : value;
}
