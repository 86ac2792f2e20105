// compute-sanitizer's four tools over a small training, where the tool is there and the machine lets it work.

import { spawnSync } from 'node:child_process';
import { projectPath } from '../../core/index.ts';
import type { Precision } from '../../training/native/index.ts';
import { fail, type Look, type Protocol, pass, skip } from './protocol.ts';

const tools = ['memcheck', 'racecheck', 'initcheck', 'synccheck'] as const;
const faultExit = 77;

/** Looks at accesses, races, reads of what was never written, and barriers, in each precision. */
export async function lookUnderSanitizer(
  protocol: Protocol,
  library: string,
  precisions: readonly Precision[],
  limitSeconds: number,
): Promise<void> {
  for (const tool of tools) {
    for (const precision of precisions) {
      await protocol.look('compute-sanitizer', `${tool}, ${precision}`, () =>
        underTool(tool, library, precision, limitSeconds),
      );
    }
  }
}

function underTool(
  tool: (typeof tools)[number],
  library: string,
  precision: Precision,
  limitSeconds: number,
): Look {
  const script = projectPath('bench', 'gpu', 'sanitized.ts');
  const { status, signal, error, stdout, stderr } = spawnSync(
    'compute-sanitizer',
    ['--tool', tool, '--error-exitcode', String(faultExit), '--print-limit', '5'].concat(
      ['--target-processes', 'all', process.execPath, script, library],
      [precision],
    ),
    { encoding: 'utf8', timeout: 1000 * limitSeconds, killSignal: 'SIGKILL' },
  );
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return skip('not available');
  const output = `${stdout}\n${stderr}`;
  const lines = output.split('\n').filter((line) => line.startsWith('========='));
  const said = lines.map((line) => line.replace(/^=+\s*/, '')).filter((line) => line !== '');
  const refused = said.find((line) => /not supported|unable to|failed to initialize/i.test(line));
  if (refused !== undefined) return skip(`not available: ${refused}`);
  if (signal !== null) return skip(`not done within ${limitSeconds} s`);
  const summary = said.findLast((line) => /SUMMARY/.test(line)) ?? '';
  const clean = status === 0 && / 0 (errors|hazards)/.test(summary) && /^trained$/m.test(output);
  if (clean) return pass(summary);
  return fail([`exit ${status}`, ...said.slice(0, 3), summary].join('; '));
}
