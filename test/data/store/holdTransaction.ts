// A process that opens a database, writes a run in a transaction that it never ends, and waits to be killed.
// Arguments: folder, URL (or ''), run_id, and `committed` to commit another run before.

import { openDatabase, recordRuns } from '../../../data/store/index.ts';
import { makeRun } from './records.ts';

const [folder = '', url = '', runId = ''] = process.argv.slice(2);
const db = await openDatabase({ url, folder, clock: () => 1_700_000_000_000 });
await recordRuns(db, [makeRun({ run_id: `${runId}-committed` })]);
setInterval(() => {}, 1000);
await db.transaction(async (tx) => {
  await recordRuns(tx, [makeRun({ run_id: runId })]);
  process.stdout.write('inside\n');
  await new Promise(() => {});
});
