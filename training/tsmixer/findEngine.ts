// Which engines there are, and which one a machine has.

import { asSluiceError } from '../../core/index.ts';
import { builtSluicePath, findSluice, type Precision } from '../native/index.ts';
import type { TsmixerEngine } from './engine.ts';
import { nativeEngine } from './nativeEngine.ts';
import { tfjsEngine } from './tfjsEngine.ts';

/**
 * The engine of a name, on a device.
 * @param precision of the matrix products of a GPU; a CPU computes in fp32
 * @throws SluiceError `tool_missing`
 */
export function findEngine(
  name: TsmixerEngine['name'],
  device: 'cpu' | 'cuda' = 'cpu',
  precision: Precision = 'tf32',
): TsmixerEngine {
  if (name === 'tfjs') return tfjsEngine();
  return device === 'cpu' ? nativeEngine() : gpuEngine(precision);
}

/** An engine and why it is this one. */
export interface AvailableEngine {
  readonly engine: TsmixerEngine;
  /** one line */
  readonly reason: string;
}

/**
 * The native engine on the GPU if its library is built and a device answers, else on the CPU.
 * @param gpu makes the engine of a GPU, or throws why it cannot
 * @throws SluiceError `tool_missing` if there is neither
 */
export function availableEngine(
  precision: Precision,
  gpu: (precision: Precision) => TsmixerEngine = gpuEngine,
): AvailableEngine {
  try {
    const engine = gpu(precision);
    return { engine, reason: `device auto: ${engine.device.name}, ${precision}` };
  } catch (thrown) {
    const { code, message } = asSluiceError(thrown);
    if (code !== 'tool_missing') throw thrown;
    return { engine: nativeEngine(), reason: `device auto: the CPU, in fp32. ${message}` };
  }
}

const gpuEngine = (precision: Precision): TsmixerEngine =>
  nativeEngine(findSluice(builtSluicePath('cuda')), precision);
