// What must not change a byte of a training on a GPU: running it again, the members beside one, being stopped and resumed.

import { isDeepStrictEqual } from 'node:util';
import {
  allSamples,
  caseSamples,
  type EngineCase,
  evaluateOn,
  member,
  predictOn,
  trainTo,
} from '../../test/training/native/engineCase.ts';
import type { NativeTsmixer, NativeTsmixerMember } from '../../training/native/index.ts';
import { comparison, type Network, openEngine, type Place } from './cases.ts';
import { judge, type Protocol } from './protocol.ts';

const schedule = Float32Array.from({ length: 9 }, (_, i) => 1 - i / 10);
const members: readonly NativeTsmixerMember[] = [
  member({ seed: 3, dropout: 0.3, teacher: 0.3, clip: 0.05, weightDecay: 0.1 }),
  member({ seed: 4, dropout: 0.6, learningRate: 3e-3 }),
  member({ seed: 3, dropout: 0, teacher: 2, learningRate: 0.02, clip: 1 }),
];

/** A batch that is no multiple of sixteen, an epoch that is no multiple of the batch, and every option at once. */
function everything(tiny: boolean): EngineCase {
  const shape = {
    nTokens: tiny ? 5 : 13,
    nChannels: tiny ? 3 : 7,
    hidden: tiny ? 4 : 10,
    blocks: 2,
    horizon: tiny ? 2 : 5,
    head: 'temporal',
    keptChannels: tiny ? 2 : 6,
    activation: 'gelu',
    revin: true,
  } as const;
  const [batch, samples] = tiny ? [5, 13] : [37, 150];
  const chosen = { loss: 'huber', huberDelta: 0.5, teacherLambda: 0.3 } as const;
  return { shape, batch, ...chosen, ...caseSamples(shape, 200, samples, true) };
}

/** Looks at bytes of states, predictions and losses, in one precision. */
export async function lookAtDeterminism(
  protocol: Protocol,
  place: Place,
  networks: readonly Network[],
  tiny: boolean,
): Promise<void> {
  const steps = tiny ? 3 : 11;
  const problems: readonly (readonly [string, EngineCase])[] = [
    ['everything', everything(tiny)],
    ...networks.map((network) => [network.name, comparison(network)] as const),
  ];
  for (const [name, problem] of problems) {
    const look = (what: string, at: () => Promise<boolean>) =>
      protocol.look(`determinism ${place.precision}`, `${name}: ${what}`, async () =>
        judge(await at(), 'the same bytes'),
      );
    const once = outcome(place, problem, members, steps);
    once.catch(() => {}); // each look says it
    await look('two runs', async () =>
      same(await once, await outcome(place, problem, members, steps)),
    );
    await look('members alone and together', async () => {
      const alone = [];
      for (const one of members) alone.push(...(await outcome(place, problem, [one], steps)));
      return same(await once, alone);
    });
    await look('stopped and resumed', async () =>
      same(
        (await once).map(({ state }) => state),
        await resumed(place, problem, steps),
      ),
    );
  }
}

/** What a training leaves behind, by member. */
async function outcome(
  place: Place,
  problem: EngineCase,
  of: readonly NativeTsmixerMember[],
  steps: number,
) {
  const engine = openEngine(place, problem, of);
  try {
    const samples = allSamples(problem.ends.length);
    const trained = await trainTo(engine, samples, steps, schedule);
    const evaluated = await evaluateOn(engine, samples);
    const outputs = outputsOf(problem) * samples.length;
    const predicted = await predictOn(engine, samples, outputsOf(problem));
    return of.map((_, k) => ({
      state: engine.readState(k),
      losses: [trained[k], evaluated[k]],
      predicted: predicted.slice(k * outputs, (k + 1) * outputs),
    }));
  } finally {
    engine.free();
  }
}

const outputsOf = ({ shape }: EngineCase): number =>
  shape.head === 'flat' ? shape.horizon : shape.horizon * shape.keptChannels;

/** States of members that were trained by two engines, one after the other. */
async function resumed(place: Place, problem: EngineCase, steps: number): Promise<Uint8Array[]> {
  const states = (engine: NativeTsmixer) => members.map((_, k) => engine.readState(k));
  const samples = allSamples(problem.ends.length);
  const first = openEngine(place, problem, members);
  await trainTo(first, samples, Math.ceil(steps / 2), schedule);
  const halfway = states(first);
  first.free();
  const second = openEngine(place, problem, members);
  for (const [k, state] of halfway.entries()) second.writeState(k, state);
  await trainTo(second, samples, steps, schedule);
  const last = states(second);
  second.free();
  return last;
}

/** True if two structures hold the same bytes and numbers. */
const same = (a: unknown, b: unknown): boolean => isDeepStrictEqual(a, b);
