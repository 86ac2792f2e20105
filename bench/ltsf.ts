// Long-term forecasting on a benchmark file: TSMixer and the closed-form shared-channel ridge on identical windows,
// by the protocol of the TSMixer paper (docs/ltsf.md). The config of a data set and horizon was chosen by validation loss.
// usage: node bench/ltsf.ts --csv FILE --horizon H [--lookback 512] [--seeds 5] [--threads 0] [--json]

import { parseArgs } from 'node:util';
import { asSluiceError, SluiceError } from '../core/index.ts';
import { configOf } from './ltsf/configs.ts';
import { fitMixer } from './ltsf/mixer.ts';
import { fitSharedRidge } from './ltsf/ridge.ts';
import {
  cutWindows,
  type ForecastErrors,
  forecastErrors,
  readSeries,
  standardise,
} from './ltsf/series.ts';

interface Options {
  readonly csv: string;
  readonly lookback: number;
  readonly horizon: number;
  readonly seeds: number;
  readonly threads: number;
}

interface Measured extends ForecastErrors {
  readonly validation_mse: number;
  readonly seconds: number;
}

try {
  const { json, ...options } = readOptions();
  const result = await measure(options);
  process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : table(result));
} catch (thrown) {
  const error = asSluiceError(thrown);
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.exit;
}

function readOptions(): Options & { json: boolean } {
  const { values } = parseArgs({
    options: {
      csv: { type: 'string' },
      lookback: { type: 'string', default: '512' },
      horizon: { type: 'string' },
      seeds: { type: 'string', default: '5' },
      threads: { type: 'string', default: '0' },
      json: { type: 'boolean', default: false },
    },
  });
  const { csv, json } = values;
  if (csv === undefined) throw new SluiceError('bad_usage', 'Name the data: --csv FILE.');
  const whole = (name: 'lookback' | 'horizon' | 'seeds' | 'threads', least: number) => {
    const number = Number(values[name] ?? Number.NaN);
    if (Number.isInteger(number) && number >= least) return number;
    throw new SluiceError('bad_usage', `--${name} must be an integer of at least ${least}.`);
  };
  return {
    csv,
    json,
    lookback: whole('lookback', 1),
    horizon: whole('horizon', 1),
    seeds: whole('seeds', 1),
    threads: whole('threads', 0),
  };
}

async function measure({ csv, lookback, horizon, seeds, threads }: Options) {
  const series = readSeries(csv);
  const width = series.columns.length;
  const windows = cutWindows(series, lookback, horizon);
  const values = standardise(series);
  const errorsOf = (ends: Int32Array, forecasts: Float32Array | Float64Array) =>
    forecastErrors(values, width, ends, horizon, forecasts);

  const ridgeBegin = process.hrtime.bigint();
  const ridge = fitSharedRidge(values, width, windows, lookback, horizon);
  const ridgeErrors: Measured = {
    ...errorsOf(windows.test, ridge.forecast(windows.test)),
    validation_mse: ridge.validationMse,
    seconds: secondsSince(ridgeBegin),
  };

  const mixerBegin = process.hrtime.bigint();
  const config = configOf(series.name, horizon);
  const seedList = Array.from({ length: seeds }, (_, i) => i);
  const shape = { lookback, horizon };
  const mixer = await fitMixer(values, width, windows, shape, config, seedList, threads);
  const validation = errorsOf(windows.validation, await mixer.forecast(windows.validation));
  const mixerErrors: Measured = {
    ...errorsOf(windows.test, await mixer.forecast(windows.test)),
    validation_mse: validation.mse,
    seconds: secondsSince(mixerBegin),
  };
  return {
    bench: 'ltsf',
    data: { name: series.name, rows: series.rows, columns: width },
    protocol: {
      lookback,
      horizon,
      windows: {
        train: windows.train.length,
        validation: windows.validation.length,
        test: windows.test.length,
      },
    },
    ridge: { lambda: ridge.lambda, ...ridgeErrors },
    tsmixer: { config, members: mixer.members, ...mixerErrors },
  };
}

function secondsSince(begin: bigint): number {
  return Number(process.hrtime.bigint() - begin) / 1e9;
}

function table({ data, protocol, ridge, tsmixer }: Awaited<ReturnType<typeof measure>>): string {
  const { lookback, horizon, windows } = protocol;
  const row = (name: string, { mse, mae, validation_mse, seconds }: Measured) =>
    `${name.padEnd(22)} ${mse.toFixed(4)}  ${mae.toFixed(4)}  ${validation_mse.toFixed(4)}      ${seconds.toFixed(0)}\n`;
  return [
    `${data.name}: ${data.rows} rows x ${data.columns}; ${lookback} -> ${horizon}; `,
    `${windows.train} / ${windows.validation} / ${windows.test} windows\n`,
    'standardised           MSE     MAE     validation  seconds\n',
    row('ridge', ridge),
    row(`TSMixer, mean of ${tsmixer.members.length}`, tsmixer),
  ].join('');
}
