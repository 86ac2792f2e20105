// Which engines there are.

import type { TsmixerEngine } from './engine.ts';
import { nativeEngine } from './nativeEngine.ts';
import { tfjsEngine } from './tfjsEngine.ts';

/** The engine of a name. @throws SluiceError `tool_missing` */
export function findEngine(name: TsmixerEngine['name']): TsmixerEngine {
  return name === 'native' ? nativeEngine() : tfjsEngine();
}
