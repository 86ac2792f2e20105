// Shared by the benchmark programs: repeat, median, spread, machine, one JSON file per program.

import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { projectPath, writeFileAtomic } from '../core/index.ts';

/** Seconds of several runs of the same work. */
export interface Timing {
  readonly median_s: number;
  readonly min_s: number;
  readonly max_s: number;
  readonly n: number;
}

/** Runs `work` once to warm up and then `repeats` times; inputs are built by the caller, outside. */
export async function time(work: () => unknown, repeats = 5): Promise<Timing> {
  await work();
  const seconds: number[] = [];
  for (let i = 0; i < repeats; i += 1) {
    const begin = process.hrtime.bigint();
    await work();
    seconds.push(Number(process.hrtime.bigint() - begin) / 1e9);
  }
  return summarise(seconds);
}

/** Median and range of measured seconds. */
export function summarise(seconds: readonly number[]): Timing {
  const sorted = [...seconds].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median_s: median, min_s: sorted[0]!, max_s: sorted.at(-1)!, n: sorted.length };
}

/** Prints a result as JSON and keeps it in `bench/results/<name>.json`. */
export function report(name: string, result: Readonly<Record<string, unknown>>): void {
  const document = { bench: name, ...result, machine: machine(), code: codeVersion() };
  const text = `${JSON.stringify(document, null, 2)}\n`;
  writeFileAtomic(projectPath('bench', 'results', `${name}.json`), text);
  process.stdout.write(text);
}

/** The machine that measured. */
export function machine(): Record<string, unknown> {
  const cores = cpus();
  return {
    cpu: cores[0]?.model ?? 'unknown',
    cores: cores.length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
  };
}

/** The code that was measured, as git describes it. */
export function codeVersion(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
