// What trains the network: what the options ask for, else what the config says. Decided once, before any work.

import { type Progress, SluiceError } from '../../core/index.ts';
import type { Precision } from '../native/index.ts';
import type { EngineReport } from '../report/index.ts';
import { availableEngine, engineId, findEngine, type TsmixerEngine } from '../tsmixer/index.ts';
import type { NeuralConfig } from './config.ts';

/** What a command line may say of the engine; what is absent comes from the config. */
export interface EngineOptions {
  /** default: native */
  readonly engine?: TsmixerEngine['name'];
  readonly device?: NeuralConfig['device'];
  readonly precision?: Precision;
}

/**
 * Finds the engine; where the device is `auto`, progress says which one it is.
 * @returns null without a network
 * @throws SluiceError `bad_usage` for options that contradict each other or the config; `tool_missing`
 */
export function chooseEngine(
  config: NeuralConfig | null,
  options: EngineOptions,
  progress: Progress,
): TsmixerEngine | null {
  const name = options.engine ?? 'native';
  const device = options.device ?? config?.device ?? 'cpu';
  checkOptions(config, { ...options, engine: name, device });
  if (config === null) return null;
  const precision = options.precision ?? config.precision;
  if (name === 'tfjs') return findEngine(name);
  if (device !== 'auto') return findEngine(name, device, precision);
  const { engine, reason } = availableEngine(precision);
  progress.update(reason, 0);
  return engine;
}

/** A result must not be called what it is not: what cannot be done as asked is refused, never done otherwise. */
function checkOptions(
  config: NeuralConfig | null,
  { engine, device, precision }: EngineOptions,
): void {
  const refuse = (why: string) => {
    throw new SluiceError('bad_usage', why, { engine, device, precision });
  };
  if (config === null && (device === 'cuda' || precision !== undefined))
    refuse(
      'Device and precision are those of the network, and this config has none (tsmixer is null): drop --device and --precision. Trees go to a GPU by gbdt.device.',
    );
  if (engine === 'tfjs' && (device === 'cuda' || precision !== undefined))
    refuse(
      'The engine tfjs computes on what its package was made for: choose the engine native, or drop the device cuda and --precision.',
    );
  if (device === 'cpu' && precision === 'tf32')
    refuse('A CPU computes in fp32: drop --precision tf32, or choose the device cuda or auto.');
}

/**
 * What a lineage says of an engine: its id, which decides the bytes, and of a GPU all that the manifest records, so that
 * one lineage never has two digests.
 */
export const engineLineage = (engine: TsmixerEngine) => ({
  engine: engineId(engine),
  ...(engine.device.kind === 'cuda'
    ? { gpu: { name: engine.device.name, driver: engine.device.driver } }
    : {}),
});

/** An engine as reports and manifests tell of it. */
export const engineReport = ({ name, version, device }: TsmixerEngine): EngineReport => ({
  name,
  version,
  device: device.kind,
  device_name: device.name,
  precision: device.precision,
  driver: device.driver,
});
