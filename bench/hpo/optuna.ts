// Optuna, asked for the same in a process of its own.

import { execFileSync } from 'node:child_process';
import { projectPath } from '../../core/index.ts';

/** What `bench/peers/hpo_optuna.py` answers; null without PEER_PYTHON. */
export function askOptuna(
  ...args: readonly (string | number)[]
): Readonly<Record<string, unknown>> | null {
  const python = process.env.PEER_PYTHON;
  if (python === undefined) return null;
  const script = projectPath('bench', 'peers', 'hpo_optuna.py');
  const text = execFileSync(python, [script, ...args.map(String)], { encoding: 'utf8' });
  return JSON.parse(text);
}
