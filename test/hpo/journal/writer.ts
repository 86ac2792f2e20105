// A process that writes a journal, to be killed. `go`: trials of many sizes, for ever, each number on stdout when it is
// promised; `hold`: opens and waits; `full`: adds what does not fit, then what does.

import { writeSync } from 'node:fs';
import { asSluiceError } from '../../../core/index.ts';
import { openJournal } from '../../../hpo/journal/index.ts';
import type { FrozenTrial } from '../../../hpo/study/index.ts';
import { smallTrial } from './smallTrial.ts';

const [path, mode] = process.argv.slice(2) as [string, string];
const say = (line: string) => writeSync(1, `${line}\n`);
const journal = openJournal(path, 'coarse');
const sized = (number: number, bytes: number): FrozenTrial => ({
  ...smallTrial(number),
  userAttributes: new Map([['text', 'x'.repeat(bytes)]]),
});

if (mode === 'hold') {
  say('open');
  setInterval(() => {}, 1000);
} else if (mode === 'full') {
  try {
    journal.append([smallTrial(1), smallTrial(2), sized(3, 5000)]);
  } catch (error) {
    const { code, message } = asSluiceError(error);
    say(`${code} ${message}`);
  }
  journal.append([smallTrial(4)]);
  say('added 4');
} else {
  let number = journal.trials.length;
  // now and then several at once, and lines that take the disk a while
  for (;;) {
    const count = 1 + (number % 3);
    const sizes = [10, 3000, 2_000_000];
    const trials = Array.from({ length: count }, (_, i) =>
      sized(number + i, sizes[(number + i) % 7] ?? 200),
    );
    journal.append(trials);
    for (const trial of trials) say(String(trial.number));
    number += count;
  }
}
