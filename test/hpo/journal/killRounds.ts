// Kills a journal's writer at random moments and looks at what is left: every promised trial, once, in order.
// usage: node test/hpo/journal/killRounds.ts [ROUNDS]   (100)

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { projectPath } from '../../../core/index.ts';
import { openJournal } from '../../../hpo/journal/index.ts';

/** What some rounds came to. */
export interface KillRounds {
  /** trials that writers had promised */
  readonly acknowledged: number;
  /** rounds that left an unfinished line */
  readonly torn: number;
}

/**
 * Runs a writer on the journal and kills it, again and again; each one goes on after the last.
 * @throws Error if a promised trial is missing, or one is there twice or out of order
 */
export async function killRounds(path: string, rounds: number): Promise<KillRounds> {
  let acknowledged = 0;
  let torn = 0;
  for (let round = 0; round < rounds; round += 1) {
    const last = await writeUntilKilled(path);
    if (!readFileSync(path).toString('latin1').endsWith('\n')) torn += 1;
    const journal = openJournal(path, 'coarse');
    const wrong = journal.trials.findIndex(({ number }, i) => number !== i);
    if (wrong >= 0) throw new Error(`round ${round}: line ${wrong + 1} is another trial`);
    if (journal.trials.length <= last)
      throw new Error(`round ${round}: ${last} was promised, ${journal.trials.length} are there`);
    journal.close();
    acknowledged = journal.trials.length;
  }
  return { acknowledged, torn };
}

/** @returns the last number that the writer promised, -1 = none */
async function writeUntilKilled(path: string): Promise<number> {
  const child = spawn(process.execPath, [projectPath('test/hpo/journal/writer.ts'), path, 'go'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  child.once('close', () => resolve());
  let said = '';
  const { promise: began, resolve: begin } = Promise.withResolvers<void>();
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    begin();
  });
  await Promise.race([began, closed]);
  await sleep(Math.random() * 30);
  child.kill('SIGKILL');
  await closed;
  const lines = said.split('\n').slice(0, -1);
  return Number(lines.at(-1) ?? -1);
}

if (import.meta.main) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-kill-'));
  const rounds = Number(process.argv[2] ?? 100);
  const result = await killRounds(join(folder, 'study.jsonl'), rounds);
  process.stdout.write(`${JSON.stringify({ rounds, ...result })}\n`);
  rmSync(folder, { recursive: true });
}
