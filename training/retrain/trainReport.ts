// train_report.json of an artifact: how the model was made and judged. No clock and no database in it, so that
// equal inputs give equal bytes.

import type { ManifestDraft } from '../../models/artifact/index.ts';
import { withoutMachine } from './config.ts';
import type { Experiment } from './experiment.ts';
import type { RunIdentity } from './modelArtifact.ts';
import { windowsOf } from './samples.ts';

/** The training report as a JSON value. */
export function trainReport(identity: RunIdentity, experiment: Experiment): unknown {
  const { validation, samples } = experiment;
  const { dataset } = samples;
  return {
    train_report_version: 1,
    lineage_id: identity.lineageId,
    config: withoutMachine(identity.config),
    config_digest: identity.configDigest,
    code_version: identity.code.commit,
    data_version: dataset.panel.dataVersion,
    dataset_digest: experiment.datasetDigest,
    feature_version: dataset.featureVersion,
    seed: identity.config.seed,
    windows: windowsOf(samples),
    rounds: validation.rounds,
    folds: validation.folds,
    cpcv_paths: validation.cpcvPaths,
    ...(experiment.neural === null
      ? {}
      : { neural: experiment.neural.report, ensemble: experiment.ensemble }),
    arms: experiment.arms,
    promoted_policy: experiment.promotedPolicy,
  };
}

/** What the manifest says of the purged k-folds. */
export function foldMetrics({ validation }: Experiment): ManifestDraft['fold_metrics'] {
  return validation.folds
    .filter(({ scheme }) => scheme === 'purged_k_fold')
    .map(({ scheme: _, fold, test_from: from, test_to: to, ...metrics }) => ({
      fold,
      from,
      to,
      metrics,
    }));
}
