// A trained LightGBM model: its text, its trees, and LightGBM's own predictions.

import { SluiceError } from '../../core/index.ts';
import { checkMatrix, parseLightgbmText, type TreeEnsemble } from '../../models/score/index.ts';
import type { LightgbmLibrary } from '../native/index.ts';
import { engineOfText, type GbdtEngine } from './engine.ts';

/** Metrics after one round. */
export interface GbdtRound {
  readonly train?: number;
  readonly validation?: number;
}

/** A model whose leaf values lie on the grid of `exactSum.ts`; scores are raw (log-odds for `binary`). */
export interface GbdtModel {
  /** LightGBM's text model: what is stored, and what {@link loadGbdt} reads. */
  readonly text: string;
  /** What made it. */
  readonly engine: GbdtEngine;
  readonly featureCount: number;
  readonly trees: TreeEnsemble;
  /** Number of rounds kept. */
  readonly bestIteration: number;
  /** One entry per round that was trained, the rounds after the best one too; empty for a loaded model. */
  readonly history: readonly GbdtRound[];
  /** LightGBM's own raw scores [rows] of features [rows*F]. @throws SluiceError `length_mismatch` */
  predict(features: Float32Array, rows: number): Float64Array;
  /** LightGBM's own SHAP values [rows*(F+1)], the expected score last. @throws SluiceError `length_mismatch` */
  contributions(features: Float32Array, rows: number): Float64Array;
  /** [F] each: total gain of a feature's splits, and their number. */
  importance(): { readonly gain: Float64Array; readonly split: Float64Array };
  /** LightGBM's JSON dump. */
  dumpJson(): string;
  /** Frees the native model; any later call of `predict` and its like throws `native_failed`. */
  close(): void;
}

/**
 * Opens a text model.
 * @throws SluiceError `input_invalid` when the text is not a LightGBM model of one score per row
 */
export function loadGbdt(
  library: LightgbmLibrary,
  text: string,
  history: readonly GbdtRound[] = [],
): GbdtModel {
  const trees = parseLightgbmText(text);
  const { featureCount } = trees;
  let booster: ReturnType<LightgbmLibrary['loadBooster']> | null = library.loadBooster(text);
  const open = () => {
    if (booster === null) throw new SluiceError('native_failed', 'The model was closed.');
    return booster;
  };
  const ask = (features: Float32Array, rows: number, kind: 'raw' | 'contributions') => {
    checkMatrix(features, rows, featureCount);
    return library.predict(open(), { values: features, rows, columns: featureCount }, kind);
  };
  return {
    text,
    engine: engineOfText(text),
    featureCount,
    trees,
    bestIteration: trees.trees.length,
    history,
    predict: (features, rows) => ask(features, rows, 'raw'),
    contributions: (features, rows) => ask(features, rows, 'contributions'),
    importance: () => ({
      gain: library.importance(open(), 'gain', featureCount),
      split: library.importance(open(), 'split', featureCount),
    }),
    dumpJson: () => library.modelJson(open()),
    close() {
      if (booster !== null) library.freeBooster(booster);
      booster = null;
    },
  };
}
