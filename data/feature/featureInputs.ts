// What a feature may read: folded windows of its symbol, the other symbols' values, and the time. Each thing asked for is
// a column that is refilled with every bar; asking twice gives the same column.

import { type BarRings, type BarSeries, barSeriesNames } from './barSeries.ts';
import { type Fold, windowFolds } from './windowFold.ts';

/** A value for a symbol at the newest bar. */
export type Read = (symbol: number) => number;

/** One value for every symbol, with what is needed for means over the others. NaN = not available. */
export interface PeerValues {
  /** [S] */
  readonly values: Float64Array;
  /** Mean of the available values of all symbols but this one; NaN if there is none. */
  readonly meanOfOthers: Read;
  /** How many of the others are available. */
  readonly countOfOthers: Read;
}

/** Handed to a feature when a stream is made. */
export interface FeatureInputs {
  readonly symbolCount: number;
  /** [S] a series folded over the last `bars` bars */
  window(fold: Fold, series: BarSeries, bars: number): Float64Array;
  /** A value of every symbol, to compare across them; `key` names it. */
  peers(key: string, read: Read): PeerValues;
  /** [1] a number that depends on the bar's close time alone */
  clock(read: (closeMs: number) => number): Float64Array;
}

interface WindowGroup {
  readonly fold: Fold;
  readonly series: BarSeries;
  readonly bars: number[];
  readonly columns: Float64Array[];
}

interface PeerGroup extends PeerValues {
  readonly refill: () => void;
}

/** The inputs of one stream, and the function that refills them all after a bar. */
export function createFeatureInputs(
  symbolCount: number,
  rings: BarRings,
): { readonly inputs: FeatureInputs; refill(closeMs: number): void } {
  const windows = new Map<string, WindowGroup>();
  const peers = new Map<string, PeerGroup>();
  const clocks: { readonly read: (closeMs: number) => number; readonly cell: Float64Array }[] = [];
  const inputs: FeatureInputs = {
    symbolCount,
    window: (fold, series, bars) => windowColumn(windows, fold, series, bars, symbolCount),
    peers(key, read) {
      const known = peers.get(key) ?? createPeers(symbolCount, read);
      peers.set(key, known);
      return known;
    },
    clock(read) {
      const cell = new Float64Array(1);
      clocks.push({ read, cell });
      return cell;
    },
  };
  return {
    inputs,
    refill(closeMs) {
      for (const group of windows.values()) foldGroup(group, rings, symbolCount);
      for (const group of peers.values()) group.refill();
      for (const clock of clocks) clock.cell[0] = clock.read(closeMs);
    },
  };
}

function windowColumn(
  windows: Map<string, WindowGroup>,
  fold: Fold,
  series: BarSeries,
  bars: number,
  symbolCount: number,
): Float64Array {
  const key = `${fold} ${barSeriesNames.indexOf(series)}`;
  const group = windows.get(key) ?? { fold, series, bars: [], columns: [] };
  windows.set(key, group);
  const at = group.bars.findIndex((known) => known >= bars);
  if (at >= 0 && group.bars[at] === bars) return group.columns[at]!;
  const column = new Float64Array(symbolCount);
  group.bars.splice(at < 0 ? group.bars.length : at, 0, bars);
  group.columns.splice(at < 0 ? group.columns.length : at, 0, column);
  return column;
}

function foldGroup(group: WindowGroup, rings: BarRings, symbolCount: number): void {
  const fold = windowFolds[group.fold];
  const ring = rings.series[group.series];
  for (let s = 0; s < symbolCount; s += 1) {
    fold(ring, rings.newest(s), group.bars, group.columns, s);
  }
}

function createPeers(symbolCount: number, read: Read): PeerGroup {
  const values = new Float64Array(symbolCount);
  const totals = new Float64Array(2); // sum, count
  const countOfOthers: Read = (s) => totals[1]! - (Number.isNaN(values[s]!) ? 0 : 1);
  return {
    values,
    countOfOthers,
    meanOfOthers(s) {
      const own = values[s]!;
      const count = countOfOthers(s);
      return count === 0 ? Number.NaN : (totals[0]! - (Number.isNaN(own) ? 0 : own)) / count;
    },
    refill() {
      let sum = 0;
      let count = 0;
      for (let s = 0; s < symbolCount; s += 1) {
        const value = read(s);
        values[s] = value;
        if (Number.isNaN(value)) continue;
        sum += value;
        count += 1;
      }
      totals[0] = sum;
      totals[1] = count;
    },
  };
}
