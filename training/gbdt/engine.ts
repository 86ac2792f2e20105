// Where trees are grown, and what that means for whoever reads the model: LightGBM on CUDA is an explicit choice, because
// two runs of it differ.

import { SluiceError } from '../../core/index.ts';

/** Where trees are grown. */
export type GbdtDevice = 'cpu' | 'cuda';

/** What a manifest tells of a model's making. */
export interface GbdtEngine {
  readonly device: GbdtDevice;
  /** true = the same data, parameters and library give the same text, for any number of threads */
  readonly reproducible: boolean;
}

/** The engine of a fit with these parameters. */
export const gbdtEngine = ({ device }: { readonly device: GbdtDevice }): GbdtEngine => ({
  device,
  reproducible: device === 'cpu',
});

/** The engine that made a text model, from the parameters that its text ends with. */
export const engineOfText = (text: string): GbdtEngine =>
  gbdtEngine({ device: /^\[device_type: cuda\]$/m.test(text) ? 'cuda' : 'cpu' });

/** What a person should know before a fit with these parameters, a sentence each; none for the CPU. */
export const gbdtWarnings = ({ device }: { readonly device: GbdtDevice }): readonly string[] =>
  device === 'cpu'
    ? []
    : [
        'Trees on cuda are not reproducible: LightGBM adds up histograms with atomics on floating-point numbers, in an order that changes from run to run, and near ties between splits fall either way. The manifest says so.',
        'Only the trees are grown on the GPU: binning, and the loss that early stopping watches after every round, stay on the CPU. Below about a million rows the CPU is the faster device.',
      ];

/** @throws SluiceError `config_invalid` if runs with these parameters cannot be expected to give the same bytes */
export function requireReproducible({ device }: { readonly device: GbdtDevice }): void {
  if (device === 'cpu') return;
  throw new SluiceError(
    'config_invalid',
    `Reproducibility cannot be verified with gbdt.device cuda: LightGBM's sums on CUDA have no fixed order. Set gbdt.device to cpu.`,
    { device },
  );
}
