// What a study asks of the place where its trials live. A trial costs two writing transactions, `ask` and
// `finish`; `write` makes a running trial visible to others before its end.

import type { Direction, FrozenTrial, Json, TrialParam } from './types.ts';

/** A study as it is stored. */
export interface StoredStudy {
  readonly id: number;
  readonly name: string;
  readonly directions: readonly Direction[];
}

/** Who reads an attribute: people, or samplers and pruners. */
export type AttributeKind = 'user' | 'system';

/** A trial that comes whole from elsewhere, or waits for its turn. */
export type TrialDraft = Omit<FrozenTrial, 'id' | 'number'>;

/** The right to change a running trial: it ends when the trial is reclaimed and started anew by another. */
export type TrialClaim = Pick<FrozenTrial, 'id' | 'startedAt'>;

/** What a running trial gathered since it was last written. */
export interface TrialChanges {
  readonly params: ReadonlyMap<string, TrialParam>;
  readonly reports: ReadonlyMap<number, number>;
  readonly userAttributes: ReadonlyMap<string, Json>;
  readonly systemAttributes: ReadonlyMap<string, Json>;
}

/** How a trial ended. */
export interface TrialEnd {
  readonly state: 'COMPLETE' | 'PRUNED' | 'FAIL';
  readonly values: readonly number[] | null;
  /** Unix ms */
  readonly completedAt: number;
}

/** Running trials whose worker is silent for too long are taken back. */
export interface Lease {
  /** a trial whose last heartbeat is older, Unix ms, is stale; one that never had a heartbeat is not */
  readonly staleBefore: number;
  /** a stale trial waits to be run again under its number, so many times at most; then it fails. 0 = Optuna's way */
  readonly maxRetries: number;
}

/** Where the studies of a search come from and belong to. */
export interface Lineage {
  readonly lineageId: string;
  readonly configDigest: string;
  /** 1 coarse, 2 refine, 3 forward confirmation */
  readonly stage: number;
  /** name of the study whose best trials this one takes up; null = the first */
  readonly parent: string | null;
}

/** A study of a lineage, deleted or not. */
export interface LineageStudy extends Lineage {
  readonly studyName: string;
  readonly deleted: boolean;
  /** every trial ever made in it, whoever made it */
  readonly trialCount: number;
}

/** Which trial a trial of a later stage takes up, and what its result rests on. */
export interface Provenance {
  readonly parent: { readonly studyName: string; readonly number: number } | null;
  readonly evidence: Json;
}

/**
 * Keeps studies and trials. Every method is one transaction: all of it happens or nothing, whatever else runs
 * on the same storage. Times are Unix ms and come from the caller. Trials are numbered 0, 1, 2 in the order
 * in which they were made, without gaps. A finished trial never changes: what is written to one is refused.
 *
 * All methods throw SluiceError `database_failed` when the storage fails, `input_missing` for an id or name
 * that does not exist where one is required, and `not_canonical` for attributes that JSON cannot say.
 */
export interface Storage {
  /** @throws SluiceError `database_refused` if the name is taken */
  createStudy(name: string, directions: readonly Direction[]): Promise<StoredStudy>;
  findStudy(name: string): Promise<StoredStudy | null>;
  /** All studies, oldest first. */
  listStudies(): Promise<readonly StoredStudy[]>;
  /** Removes a study and its trials; its lineage and its count of trials stay. */
  deleteStudy(studyId: number): Promise<void>;
  setStudyAttributes(
    studyId: number,
    kind: AttributeKind,
    attributes: ReadonlyMap<string, Json>,
  ): Promise<void>;
  readStudyAttributes(studyId: number, kind: AttributeKind): Promise<ReadonlyMap<string, Json>>;

  /**
   * A trial to run: the first that waits, else a new one; now RUNNING. With a lease, stale trials are taken
   * back first and the trial has its first heartbeat.
   */
  ask(studyId: number, now: number, lease: Lease | null): Promise<FrozenTrial>;
  /** Adds a trial as it is: WAITING with `fixed_params`, or finished elsewhere. */
  addTrial(studyId: number, draft: TrialDraft): Promise<FrozenTrial>;
  /**
   * Adds a trial, unless one of the study, in whatever state, has the user attribute `key` with the draft's value: of many
   * that add it at once, one does.
   * @returns null: there was one
   * @throws SluiceError `out_of_range` (the draft has no such attribute)
   */
  addTrialOnce(studyId: number, draft: TrialDraft, key: string): Promise<FrozenTrial | null>;
  /** @returns false: the claim has ended and nothing was written */
  write(claim: TrialClaim, changes: TrialChanges): Promise<boolean>;
  /** The last changes of a trial and its end. @returns false: the claim has ended and nothing was written */
  finish(claim: TrialClaim, changes: TrialChanges, end: TrialEnd): Promise<boolean>;
  /** Marks trials as alive, those of them that run. */
  heartbeat(trialIds: readonly number[], now: number): Promise<void>;
  /** Takes back stale trials. @returns their numbers */
  reclaim(studyId: number, now: number, lease: Lease): Promise<readonly number[]>;
  /**
   * Trials of a study by number: those made after the trial `afterId` (-1 = all) and those of `openIds`.
   * A reader that keeps what was finished and asks again for what was not has the whole study.
   */
  readTrials(
    studyId: number,
    afterId: number,
    openIds: readonly number[],
  ): Promise<readonly FrozenTrial[]>;

  /** @throws SluiceError `database_refused` if the study has another lineage already */
  setLineage(studyId: number, lineage: Lineage): Promise<void>;
  /** Studies of a lineage, deleted ones included, oldest first. */
  readLineage(lineageId: string): Promise<readonly LineageStudy[]>;
  /** The lineage of a study that is not deleted. */
  findLineage(studyId: number): Promise<LineageStudy | null>;
  /** @throws SluiceError `database_refused` if the study has no lineage */
  setProvenance(studyId: number, number: number, provenance: Provenance): Promise<void>;
  findProvenance(studyId: number, number: number): Promise<Provenance | null>;

  close(): Promise<void>;
}
