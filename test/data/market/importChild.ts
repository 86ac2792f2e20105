// Imports the file given into the store given and says each stage on stdout; the kill test ends it at one of them.

import { importBars } from '../../../data/market/index.ts';

const [input, out, stopAt] = process.argv.slice(2);
const progress = {
  update(stage: string) {
    process.stdout.write(`${stage}\n`);
    if (stage === stopAt) process.kill(process.pid, 'SIGKILL');
  },
};
await importBars(
  { inputs: [input!], timeframe: '1h', out: out! },
  progress,
  new AbortController().signal,
);
