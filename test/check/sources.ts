// Reads the project's TypeScript files and what each imports.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { projectPath } from '../../core/index.ts';

/** One TypeScript file of the project. */
export interface Source {
  /** path below the project's root, with `/` */
  readonly path: string;
  readonly text: string;
  /** imported project files, as paths below the root */
  readonly files: readonly string[];
  /** imported packages, without `node:` ones */
  readonly packages: readonly string[];
}

const importPattern =
  /(?:^|\n)\s*(?:import|export)\b[^;'"]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)import\s*['"]([^'"]+)['"]|createRequire\([^)]*\)\(['"]([^'"]+)['"]\)/g;

/** All TypeScript files that git knows or would add, tests and benchmarks included. */
export function readSources(): Source[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts'], {
    cwd: projectPath(),
    encoding: 'utf8',
  });
  return listed.trim().split('\n').map(readSource);
}

function readSource(path: string): Source {
  const text = readFileSync(projectPath(path), 'utf8');
  const targets = [...text.matchAll(importPattern)].map((m) => m[1] ?? m[2] ?? m[3] ?? m[4] ?? '');
  const own = targets.filter((target) => target.startsWith('.'));
  const packages = targets.filter(
    (target) => !target.startsWith('.') && !target.startsWith('node:'),
  );
  return {
    path,
    text,
    files: own.map((target) => normalize(join(dirname(path), target))),
    packages: packages.map(packageName),
  };
}

function packageName(target: string): string {
  const parts = target.split('/');
  return target.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
}
