// The HTML and JSON report of a search.

export { buildReport } from './build.ts';
export { renderReport } from './html.ts';
export { readSearch, type Search, type StudyRecord } from './search.ts';
export { writeReport } from './write.ts';
