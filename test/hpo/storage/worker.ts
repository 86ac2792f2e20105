// One of several processes that work on a study database: `worker.ts FILE STUDY TRIALS`; TRIALS 0 = until it is killed.

import { systemClock } from '../../../core/index.ts';
import { openSqliteStorage } from '../../../hpo/storage/index.ts';
import { createStudy, optimize } from '../../../hpo/study/index.ts';
import { middle } from './trials.ts';

const [file = '', name = '', trials = ''] = process.argv.slice(2);
const storage = openSqliteStorage(file);
const study = await createStudy({
  storage,
  name,
  sampler: middle,
  directions: ['MINIMIZE'],
  loadIfExists: true,
  clock: systemClock,
});
await optimize(
  study,
  (trial) => {
    trial.setUserAttribute('process', process.pid);
    for (const param of ['a', 'b', 'c']) trial.suggestFloat(param, 0, 1);
    trial.report(trial.number, 0);
    return trial.number;
  },
  {
    trials: Number(trials) || Number.POSITIVE_INFINITY,
    onTrial: ({ number }) => {
      process.stdout.write(`${number}\n`);
    },
  },
);
await storage.close();
