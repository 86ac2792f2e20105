// The report of a search as two files: HTML for people, JSON with every number in it.

import { type Clock, writeFileAtomic } from '../../core/index.ts';
import type { Storage } from '../study/index.ts';
import { buildReport } from './build.ts';
import { renderReport } from './html.ts';
import { readSearch } from './search.ts';
import type { CandidateReport, SearchReport } from './types.ts';

/** What to report, and where. */
export interface WriteReportOptions {
  readonly storage: Storage;
  /** any study of the search: all of its lineage is shown */
  readonly study: string;
  /** winners of the last stage that became candidates */
  readonly candidates?: readonly CandidateReport[] | undefined;
  /** path without its ending: `.html` and `.json` are added */
  readonly base: string;
  readonly clock: Clock;
}

/** A report and where it lies. */
export interface WrittenReport {
  readonly report: SearchReport;
  readonly htmlPath: string;
  readonly jsonPath: string;
}

/** Reads a search and writes its report; files that were there are replaced. @throws SluiceError `input_missing` | `io_failed` */
export async function writeReport(options: WriteReportOptions): Promise<WrittenReport> {
  const { storage, study, candidates, base, clock } = options;
  const search = await readSearch(storage, study);
  const report = buildReport(search, { madeAt: clock(), candidates });
  const [htmlPath, jsonPath] = [`${base}.html`, `${base}.json`];
  writeFileAtomic(jsonPath, `${JSON.stringify(report)}\n`);
  writeFileAtomic(htmlPath, renderReport(report));
  return { report, htmlPath, jsonPath };
}
