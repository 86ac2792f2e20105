// A run in a process of its own that takes Ctrl-C as a press of its switch; prints how it ended.

import { createStopSwitch } from '../../../hpo/run/index.ts';
import { runIn } from './searches.ts';

const [folder, changes] = process.argv.slice(2) as [string, string];
const stop = createStopSwitch();
process.on('SIGINT', stop.press);
const { ended, trials } = await runIn(folder, { ...JSON.parse(changes), stop });
process.stdout.write(JSON.stringify({ ended, states: trials.map(({ state }) => state) }));
