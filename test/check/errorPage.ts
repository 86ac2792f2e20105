// docs/errors.md, made of the registries that it documents. Run as a program, it writes the page.

import { pathToFileURL } from 'node:url';
import { projectPath, renderErrorTable, writeFileAtomic } from '../../core/index.ts';
import { violationRegistry } from '../../models/artifact/index.ts';

/** Path of the page. */
export const errorPagePath = projectPath('docs', 'errors.md');

/** The page as it must be. */
export function renderErrorPage(): string {
  const violations = Object.entries(violationRegistry).map(
    ([code, meaning]) => `| \`${code}\` | ${meaning} |`,
  );
  return [
    '# Errors',
    '',
    'Made by `node test/check/errorPage.ts` from `core/errors.ts` and `models/artifact/violations.ts`; a test compares them.',
    '',
    '## Codes of a command',
    'A command that fails says one sentence on stderr and, with `--json`, `{"error":{"code","message","context"}}` on stdout.',
    'Exit codes: 0 done or pass, 1 failed, 2 bad usage, config or input, 3 the gate says fail, 4 `insufficient_observation`.',
    '',
    renderErrorTable(),
    '## Why an artifact is refused',
    '`artifact verify` and the serving process list every violation that they find; none is ever overlooked for another.',
    '',
    '| code | meaning |',
    '| --- | --- |',
    ...violations,
    '',
  ].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileAtomic(errorPagePath, renderErrorPage());
}
