// The HTML and JSON report of a search.

export { buildReport, type ReportFacts } from './build.ts';
export { renderReport } from './html.ts';
export { readSearch, type Search, type StudyRecord } from './search.ts';
export type {
  CandidateReport,
  Figure,
  ImportanceReport,
  ParameterReport,
  SearchReport,
  StageReport,
  StudyReport,
  TrialName,
  TrialReport,
} from './types.ts';
export { type WriteReportOptions, type WrittenReport, writeReport } from './write.ts';
