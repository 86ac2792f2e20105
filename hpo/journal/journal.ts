// A study's journal: one line for each finished trial, on the disk before anybody relies on it. It is the record that no
// kill, crash or full disk takes a finished trial from.

import { closeSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { asSluiceError, SluiceError, takeLock } from '../../core/index.ts';
import { type FrozenTrial, isFinished } from '../study/index.ts';
import { appendFrom, openLasting, wholeLines } from './journalFile.ts';
import { type JournalLine, parseTrialLine, trialLine } from './trialLine.ts';

/** A journal that this process writes, and no other. */
export interface Journal {
  /** what it held when it was opened, in the order of its lines */
  readonly trials: readonly FrozenTrial[];
  /**
   * Adds finished trials; when it returns they are on the disk. Several at once cost one flush.
   * @throws SluiceError `internal` for a trial that is not finished or is there already, and none of them is added;
   * `io_failed` when the disk is full: what was there stays, none of them counts, and a later call may succeed
   */
  append(trials: readonly FrozenTrial[]): void;
  /** Lets other processes have it. */
  close(): void;
}

/**
 * Opens a study's journal for writing, makes it if it is not there, and repairs it: what follows the last newline, and a
 * last line that is no JSON (its newline may reach a disk before its middle does), was never promised and is cut off.
 * @throws SluiceError `database_busy` while another has it open; `input_invalid` for a line that is whole and wrong: not a
 * finished trial, of another study, or of a trial that came before; `io_failed`
 */
export function openJournal(path: string, study: string): Journal {
  return fromDisk(() => {
    mkdirSync(dirname(path), { recursive: true });
    const fd = openLasting(path);
    try {
      const unlock = lockJournal(path);
      try {
        return journalOf(fd, path, study, unlock);
      } catch (error) {
        unlock();
        throw error;
      }
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  });
}

/**
 * Yields the trials of a study's journal while somebody may be writing it; a torn end is left out and left as it is.
 * @throws SluiceError `input_missing`; `input_invalid` as {@link openJournal}
 */
export function* readJournal(path: string, study: string): Generator<FrozenTrial> {
  const fd = fromDisk(() => openSync(path, 'r'));
  try {
    for (const { trial } of soundLines(fd, path, study)) yield trial;
  } finally {
    closeSync(fd);
  }
}

function lockJournal(path: string): () => void {
  // two paths may lead to one file
  const unlock = takeLock(`${realpathSync(path)}.lock`);
  if (unlock === null)
    throw new SluiceError(
      'database_busy',
      `Another process writes the journal ${path}: wait for it to end, or stop it.`,
      { path },
    );
  return unlock;
}

function journalOf(fd: number, path: string, study: string, unlock: () => void): Journal {
  const trials: FrozenTrial[] = [];
  let end = 0;
  for (const line of soundLines(fd, path, study)) {
    trials.push(line.trial);
    end = line.end;
  }
  const numbers = new Set(trials.map(({ number }) => number));
  const appender = appendFrom(fd, end, path);
  return {
    trials,
    append(added) {
      needNew(added, numbers, path);
      if (added.length === 0) return;
      appender.append(added.map((trial) => trialLine(study, trial)).join(''));
      for (const { number } of added) numbers.add(number);
    },
    close() {
      closeSync(fd);
      unlock();
    },
  };
}

/** Refuses trials that are not finished or come twice, all in one sentence. */
function needNew(added: readonly FrozenTrial[], numbers: ReadonlySet<number>, path: string): void {
  const seen = new Set(numbers);
  const violations = added.flatMap((trial) => {
    if (!isFinished(trial.state)) return [`trial ${trial.number} is ${trial.state}, not finished`];
    if (seen.has(trial.number)) return [`trial ${trial.number} is there already`];
    seen.add(trial.number);
    return [];
  });
  if (violations.length > 0)
    throw new SluiceError(
      'internal',
      `The journal ${path} takes each finished trial once: ${violations.join('; ')}.`,
      {
        violations,
      },
    );
}

/** The lines that count, and where each ends; refuses those that are whole and wrong. */
function* soundLines(
  fd: number,
  path: string,
  study: string,
): Generator<{ trial: FrozenTrial; end: number }> {
  const places = new Map<number, number>();
  let place = 0;
  let torn: SluiceError | null = null;
  for (const { text, end } of wholeLines(fd)) {
    // only the last line may be torn
    if (torn !== null) throw torn;
    place += 1;
    const where = `${path}, line ${place}`;
    const line = parsed(text, where);
    if (line instanceof SluiceError) {
      torn = line;
      continue;
    }
    needSound(line, study, places.get(line.trial.number), where);
    places.set(line.trial.number, place);
    yield { trial: line.trial, end };
  }
}

function parsed(text: string, where: string): JournalLine | SluiceError {
  try {
    return parseTrialLine(text, where);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return new SluiceError(
      'input_invalid',
      `${where} is not JSON though lines follow: ${error.message}. The file was changed by something else; take it from a backup, or remove the line and with it the trial.`,
      {},
      error,
    );
  }
}

function needSound(
  { study: found, trial }: JournalLine,
  study: string,
  earlier: number | undefined,
  where: string,
): void {
  if (found !== study)
    throw new SluiceError(
      'input_invalid',
      `${where} is a trial of study "${found}", expected "${study}": name the study's own journal.`,
      { found, study },
    );
  if (earlier !== undefined)
    throw new SluiceError(
      'input_invalid',
      `${where} is trial ${trial.number}, which line ${earlier} was already: remove one of them.`,
      { number: trial.number },
    );
}

function fromDisk<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asSluiceError(error);
  }
}
