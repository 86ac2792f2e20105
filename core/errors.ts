// One error class, one registry of codes. `docs/errors.md` is compared with this table by a test.

/** Exit codes of the command line: 1 failed, 2 bad usage, config or input. */
type ErrorExit = 1 | 2;

interface ErrorEntry {
  readonly exit: ErrorExit;
  readonly meaning: string;
}

const entry = (exit: ErrorExit, meaning: string): ErrorEntry => ({ exit, meaning });

/** Every code that a {@link SluiceError} may carry, with its exit code and what it means. */
export const errorRegistry = {
  // usage, config, input
  bad_usage: entry(2, 'The command line does not parse: unknown command, option or value.'),
  config_invalid: entry(2, 'A config file or object does not match its strict schema.'),
  input_missing: entry(2, 'A file or folder that was named does not exist or cannot be read.'),
  input_invalid: entry(2, 'A file was read but its content is not what the command expects.'),
  // numbers and arrays
  non_finite: entry(2, 'NaN or an infinity stood where a finite number is required.'),
  length_mismatch: entry(2, 'Arrays that must have equal length differ.'),
  unordered_time: entry(2, 'Time stamps that must increase strictly do not.'),
  out_of_range: entry(2, 'A number lies outside the range in which it has a meaning.'),
  not_canonical: entry(1, 'A value has no canonical JSON form (undefined, function, NaN, bigint).'),
  // serving
  artifact_refused: entry(2, 'A model artifact did not pass verification; the violations say why.'),
  // machine
  tool_missing: entry(1, 'A program or library that the task needs is not on this machine.'),
  native_failed: entry(1, 'A native library refused a call; the message quotes it.'),
  io_failed: entry(1, 'Reading or writing failed: full disk, permission, broken pipe.'),
  database_busy: entry(1, 'The embedded database or a journal is in use by another process.'),
  database_failed: entry(1, 'The database cannot be reached, or a statement failed in it.'),
  database_refused: entry(1, 'The database refused a row: a value, a constraint or a duplicate.'),
  migration_changed: entry(1, 'The tables of the database are not those of this version.'),
  cancelled: entry(1, 'The work was stopped on request; nothing half-written remains.'),
  internal: entry(1, 'A promise of the code itself was broken; please report it.'),
} as const satisfies Record<string, ErrorEntry>;

/** A code of the registry. */
export type ErrorCode = keyof typeof errorRegistry;

/** Plain values that explain an error to a program. */
export type ErrorContext = Readonly<Record<string, unknown>>;

/**
 * The one error class: a code from {@link errorRegistry}, a sentence that says what was expected,
 * what was found and what to do, and a context for programs.
 */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.context = context;
  }

  /** Exit code of a command that ends with this error. */
  get exit(): ErrorExit {
    return errorRegistry[this.code].exit;
  }
}

/** Wraps anything thrown as a {@link SluiceError}; what is one already passes unchanged. */
export function asSluiceError(thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = (thrown as { code?: unknown })?.code;
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) {
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    return new SluiceError(
      missing ? 'input_missing' : 'io_failed',
      message,
      { errno: code },
      thrown,
    );
  }
  return new SluiceError('internal', message, {}, thrown);
}

/** The table of `docs/errors.md`, in Markdown. */
export function renderErrorTable(): string {
  const rows = Object.entries(errorRegistry).map(
    ([code, { exit, meaning }]) => `| \`${code}\` | ${exit} | ${meaning} |`,
  );
  return ['| code | exit | meaning |', '| --- | --- | --- |', ...rows, ''].join('\n');
}
