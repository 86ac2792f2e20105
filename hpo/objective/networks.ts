// Trials of networks: as many as are asked at once are trained as members of one batch.

import { silent } from '../../core/index.ts';
import {
  chooseEngine,
  confirmationSamples,
  confirmNetwork,
  type NetworkConfig,
  type NetworkFits,
  type TrialFits,
  walkForwardNetworks,
} from '../../training/retrain/index.ts';
import { engineId, type TsmixerEngine } from '../../training/tsmixer/index.ts';
import type { TrialOrder, TrialOutcome, Watch } from '../run/index.ts';
import { fitsOf } from './fits.ts';
import { windowOf } from './kept.ts';
import { confirmed, failed, walk } from './outcomes.ts';
import type { ConfirmTask, Task, WalkForwardTask } from './task.ts';

/** A trial whose parameters make a config. */
interface Entrant {
  readonly place: number;
  readonly order: TrialOrder;
  readonly fits: TrialFits;
  readonly config: NetworkConfig;
}

/** Outcomes by the places of their orders. */
type Outcomes = Map<number, TrialOutcome>;

/** Evaluates trials of one task; what cannot be evaluated fails alone, unless the reason is theirs together. */
export async function evaluateNetworks(
  task: Task,
  orders: readonly TrialOrder[],
  watchOf?: (number: number) => Watch | undefined,
): Promise<readonly TrialOutcome[]> {
  const outcomes: Outcomes = new Map();
  const entrants = orders.flatMap((order, place) => {
    try {
      return [entrantOf(task, order, place)];
    } catch (error) {
      outcomes.set(place, failed(error));
      return [];
    }
  });
  try {
    const engine = chooseEngine(task.base.tsmixer, {}, silent)!;
    if (task.kind === 'confirm') await confirmEach(task, engine, entrants, outcomes);
    else if (entrants.length > 0) await walkForward(task, engine, entrants, outcomes, watchOf);
  } catch (error) {
    for (const { place } of entrants) {
      if (!outcomes.has(place)) outcomes.set(place, failed(error));
    }
  }
  return orders.map((_, place) => outcomes.get(place)!);
}

function entrantOf(task: Task, order: TrialOrder, place: number): Entrant {
  const fits = fitsOf(task, order);
  const { config } = fits;
  const tsmixer = { ...config.tsmixer!, threads: order.threads };
  return { place, order, fits, config: { ...config, tsmixer } };
}

async function walkForward(
  task: WalkForwardTask,
  engine: TsmixerEngine,
  entrants: readonly Entrant[],
  outcomes: Outcomes,
  watchOf: ((number: number) => Watch | undefined) | undefined,
): Promise<void> {
  const { fits } = entrants[0]!;
  const window = (await windowOf(task, fits)).networks();
  const extra = { engine: engineId(engine) };
  const walks = entrants.map(({ config, order }) =>
    walk(task, config, watchOf?.(order.number), extra),
  );
  const folds = walkForwardNetworks(
    networkFits(fits, engine),
    window,
    entrants.map(({ config }) => config),
    (k) => !outcomes.has(entrants[k]!.place),
  );
  for await (const found of folds) {
    for (const [k, fold] of found.entries()) {
      if (fold === null) continue;
      const outcome = fold.kind === 'failed' ? failed(fold.error) : await walks[k]!.step(fold.run);
      if (outcome !== null) outcomes.set(entrants[k]!.place, outcome);
    }
  }
}

async function confirmEach(
  task: ConfirmTask,
  engine: TsmixerEngine,
  entrants: readonly Entrant[],
  outcomes: Outcomes,
): Promise<void> {
  for (const { place, fits, config } of entrants) {
    try {
      const samples = await confirmationSamples(config, task, fits.signal);
      const found = await confirmNetwork(networkFits(fits, engine), config, samples);
      outcomes.set(place, confirmed(task, config, found, { engine: engineId(engine) }));
    } catch (error) {
      outcomes.set(place, failed(error));
    }
  }
}

const networkFits = ({ library, signal }: TrialFits, engine: TsmixerEngine): NetworkFits => ({
  ...{ library, engine, signal },
});
