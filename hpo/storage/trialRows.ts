// Trials as the rows of Optuna's tables.

import {
  type Distribution,
  type FrozenTrial,
  isFinished,
  type Json,
  type TrialChanges,
  type TrialParam,
} from '../study/index.ts';
import { distributionText } from './distributionJson.ts';
import type { Engine, Query, Row, TrialRows } from './engine.ts';
import { jsonText, parseJson } from './json.ts';
import { numberCells, readInteger, readNumber, readState, readTime } from './values.ts';

/** The rows of what a trial gathered, and of its values. */
export function rowsOf(
  trialId: number,
  changes: TrialChanges,
  values: readonly number[] | null,
): TrialRows {
  const attributes = (map: ReadonlyMap<string, Json>) =>
    [...map].map(([key, value]) => [trialId, key, jsonText(value)]);
  return {
    trial_params: [...changes.params].map(([name, { value, distribution }]) => [
      trialId,
      name,
      value,
      distributionText(distribution),
    ]),
    trial_intermediate_values: [...changes.reports].map(([step, value]) => [
      trialId,
      step,
      ...numberCells(value),
    ]),
    trial_user_attributes: attributes(changes.userAttributes),
    trial_system_attributes: attributes(changes.systemAttributes),
    trial_values: (values ?? []).map((value, at) => [trialId, at, ...numberCells(value)]),
  };
}

/** Writes all rows of a trial. */
export async function insertRows(engine: Engine, query: Query, rows: TrialRows): Promise<void> {
  for (const table of Object.keys(rows) as (keyof TrialRows)[]) {
    if (rows[table].length > 0) await engine.insert(query, table, rows[table]);
  }
}

interface OpenTrial extends FrozenTrial {
  readonly params: Map<string, TrialParam>;
  readonly reports: Map<number, number>;
  readonly userAttributes: Map<string, Json>;
  readonly systemAttributes: Map<string, Json>;
}

/**
 * Trials of a study by number, with all that belongs to them. The trials are read before what belongs to them: one
 * that is seen finished is seen whole, even where each statement sees a later moment.
 */
export async function selectTrials(
  { amongIds }: Engine,
  query: Query,
  readDistribution: (text: unknown) => Distribution,
  studyId: number,
  afterId: number,
  openIds: readonly number[],
): Promise<readonly FrozenTrial[]> {
  const columns = `trial_id, number, state, CAST(datetime_start AS TEXT) AS started,
    CAST(datetime_complete AS TEXT) AS completed`;
  const trials = new Map<unknown, OpenTrial>();
  for (const row of await query(
    `SELECT ${columns} FROM trials WHERE study_id = $2 AND trial_id > $3
     UNION ALL
     SELECT ${columns} FROM trials WHERE study_id = $2 AND trial_id <= $3 AND trial_id ${amongIds}
     ORDER BY trial_id`,
    [JSON.stringify(openIds), studyId, afterId],
  )) {
    trials.set(row.trial_id, trialOf(row));
  }
  if (trials.size === 0) return [];
  const found = [JSON.stringify([...trials.keys()])];

  const each = async (
    table: keyof TrialRows,
    columns: string,
    order: string,
    take: (trial: OpenTrial, row: Row) => void,
  ) => {
    const rows = await query(
      `SELECT trial_id, ${columns} FROM ${table} WHERE trial_id ${amongIds} ORDER BY ${order}`,
      found,
    );
    for (const row of rows) {
      const trial = trials.get(row.trial_id);
      if (trial !== undefined) take(trial, row);
    }
  };
  await each('trial_params', 'param_name, param_value, distribution_json', 'param_id', (to, row) =>
    to.params.set(String(row.param_name), {
      value: readNumber(row.param_value, 'FINITE'),
      distribution: readDistribution(row.distribution_json),
    }),
  );
  await each(
    'trial_intermediate_values',
    'step, intermediate_value AS value, intermediate_value_type AS type',
    'step',
    (to, row) => to.reports.set(readInteger(row.step), readNumber(row.value, row.type)),
  );
  await each('trial_user_attributes', '"key", value_json', 'trial_user_attribute_id', (to, row) =>
    to.userAttributes.set(String(row.key), attribute(row)),
  );
  await each(
    'trial_system_attributes',
    '"key", value_json',
    'trial_system_attribute_id',
    (to, row) => to.systemAttributes.set(String(row.key), attribute(row)),
  );
  const values = new Map<OpenTrial, number[]>();
  await each('trial_values', 'objective, value, value_type AS type', 'objective', (to, row) => {
    values.set(to, [...(values.get(to) ?? []), readNumber(row.value, row.type)]);
  });
  return [...trials.values()].map((trial) => {
    const ended = isFinished(trial.state) ? values.get(trial) : undefined;
    return ended === undefined ? trial : { ...trial, values: ended };
  });
}

const attribute = (row: Row): Json => parseJson(row.value_json, `attribute ${String(row.key)}`);

const trialOf = (row: Row): OpenTrial => ({
  id: readInteger(row.trial_id),
  number: readInteger(row.number),
  state: readState(row.state),
  values: null,
  params: new Map(),
  reports: new Map(),
  userAttributes: new Map(),
  systemAttributes: new Map(),
  startedAt: readTime(row.started),
  completedAt: readTime(row.completed),
});
