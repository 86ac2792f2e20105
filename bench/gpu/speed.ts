// Steps a second of the engine and of PyTorch on the same device: same network, same samples, same optimiser, all data on
// the device. Everything measured is opened first, then all take turns round by round, so that a slow moment falls on each.

import {
  allSamples,
  evaluateOn,
  gradientErrorBound,
  trainTo,
} from '../../test/training/native/engineCase.ts';
import { summarise } from '../harness.ts';
import { makeTask, type Network, openEngine, type Place, type Task, taskMembers } from './cases.ts';
import { floorShares, stepFlop } from './floors.ts';
import { judge, type Protocol, skip } from './protocol.ts';
import type { Ceilings, TorchMode, TorchPeer, TorchTraining } from './torchPeer.ts';

/** How much is measured. */
export interface Plan {
  readonly networks: readonly Network[];
  /** members trained at once, of the first network */
  readonly groups: readonly number[];
  readonly rows: number;
  readonly rounds: number;
  /** a measurement makes steps for at least so long */
  readonly leastMs: number;
  readonly modes: readonly TorchMode[];
  /** sizes of the ceilings' matrix product and copy */
  readonly product: number;
  readonly copyBytes: number;
  /** whether the times mean something */
  readonly judged: boolean;
  /** no round begins after this, in ms of process.hrtime; a mode that is not ready by then is left out */
  readonly deadlineMs: number;
}

/** Bars of the speed table: times PyTorch's steps (or models' steps) a second. */
const bars: readonly (readonly [
  network: string,
  members: number,
  mode: TorchMode,
  times: number,
])[] = [
  ['desk', 1, 'eager', 10],
  ['desk', 1, 'reduce-overhead', 3],
  ['desk', 64, 'eager', 30],
];

/** Something that makes steps, and what they took. */
interface Runner {
  readonly network: Network;
  readonly side: 'tf32' | 'fp32' | TorchMode;
  readonly members: number;
  /** milliseconds of a step of all members, one a round */
  readonly times: number[];
  stepMs(count: number): Promise<number>;
  close(): void;
}

/** Measures, and judges against the bars. `places` = the precisions to measure, the first one everywhere. */
export async function measureSpeed(
  protocol: Protocol,
  places: readonly Place[],
  torch: TorchPeer | null,
  plan: Plan,
): Promise<void> {
  const runners: Runner[] = [];
  try {
    const tasks = plan.networks.map((network) => makeTask(network, plan.rows));
    const [place, ...others] = places;
    const ours = [
      ...tasks.map((task) => [place!, task, 1] as const),
      ...others.map((other) => [other, tasks[0]!, 1] as const),
      ...plan.groups.map((count) => [place!, tasks[0]!, count] as const),
    ];
    for (const one of ours) {
      await orTold(protocol, nameOf(one[1].name, one[2], one[0].precision), () => {
        runners.push(ourRunner(...one));
      });
    }
    const ceilings = torch === null ? null : await measureCeilings(protocol, torch, plan);
    if (torch !== null)
      runners.push(...(await theirRunners(protocol, places[0]!, tasks, torch, plan)));
    await takeTurns(protocol, runners, plan);
    protocol.record('speed', table(runners, ceilings));
    if (plan.judged) await judgeBars(protocol, runners, places[0]!.precision);
  } finally {
    for (const runner of runners) runner.close();
  }
}

async function measureCeilings(
  protocol: Protocol,
  torch: TorchPeer,
  { product, copyBytes }: Plan,
): Promise<Ceilings> {
  const ceilings = await torch.ceilings(product, copyBytes);
  protocol.record('ceilings', ceilings);
  const { tf32_tflops, fp32_tflops, copy_gbytes_per_s } = ceilings;
  protocol.say(
    `ceilings: ${tf32_tflops.toPrecision(3)} TFLOP/s of TF32 products, ${fp32_tflops.toPrecision(3)} of fp32, copies at ${copy_gbytes_per_s.toPrecision(3)} GB/s`,
  );
  return ceilings;
}

function ourRunner(place: Place, task: Task, members: number): Runner {
  const engine = openEngine(place, task, taskMembers(members), task.parameters);
  const samples = allSamples(task.ends.length);
  let at = 0;
  return {
    network: task,
    side: place.precision,
    members,
    times: [],
    async stepMs(count) {
      await trainTo(engine, samples, at + 3);
      at += 3 + count;
      const begin = process.hrtime.bigint();
      const stats = await trainTo(engine, samples, at);
      const ms = Number(process.hrtime.bigint() - begin) / 1e6 / count;
      const lost = stats.find(({ loss }) => !(loss > 0 && loss < 100));
      if (lost !== undefined) throw new Error(`A loss of ${lost.loss}: the times mean nothing.`);
      return ms;
    },
    close: () => engine.free(),
  };
}

/** Opens PyTorch's trainings, as many as are ready in time; each must begin at our loss. */
async function theirRunners(
  protocol: Protocol,
  place: Place,
  tasks: readonly Task[],
  torch: TorchPeer,
  { modes, deadlineMs }: Plan,
): Promise<Runner[]> {
  const runners: Runner[] = [];
  for (const mode of modes) {
    // the whole step in one graph is the peer's best: measured where the bars are
    for (const task of mode === 'captured' ? tasks.slice(0, 1) : tasks) {
      await protocol.look('torch', `${task.name}, ${mode}: begins at our loss`, async () => {
        if (nowMs() > deadlineMs) return skip('no time left');
        const one = await torch.open(task, mode);
        runners.push(theirRunner(task, mode, one));
        const distance = Math.abs(one.firstLoss / (await firstLoss(place, task)) - 1);
        // each within one bound of the truth, and a share of an output is twice that in its square
        const most = 4 * gradientErrorBound(task.shape, task.batch);
        return judge(
          distance <= most,
          `distance ${distance.toExponential(1)}, at most ${most.toExponential(1)}; ready after ${one.setupSeconds.toFixed(1)} s`,
        );
      });
    }
  }
  return runners;
}

const theirRunner = (network: Network, mode: TorchMode, training: TorchTraining): Runner => ({
  network,
  side: mode,
  members: 1,
  times: [],
  stepMs: (count) => training.stepMs(count),
  close: () => {},
});

/** Loss of the first batch in fp32, which PyTorch is asked for too. */
async function firstLoss(place: Place, task: Task): Promise<number> {
  const engine = openEngine({ ...place, precision: 'fp32' }, task, taskMembers(1), task.parameters);
  try {
    return (await evaluateOn(engine, allSamples(task.batch)))[0]!.loss;
  } finally {
    engine.free();
  }
}

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

async function takeTurns(protocol: Protocol, runners: Runner[], plan: Plan): Promise<void> {
  const counts = new Map<Runner, number>();
  /** one that fails is told of and left out from then on */
  const eachInTurn = async (work: (runner: Runner) => Promise<void>) => {
    for (const runner of [...runners]) {
      const { network, members, side } = runner;
      if (await orTold(protocol, nameOf(network.name, members, side), () => work(runner))) continue;
      runners.splice(runners.indexOf(runner), 1);
      runner.close();
    }
  };
  await eachInTurn(async (runner) => {
    const first = await runner.stepMs(plan.leastMs === 0 ? 1 : 5);
    counts.set(runner, Math.max(1, Math.ceil(plan.leastMs / first)));
  });
  for (let round = 0; round < plan.rounds; round += 1) {
    if (round > 0 && nowMs() > plan.deadlineMs) {
      protocol.say(`speed: no time left after ${round} of ${plan.rounds} rounds`);
      return;
    }
    await eachInTurn(async (runner) => {
      runner.times.push(await runner.stepMs(counts.get(runner)!));
    });
    protocol.say(`speed: round ${round + 1} of ${plan.rounds}`);
  }
}

const nameOf = (network: string, members: number, side: string): string =>
  `${network}, ${members === 1 ? 'one model' : `${members} members`}, ${side}`;

/** Does something that is worth a line only if it fails. @returns whether it did not */
async function orTold(
  protocol: Protocol,
  name: string,
  work: () => void | Promise<void>,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    await protocol.look('speed', name, () => Promise.reject(error));
    return false;
  }
}

const medianMs = ({ times }: Runner): number => summarise(times).median_s;

/** Times PyTorch's steps a second, counting each member's as one; null where that mode was not measured. */
function speedup(runners: readonly Runner[], runner: Runner, mode: TorchMode): number | null {
  const theirs = runners.find(
    (one) => one.side === mode && one.network.name === runner.network.name,
  );
  return theirs === undefined ? null : (medianMs(theirs) * runner.members) / medianMs(runner);
}

function table(runners: readonly Runner[], ceilings: Ceilings | null) {
  return runners.map((runner) => {
    const { network, side, members, times } = runner;
    const { median_s: median, min_s: min, max_s: max, n } = summarise(times);
    const ours = side === 'tf32' || side === 'fp32';
    return {
      network: network.name,
      batch: network.batch,
      ...network.shape,
      side,
      members,
      step_ms: { median, min, max, n },
      steps_per_s: 1000 / median,
      model_steps_per_s: (1000 * members) / median,
      tflops: (members * stepFlop(network)) / median / 1e9,
      ...(ours
        ? {
            times_torch_eager: speedup(runners, runner, 'eager'),
            times_torch_reduce_overhead: speedup(runners, runner, 'reduce-overhead'),
            times_torch_captured: speedup(runners, runner, 'captured'),
          }
        : {}),
      ...(ceilings === null ? {} : floorShares(network, members, median, ceilings)),
    };
  });
}

async function judgeBars(
  protocol: Protocol,
  runners: readonly Runner[],
  side: Runner['side'],
): Promise<void> {
  for (const [name, members, mode, bar] of bars) {
    const what = `${nameOf(name, members, side)}: at least ${bar} times torch ${mode}`;
    await protocol.look('speed', what, () => {
      const runner = runners.find(
        (one) => one.network.name === name && one.members === members && one.side === side,
      );
      const times = runner === undefined ? null : speedup(runners, runner, mode);
      return times === null
        ? skip('not measured')
        : judge(times >= bar, `${times.toPrecision(3)} times`);
    });
  }
}
