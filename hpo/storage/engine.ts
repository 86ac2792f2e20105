// The seam between the SQL that all databases share and what each says in its own way.

/** A row as it comes from the database. */
export type Row = Readonly<Record<string, unknown>>;

/** What goes into a column. */
export type Cell = string | number | null;

/** Runs one statement with the values of $1, $2, ... */
export type Query = (sql: string, params?: readonly Cell[]) => Promise<readonly Row[]>;

/** The tables that hold what belongs to a trial, and their columns as {@link Engine.insert} takes them. */
export interface TrialRows {
  /** trial_id, param_name, param_value, distribution_json */
  readonly trial_params: readonly (readonly Cell[])[];
  /** trial_id, step, intermediate_value, intermediate_value_type */
  readonly trial_intermediate_values: readonly (readonly Cell[])[];
  /** trial_id, key, value_json */
  readonly trial_user_attributes: readonly (readonly Cell[])[];
  /** trial_id, key, value_json */
  readonly trial_system_attributes: readonly (readonly Cell[])[];
  /** trial_id, objective, value, value_type */
  readonly trial_values: readonly (readonly Cell[])[];
}

/** A database with Optuna's tables and ours. */
export interface Engine {
  /** Runs work in a transaction that no other writer of the same study can enter. */
  write<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** Runs work that reads only. */
  read<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** Waits until this transaction alone may number the trials of study $1; its row, if it exists. */
  readonly lockStudy: string;
  /** Condition on an integer column: one of those of the JSON array $1. */
  readonly amongIds: string;
  /** Adds rows, or changes those that are there. */
  insert<T extends keyof TrialRows>(query: Query, table: T, rows: TrialRows[T]): Promise<void>;
  close(): Promise<void>;
}

/** The version of Optuna's tables that is read and written. */
export const schemaVersion = 'v3.2.0.a';
