// The labels of a run: two of the three are computed here, the third is declared and checked here.
// A gate trusts them, so none of them may be a caller's opinion. Specification, track A.

import { type DataRegime, type RunSource, SluiceError } from '../../core/index.ts';
import { type BarPanel, type BarSource, barQuality } from '../../data/market/index.ts';

/** Times [from, to), Unix ms UTC. */
export interface TimeSpan {
  readonly from: number;
  readonly to: number;
}

/** Venues that are no venue: nobody could have traded there. */
const unrealVenues: ReadonlySet<string> = new Set(['simulator', 'unknown', '']);

/**
 * How a run's data relate to what its artifact was made from.
 *
 * `maintenance_replay`: the evaluation overlaps the artifact's training or validation data.
 * `prod_live`: it lies wholly after them, and every source names a real venue. `mixed`: anything between.
 * @param sources of every bar of the evaluation, see {@link sourcesOf}
 * @param fitted from the first training bar to the last bar that a training or validation label needs;
 *   null for an arm that was fitted on nothing
 * @throws SluiceError `out_of_range` for a span that is empty or no span
 */
export function dataRegime(facts: {
  readonly sources: readonly BarSource[];
  readonly evaluation: TimeSpan;
  readonly fitted: TimeSpan | null;
}): DataRegime {
  const { sources, evaluation, fitted } = facts;
  requireSpan('evaluation', evaluation);
  if (fitted !== null) requireSpan('fitted', fitted);
  if (fitted !== null && evaluation.from < fitted.to && fitted.from < evaluation.to) {
    return 'maintenance_replay';
  }
  const real = sources.length > 0 && sources.every(({ venue }) => !unrealVenues.has(venue));
  const after = fitted === null || evaluation.from >= fitted.to;
  return real && after ? 'prod_live' : 'mixed';
}

function requireSpan(name: string, { from, to }: TimeSpan): void {
  if (Number.isFinite(from) && Number.isFinite(to) && from < to) return;
  throw new SluiceError(
    'out_of_range',
    `The ${name} span must run from an earlier to a later time; found [${from}, ${to}).`,
    { name, from, to },
  );
}

/** The sources that the bars of a span come from; missing bars come from nowhere. */
export function sourcesOf(panel: BarPanel, span: TimeSpan): readonly BarSource[] {
  const used = new Set<number>();
  const bars = panel.openMs.length;
  for (let t = 0; t < bars; t += 1) {
    if (panel.openMs[t]! < span.from || panel.openMs[t]! >= span.to) continue;
    for (let at = t; at < panel.quality.length; at += bars) {
      if ((panel.quality[at]! & barQuality.missing) === 0) used.add(panel.sourceIndex[at]!);
    }
  }
  return [...used].sort((a, b) => a - b).map((index) => panel.sources[index]!);
}

/**
 * Whether the artifact scored a run: `fallback` as soon as it did not score one of the decisions, and for
 * a run without any decision. An arm that has no artifact at all is `heuristic`, which needs no computing.
 * @throws SluiceError `out_of_range`
 */
export function scoreSource(counts: {
  readonly decisions: number;
  readonly scoredByModel: number;
}): 'model' | 'fallback' {
  const { decisions, scoredByModel } = counts;
  const possible =
    Number.isInteger(decisions) &&
    Number.isInteger(scoredByModel) &&
    scoredByModel >= 0 &&
    scoredByModel <= decisions;
  if (possible) return decisions > 0 && scoredByModel === decisions ? 'model' : 'fallback';
  throw new SluiceError(
    'out_of_range',
    `Expected whole numbers with scoredByModel <= decisions; found ${scoredByModel} of ${decisions}.`,
    counts,
  );
}

/** What a declared `run_source` is held against. */
export interface RunFacts {
  /** a bar of the run was simulated */
  readonly simulated: boolean;
  /** the code that runs is not what its commit says */
  readonly dirtyTree: boolean;
  /** the artifact's signature was verified */
  readonly signed: boolean;
  /** the artifact stands in the registry */
  readonly registered: boolean;
}

/** The `run_source` to record, or every reason why the declared one is refused. */
export type RunSourceVerdict =
  | { readonly ok: true; readonly runSource: RunSource }
  | { readonly ok: false; readonly violations: readonly string[] };

/** `prod` needs real data, clean code, a signed and registered artifact; simulated data force `smoke`. */
export function checkRunSource(declared: RunSource, facts: RunFacts): RunSourceVerdict {
  if (declared !== 'prod') return { ok: true, runSource: facts.simulated ? 'smoke' : declared };
  const violations = [
    facts.simulated && 'prod needs real data; these are simulated: declare smoke',
    facts.dirtyTree && 'prod needs a clean work tree; commit the changes first',
    !facts.signed && 'prod needs a signed artifact; sign it first',
    !facts.registered && 'prod needs a registered artifact; register it first',
  ].filter((violation) => violation !== false);
  return violations.length === 0 ? { ok: true, runSource: 'prod' } : { ok: false, violations };
}
