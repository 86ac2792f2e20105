// Child processes of the store's tests.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { projectPath } from '../../../core/index.ts';

/** Starts `holdTransaction.ts`; resolves once it is inside its transaction. */
export async function holdTransaction(
  folder: string,
  url: string,
  runId: string,
): Promise<ChildProcess> {
  const child = startHolder(folder, url, runId);
  let errors = '';
  child.stderr?.on('data', (chunk) => {
    errors += chunk;
  });
  await Promise.race([
    once(child.stdout!, 'data'),
    once(child, 'exit').then(() => {
      throw new Error(`the holder ended early: ${errors}`);
    }),
  ]);
  return child;
}

/** Starts `holdTransaction.ts` and does not wait. */
export const startHolder = (folder: string, url: string, runId: string): ChildProcess =>
  spawn(
    process.execPath,
    [projectPath('test', 'data', 'store', 'holdTransaction.ts'), folder, url, runId],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );

/** kill -9, and its end awaited. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
