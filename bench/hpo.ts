// What a search costs and finds, beside Optuna in the same run.
// usage: PEER_PYTHON=python node bench/hpo.ts --data DIR [--only PART,PART] [--small]; with --only nothing is kept, and
// without --data the races against grids and the whole search are left out, since they are on real bars. Ends with 1 if
// kills change what a search finds.

import { parseArgs } from 'node:util';
import { report } from './harness.ts';
import { measureEfficiency } from './hpo/efficiency.ts';
import { raceGrids } from './hpo/gridRace.ts';
import { compareQuality } from './hpo/quality.ts';
import { measureSuggestLatency } from './hpo/suggestLatency.ts';
import { measureThroughput } from './hpo/throughput.ts';
import { measureWholeSearch } from './hpo/wholeSearch.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    only: { type: 'string' },
    small: { type: 'boolean', default: false },
  },
});
const { small, data } = values;

/** Each part of the report, in the order in which it is measured. */
const parts: Readonly<Record<string, () => unknown>> = {
  suggest_latency: () => measureSuggestLatency(1000, small ? 50 : 300),
  throughput: () => measureThroughput(small ? 1000 : 5000, small ? 160 : 640, small ? 1 : 3),
  efficiency: () => measureEfficiency(small ? 16 : 60, small ? 1 : 3),
  quality: () => compareQuality(small ? 4 : 20, 100),
  grid_race: () =>
    data === undefined
      ? 'no --data'
      : raceGrids(data, small ? [1] : [1, 2, 3, 4, 5], small ? [2] : [4, 5, 6]),
  whole_search: async () => {
    if (data === undefined) return 'no --data';
    const found = await measureWholeSearch(data, small ? 20 : null, 1);
    if (found.differences.length > 0) process.exitCode = 1;
    return found;
  },
};

const only = values.only?.split(',') ?? Object.keys(parts);
const results: Record<string, unknown> = {};
for (const part of only) results[part] = await parts[part]!();
if (values.only === undefined && !small) report('hpo', results);
else process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
