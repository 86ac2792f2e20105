// Golden rows through the sessions of this machine, each row alone and all of them together: the answer must not depend
// on the batch, nor on who computes it.

import type { GoldenScores, Violation } from '../../models/artifact/index.ts';
import {
  normaliseSeries,
  type Scorer,
  type TsmixerNetwork,
  tsmixerTolerances,
} from '../../models/score/index.ts';
import type { OnnxSession } from './session.ts';
import type { LoadedNetwork } from './types.ts';

/** The session of the trees and the walk must give the trainer's very bits. */
export async function replayTrees(
  session: OnnxSession,
  walked: Scorer,
  { features, rows, tabular }: GoldenScores,
): Promise<Violation | undefined> {
  const runs = await everyWay(session.run, features, rows);
  const here = { ...runs, walked: walked.score(features, rows) };
  return firstMismatch('trees', here, tabular!, new Float64Array(rows));
}

/** The session of the network must stay within the rounding of float32 around the trainer's float64. */
export async function replayNetwork(
  loaded: LoadedNetwork,
  network: TsmixerNetwork,
  { sequences, rows, nn }: GoldenScores,
): Promise<Violation | undefined> {
  const runs = await everyWay(loaded.score, sequences!, rows);
  const windows = normaliseSeries(sequences!, network.channels);
  return firstMismatch('network', runs, nn!, tsmixerTolerances(network.weights, windows, rows));
}

/** Scores of the same rows, by how they were computed. */
type Runs = Readonly<Record<string, Float64Array>>;

async function everyWay(
  score: OnnxSession['run'],
  values: Float32Array,
  rows: number,
): Promise<Runs> {
  const together = await score(values, rows);
  const width = values.length / rows;
  const alone = new Float64Array(rows);
  for (let row = 0; row < rows; row += 1) {
    alone[row] = (await score(values.subarray(row * width, (row + 1) * width), 1))[0]!;
  }
  return { together, alone };
}

function firstMismatch(
  part: string,
  runs: Runs,
  expected: Float64Array,
  tolerances: Float64Array,
): Violation | undefined {
  const ways = Object.entries(runs);
  for (const [row, score] of expected.entries()) {
    const tolerance = tolerances[row]!;
    if (ways.every(([, scores]) => Math.abs(scores[row]! - score) <= tolerance)) continue;
    const found = ways.map(([how, scores]) => `${scores[row]} (${how})`).join(', ');
    return {
      code: 'golden_mismatch',
      message: `Golden row ${row} through the ${part} on this machine is ${found}; the trainer had ${score}, and ${tolerance} is the largest difference allowed.`,
    };
  }
  return undefined;
}
