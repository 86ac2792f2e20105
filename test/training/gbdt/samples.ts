// Rows to learn from: drawn from a seed, or made of real bars.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { createRandom } from '../../../core/index.ts';
import { sharedData } from '../../sharedData.ts';

/** Rows with labels; column 3 holds categories 0 to 11, the others normal numbers, 5 % of them missing. */
export function drawnRows(rows: number, featureCount = 8, seed = 1) {
  const random = createRandom(seed);
  const features = new Float32Array(rows * featureCount);
  const labels = new Float32Array(rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < featureCount; column += 1) {
      const value = column === 3 ? random.integer(12) : random.normal();
      features[row * featureCount + column] = random.uniform() < 0.05 ? Number.NaN : value;
    }
    const [x0 = 0, x1 = 0, , x3 = 0] = features
      .subarray(row * featureCount, row * featureCount + 4)
      .map((value) => (Number.isNaN(value) ? 0 : value));
    labels[row] = x0 * x1 + Math.sin(3 * x1) + (x3 % 3) + 0.3 * random.normal();
  }
  return { features, rows, featureCount, labels, categorical: [3] };
}

const lags = [1, 2, 4, 8, 24, 72, 168];

/**
 * One row for each hour of BTC and ETH 2018-2024 (116,928): returns over several windows (NaN where a bar is missing
 * or too early), range, volume change, taker share, exact zeros where nothing moved, hour and symbol as categories;
 * the label is the next hour's return.
 */
export function realRows() {
  const file = sharedData('market', 'ohlcv_1h_spot_btc_eth_2018_2024_trades.csv.gz');
  const lines = gunzipSync(readFileSync(file)).toString('utf8').trimEnd().split('\n').slice(1);
  const bars = lines.map((line) => {
    const [symbol, ...numbers] = line.split(',');
    const [ts = 0, , high = 0, low = 0, close = 0, volume = 0, , , takerBuy = 0] =
      numbers.map(Number);
    return { symbol, ts, high, low, close, volume, takerBuy };
  });
  const featureCount = lags.length + 5;
  const features = new Float32Array(bars.length * featureCount);
  const labels = new Float32Array(bars.length);
  bars.forEach((bar, row) => {
    const before = (lag: number) => {
      const other = bars[row - lag];
      return other !== undefined &&
        other.symbol === bar.symbol &&
        bar.ts - other.ts === lag * 3_600_000
        ? other
        : undefined;
    };
    features.set(
      [
        ...lags.map((lag) => Math.log(bar.close / (before(lag)?.close ?? Number.NaN))),
        bar.high / bar.low - 1,
        bar.volume - (before(1)?.volume ?? Number.NaN),
        bar.takerBuy / bar.volume - 0.5,
        Math.floor(bar.ts / 3_600_000) % 24,
        bar.symbol === 'BTCUSDT' ? 0 : 1,
      ],
      row * featureCount,
    );
    const next = bars[row + 1];
    labels[row] = next !== undefined && next.symbol === bar.symbol ? next.close / bar.close - 1 : 0;
  });
  const categorical = [featureCount - 2, featureCount - 1];
  return { features, rows: bars.length, featureCount, labels, categorical };
}
