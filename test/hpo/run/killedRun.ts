// A run in a process of its own, to be killed: says `at work`, then the number of each trial once it is recorded.

import { writeSync } from 'node:fs';
import { runIn } from './searches.ts';

const [folder, changes] = process.argv.slice(2) as [string, string];
writeSync(1, 'at work\n');
await runIn(folder, {
  ...JSON.parse(changes),
  onProgress: ({ trial }) => writeSync(1, `${trial.number}\n`),
});
