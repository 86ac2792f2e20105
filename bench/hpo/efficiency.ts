// How much of the cores a search uses: trials that only compute, one after the other in a plain loop, against as many in a
// search with a process for each core, its start and its end included.

import { availableParallelism } from 'node:os';
import { count } from './objective.ts';
import { medianOf, search, seconds } from './searches.ts';

const wanted = 0.85;

/** Measures loop and search in turns. */
export async function measureEfficiency(trials: number, repeats: number) {
  const cores = availableParallelism();
  const steps = stepsFor(0.25);
  const efficiencies: number[] = [];
  const trialS: number[] = [];
  for (let i = 0; i < repeats; i += 1) {
    const loopBegin = seconds();
    for (let trial = 0; trial < trials; trial += 1) count(steps);
    const loop = seconds() - loopBegin;
    trialS.push(loop / trials);
    const begin = seconds();
    await search({ trials, workers: cores, steps });
    efficiencies.push(loop / (cores * (seconds() - begin)));
  }
  const median = medianOf(efficiencies);
  return {
    cores,
    trials,
    trial_s: medianOf(trialS),
    efficiencies,
    median,
    wanted,
    is_met: median >= wanted,
  };
}

/** Steps that take about so many seconds here. */
function stepsFor(wantedS: number): number {
  const sample = 2e7;
  count(sample);
  const begin = seconds();
  count(sample);
  return Math.round((sample * wantedS) / (seconds() - begin));
}
