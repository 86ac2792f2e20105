// The command line as its users see it: a child process, its exit code, its stdout and stderr.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { projectPath, sha256Hex } from '../../core/index.ts';

/** How a command ended. */
export interface Ended {
  readonly exit: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Starts `node sluice.ts ...` without the environment's own database or key. */
export function start(args: readonly string[], shell?: string): Running {
  const { DATABASE_URL: _, ...env } = process.env;
  const words = [process.execPath, projectPath('sluice.ts'), ...args];
  const [file, ...rest] = shell === undefined ? words : ['bash', '-c', shell, 'bash', ...words];
  const child = spawn(file!, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit, signal) => resolve({ exit, signal, stdout, stderr }));
  });
  return { child, ended };
}

/** Runs a command to its end. */
export const sluice = (...args: readonly string[]): Promise<Ended> => start(args).ended;

/** The JSON document on stdout, which must be all that stands there. */
export function documentOf({ stdout, stderr, exit }: Ended): Record<string, unknown> {
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(`stdout is not one JSON document (exit ${exit}): ${stdout}\nstderr: ${stderr}`);
  }
}

/** Every file below a folder with its sha256, by path. */
export function contentOf(folder: string): Map<string, string> {
  return new Map(filesBelow(folder).map((path) => [path, sha256Hex(readFileSync(path))]));
}

/** Paths of all files below a folder, sorted. */
export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .sort();
}

/** What preparation left behind, below a folder. */
export function leftovers(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.includes('.staging-'),
  );
}
