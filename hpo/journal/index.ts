// The journal of a study: no finished trial is lost, none counts twice.

export { type Journal, openJournal, readJournal } from './journal.ts';
