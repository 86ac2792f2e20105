// PyTorch in a process of its own (peers/gpu_torch.py), which keeps its trainings open so that both sides take turns.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectPath } from '../../core/index.ts';
import { type Task, training } from './cases.ts';

/** How PyTorch runs a training; the peer says what each is. */
export type TorchMode = 'eager' | 'reduce-overhead' | 'captured';

/** What PyTorch computes with. */
export interface TorchInfo {
  readonly torch: string;
  readonly cuda: string | null;
  readonly device: string;
  readonly python: string;
}

/** The fastest that the device was seen to be: what a step's time is compared with. */
export interface Ceilings {
  readonly tf32_tflops: number;
  readonly fp32_tflops: number;
  /** bytes read and bytes written together */
  readonly copy_gbytes_per_s: number;
}

/** A training that stands ready in the peer. */
export interface TorchTraining {
  readonly setupSeconds: number;
  /** of the first batch at the first parameters, without dropout */
  readonly firstLoss: number;
  /** Milliseconds of one of so many steps. */
  stepMs(count: number): Promise<number>;
}

/** The process. Its calls reject with PyTorch's own sentence. */
export interface TorchPeer {
  readonly info: TorchInfo;
  ceilings(size: number, bytes: number): Promise<Ceilings>;
  open(task: Task, mode: TorchMode): Promise<TorchTraining>;
  end(): void;
}

type Answer = Readonly<Record<string, unknown>>;

/**
 * Starts the peer.
 * @param python with torch
 * @returns null if it has none
 */
export async function startTorch(python: string): Promise<TorchPeer | null> {
  const script = projectPath('bench', 'peers', 'gpu_torch.py');
  const child = spawn(python, ['-u', script], { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.on('error', () => {}); // its end is seen at its output
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new Error(`PyTorch's process ended: ${signal ?? code}`)),
    );
  });
  ended.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (request: Answer): Promise<Answer> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    let line = '';
    while (!line.startsWith('{')) {
      const { value, done } = await Promise.race([lines.next(), ended]);
      if (done === true) return ended;
      line = value; // what a compiler prints is no answer
    }
    const answer = JSON.parse(line) as Answer;
    if (typeof answer.error === 'string') throw new Error(answer.error);
    return answer;
  };
  const folder = mkdtempSync(join(tmpdir(), 'sluice-gpu-'));
  const end = () => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const info = (await ask({ do: 'info' })) as unknown as TorchInfo;
    return {
      info,
      ceilings: async (size, bytes) =>
        (await ask({ do: 'ceilings', size, bytes })) as unknown as Ceilings,
      open: (task, mode) => openTraining(ask, folder, task, mode),
      end,
    };
  } catch {
    end();
    return null;
  }
}

async function openTraining(
  ask: (request: Answer) => Promise<Answer>,
  folder: string,
  task: Task,
  mode: TorchMode,
): Promise<TorchTraining> {
  const id = `${task.name} ${mode}`;
  const { nTokens, nChannels, hidden, blocks, horizon, head } = task.shape;
  const { learningRate: rate, weightDecay: decay, dropout, clip } = training;
  const { setup_s, first_loss } = await ask({
    do: 'open',
    id,
    mode,
    batch: task.batch,
    ...{ tokens: nTokens, channels: nChannels, hidden, blocks, horizon, head },
    ...{ rate, decay, dropout, clip },
    ...writeArrays(folder, task),
  });
  return {
    setupSeconds: Number(setup_s),
    firstLoss: Number(first_loss),
    stepMs: async (count) => Number((await ask({ do: 'steps', id, count })).step_ms),
  };
}

/** Writes a task's arrays, raw. @returns their paths, by the names that the peer knows them by */
function writeArrays(folder: string, { name, parameters, series, ends, targets }: Task) {
  const arrays = { parameters, series, ends, targets };
  const paths = Object.entries(arrays).map(([array, values]) => {
    if (values === null) return [array, null] as const;
    const path = join(folder, `${name}-${array}`);
    writeFileSync(path, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return [array, path] as const;
  });
  return Object.fromEntries(paths);
}
