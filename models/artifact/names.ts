// Names of files, as foreign manifests and bundles may write them: only plain relative ones pass.

import { type Violation, violation } from './violations.ts';

/** All that is wrong with a list of file names; the list comes from outside. */
export function nameViolations(names: readonly string[]): Violation[] {
  return [...names.flatMap(oneName), ...collisions(names)];
}

function oneName(name: string): Violation[] {
  const shown = JSON.stringify(name);
  const found: Violation[] = [];
  const parts = name.split(/[/\\]/);
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    found.push(violation('name_parent', `${shown} has a "", "." or ".." part.`));
  }
  if (/^([/\\]|[A-Za-z]:)/.test(name)) {
    found.push(violation('name_absolute', `${shown} is an absolute path.`));
  }
  if (name.includes('\\')) found.push(violation('name_backslash', `${shown} holds a backslash.`));
  if (/\p{Cc}/u.test(name))
    found.push(violation('name_nul', `${shown} holds a control character.`));
  if (name.normalize('NFC') !== name) {
    found.push(violation('name_not_nfc', `${shown} is not in normal form C.`));
  }
  return found;
}

function collisions(names: readonly string[]): Violation[] {
  const found: Violation[] = [];
  const seen = new Map<string, string>();
  for (const name of names) {
    const folded = name.normalize('NFC').toLowerCase();
    const other = seen.get(folded);
    const shown = JSON.stringify(name);
    if (other === name) found.push(violation('name_duplicate', `${shown} is listed twice.`));
    else if (other !== undefined) {
      found.push(
        violation('name_case_collision', `${shown} and ${JSON.stringify(other)} collide.`),
      );
    }
    seen.set(folded, name);
  }
  return found;
}
