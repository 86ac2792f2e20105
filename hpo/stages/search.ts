// A search from its first trial to its candidates. Every step asks the storage what is there already, so that a search
// that was stopped or killed at any moment goes on when it is run again.

import { join } from 'node:path';
import { type Clock, projectPath, SluiceError } from '../../core/index.ts';
import { type Database, type GateCandidate, recordOosTouch } from '../../data/store/index.ts';
import { applyParams, distributionsOf } from '../objective/index.ts';
import { medianPruner, successiveHalvingPruner } from '../prune/index.ts';
import { type RunProgress, runStudy, type StopSignals } from '../run/index.ts';
import { tpeSampler } from '../sample/index.ts';
import {
  createStudy,
  type Distribution,
  type FrozenTrial,
  type Json,
  type NewStudyOptions,
  type Pruner,
  type Storage,
  type Study,
} from '../study/index.ts';
import { candidateId, recordTrials, registerCandidate } from './candidate.ts';
import type { SearchConfig } from './config.ts';
import { keepPlan, type Plan, type StageName, stageNames, studyName, taskOf } from './plan.ts';
import { failReasonOf, paramsOf, ranked, spaceAround } from './ranking.ts';

/** A search to run, or to go on with. */
export interface SearchRequest {
  readonly plan: Plan;
  readonly storage: Storage;
  /** folder of the journals, one for each study */
  readonly journals: string;
  /** opens the registry for a moment: others need it too, and only one process may have it */
  readonly withRegistry: <T>(work: (db: Database) => Promise<T>) => Promise<T>;
  readonly workers?: number | undefined;
  /** studies that several machines work on at once */
  readonly leaseMs?: number | undefined;
  readonly clock: Clock;
  readonly stop?: StopSignals | undefined;
  readonly onProgress?: ((stage: StageName, progress: RunProgress) => void) | undefined;
}

/** How far a search has come. */
export interface SearchResult {
  /** `done`: all stages; `stopped`: on request; `nothing_left`: no trial of a stage may go on */
  readonly ended: 'done' | 'stopped' | 'nothing_left';
  /** the stage that it ended in */
  readonly stage: StageName;
  /** trials ever made in searches on this market */
  readonly trialCount: number;
  readonly candidates: readonly GateCandidate[];
}

type Space = Readonly<Record<string, Distribution>>;

/**
 * Runs what is left of the three stages and registers what survives them.
 * @throws SluiceError `input_invalid` if every trial of a stage failed, with the last reason | what `runStudy` throws
 */
export async function runSearch(request: SearchRequest): Promise<SearchResult> {
  const { plan, withRegistry, storage } = request;
  const end = await runStages(request);
  return withRegistry(async (db) => {
    const trialCount = await recordTrials(db, storage, plan);
    if (end.failure !== null) throw end.failure;
    const candidates: GateCandidate[] = [];
    const isLive = (trial: FrozenTrial) => trial.userAttributes.get('data_regime') === 'prod_live';
    for (const { number } of end.confirmed.filter(isLive)) {
      const study = studyName(plan, 'confirm');
      const { clock } = request;
      candidates.push(await registerCandidate({ db, storage, studyName: study, number, clock }));
    }
    return { ended: end.ended, stage: end.stage, trialCount, candidates };
  });
}

type End = Pick<SearchResult, 'ended' | 'stage'> & {
  readonly confirmed: readonly FrozenTrial[];
  readonly failure: SluiceError | null;
};

async function runStages(request: SearchRequest): Promise<End> {
  const { config, base } = request.plan;
  const space = distributionsOf(config.space, base, config.policy);
  const stopped = (stage: StageName): End => ({
    ...{ ended: 'stopped', stage, confirmed: [], failure: null },
  });
  const nothingLeft = (stage: StageName, trials: readonly FrozenTrial[]): End => ({
    ...{ ended: 'nothing_left', stage, confirmed: [], failure: failureOf(stage, trials) },
  });

  const coarse = await openStage(request, 'coarse');
  await keepPlan(request.storage, coarse.id, request.plan);
  const first = await runStage(request, 'coarse', space, config.coarse.trials);
  if (first === null) return stopped('coarse');
  const chosen = ranked(first).slice(0, config.refine.taken_up);
  if (chosen.length === 0) return nothingLeft('coarse', first);

  const nearby = spaceAround(space, chosen, config.refine.margin_frac);
  const refine = await openStage(request, 'refine');
  await takeUp(request, refine, chosen, 'coarse');
  const refined = await runStage(request, 'refine', nearby, config.refine.trials);
  if (refined === null) return stopped('refine');
  const finalists = await findFinalists(request, { first, refined, refine, coarse, space });
  if (finalists === null) return stopped('refine');
  if (finalists.length === 0) return nothingLeft('refine', refined);

  const confirm = await openStage(request, 'confirm');
  await takeUp(request, confirm, finalists, 'refine');
  await recordLooks(request, confirm);
  // a machine that saw other trials end may have let others wait
  const { trials: waiting } = await confirm.snapshot();
  const confirmed = await runStage(request, 'confirm', space, waiting.length);
  if (confirmed === null) return stopped('confirm');
  const failure = failureOf('confirm', confirmed);
  return { ended: 'done', stage: 'confirm', confirmed: ranked(confirmed), failure };
}

/** What is wrong with a stage in which no trial could be evaluated: it would be wrong with any number of them. */
function failureOf(stage: StageName, trials: readonly FrozenTrial[]): SluiceError | null {
  const last = trials.at(-1);
  if (last === undefined || trials.some(({ state }) => state !== 'FAIL')) return null;
  const reason = failReasonOf(last) ?? 'its process gave no reason';
  return new SluiceError(
    'input_invalid',
    `All ${trials.length} trials of the stage ${stage} failed, the last one so: ${reason}`,
    { stage, trials: trials.length },
  );
}

function optionsOf(request: SearchRequest, stage: StageName): NewStudyOptions {
  const { plan, storage, clock, leaseMs } = request;
  const at = stageNames.indexOf(stage);
  const { startup_trials: startupTrials, candidates } = plan.config.sampler;
  return {
    storage,
    clock,
    name: studyName(plan, stage),
    directions: ['MAXIMIZE'],
    loadIfExists: true,
    lineage: {
      lineageId: plan.lineage_id,
      configDigest: plan.search_digest,
      stage: at + 1,
      parent: at === 0 ? null : studyName(plan, stageNames[at - 1]!),
    },
    // a stream for each trial: a resumed search must not begin its one stream again
    sampler: tpeSampler({ seed: plan.seed, perTrial: true, startupTrials, candidates }),
    pruner: stage === 'confirm' ? null : prunerOf(plan.config.pruner),
    ...(leaseMs === undefined ? {} : { leaseMs, maxRetries: 2 }),
  };
}

const openStage = (request: SearchRequest, stage: StageName): Promise<Study> =>
  createStudy(optionsOf(request, stage));

function prunerOf(config: SearchConfig['pruner']): Pruner | null {
  switch (config.kind) {
    case 'none':
      return null;
    case 'median':
      return medianPruner({
        startupTrials: config.startup_trials,
        warmupSteps: config.warmup_steps,
      });
    case 'successive_halving':
      return successiveHalvingPruner({
        minResource: config.min_resource,
        reductionFactor: config.reduction_factor,
      });
  }
}

/** Runs a study until it has so many trials. @returns those, by number; null = it was stopped */
async function runStage(
  request: SearchRequest,
  stage: StageName,
  space: Space,
  trials: number,
  pruner?: null,
): Promise<readonly FrozenTrial[] | null> {
  const { plan, workers, stop, onProgress } = request;
  const options = optionsOf(request, stage);
  const result = await runStudy({
    study: pruner === null ? { ...options, pruner } : options,
    space,
    journal: join(request.journals, `${options.name}.jsonl`),
    module: projectPath('hpo', 'objective', 'evaluate.ts'),
    task: taskOf(plan, stage) as unknown as Json,
    trials,
    workers,
    // finalists are few and long: each has a process of its own
    batch: stage === 'confirm' ? 1 : plan.config.batch,
    deterministic: plan.deterministic ? { window: plan.config.window } : null,
    stop,
    onProgress: onProgress && ((progress) => onProgress(stage, progress)),
  });
  const isWhole = result.ended === 'done' || result.ended === 'exhausted';
  return isWhole ? result.trials.slice(0, trials) : null;
}

/** User attribute of a trial that takes up another one: study and number of that. */
const takenUpKey = 'takes_up';

/** Lets the parameters of trials wait in a study, each once, and says where they come from. */
async function takeUp(
  { plan, storage }: SearchRequest,
  study: Study,
  parents: readonly FrozenTrial[],
  from: StageName,
): Promise<void> {
  const studyNameOfParent = studyName(plan, from);
  for (const parent of parents) {
    await enqueueOnce(study, parent, studyNameOfParent);
  }
  for (const trial of (await study.snapshot()).trials) {
    const parent = parents.find(({ number }) => isTakenUp(trial, studyNameOfParent, number));
    if (parent === undefined) continue;
    await storage.setProvenance(study.id, trial.number, {
      parent: { studyName: studyNameOfParent, number: parent.number },
      evidence: { value: parent.values![0]! },
    });
  }
}

async function enqueueOnce(study: Study, trial: FrozenTrial, from: string): Promise<void> {
  await study.enqueue(paramsOf(trial), {
    userAttributes: { [takenUpKey]: { study: from, number: trial.number } },
    once: takenUpKey,
  });
}

function isTakenUp(trial: FrozenTrial, study: string, number: number): boolean {
  const taken = trial.userAttributes.get(takenUpKey) as
    | { readonly study: string; readonly number: number }
    | undefined;
  return taken?.study === study && taken.number === number;
}

interface Stages {
  readonly first: readonly FrozenTrial[];
  readonly refined: readonly FrozenTrial[];
  readonly refine: Study;
  readonly coarse: Study;
  readonly space: Space;
}

/**
 * The trials that forward OOS is shown: the best of refine that stage 1 knows. What TPE found on the way has not been there,
 * so its parameters are put to the coarse window now, and go on if they are no worse than the median there.
 * @returns null = stopped
 */
async function findFinalists(
  request: SearchRequest,
  { first, refined, refine, coarse, space }: Stages,
): Promise<readonly FrozenTrial[] | null> {
  const { plan, storage } = request;
  const wanted = plan.config.confirm.taken_up;
  const shortlist = ranked(refined).slice(0, 2 * wanted);
  const from = studyName(plan, 'refine');
  const isNew = (trial: FrozenTrial) => !trial.userAttributes.has(takenUpKey);
  for (const trial of shortlist.filter(isNew)) await enqueueOnce(coarse, trial, from);
  const { trials: known } = await coarse.snapshot();
  // nothing compares these with others, and a pruned one would have no value
  const checked = await runStage(request, 'coarse', space, known.length, null);
  if (checked === null) return null;
  const values = ranked(first).map((trial) => trial.values![0]!);
  const median = values[Math.floor(values.length / 2)]!;
  const finalists: FrozenTrial[] = [];
  for (const trial of shortlist) {
    if (finalists.length === wanted) break;
    if (isNew(trial)) {
      const check = checked.find((one) => isTakenUp(one, from, trial.number));
      if (check?.state !== 'COMPLETE' || check.values![0]! < median) continue;
      await storage.setProvenance(refine.id, trial.number, {
        parent: { studyName: studyName(plan, 'coarse'), number: check.number },
        evidence: { value: check.values![0]!, median },
      });
    }
    finalists.push(trial);
  }
  return finalists;
}

/** Writes down, before it happens, that these trials will see forward OOS. */
async function recordLooks({ plan, withRegistry, clock }: SearchRequest, study: Study) {
  const { trials } = await study.snapshot();
  const waiting = trials.filter((trial) => trial.state === 'WAITING');
  if (waiting.length === 0) return;
  await withRegistry(async (db) => {
    for (const trial of waiting) {
      const params = trial.systemAttributes.get('fixed_params');
      const config = applyParams(plan.base, params as ReturnType<typeof paramsOf>);
      await recordOosTouch(db, {
        candidate: candidateId(plan, config),
        data_version: plan.data_version,
        window: plan.windows.forward_oos,
        run_id: `${study.name}#${trial.number}`,
        touched_at: clock(),
      });
    }
  });
}
