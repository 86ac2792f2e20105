// Opens a model, closed by default: signature, manifest, files, versions and expiry are the artifact room's checks;
// here the very bytes that were verified are opened in ONNX Runtime, and the golden rows replayed through it. A few
// rows are scored by walking the same trees here: that needs no trip through the native library, and gives its bits.

import { asSluiceError, SluiceError } from '../../core/index.ts';
import {
  artifactFile,
  type ExpectedVersions,
  type OpenedArtifact,
  openArtifact,
  refusal,
  tabularInput,
  tabularOutput,
  type Violation,
} from '../../models/artifact/index.ts';
import { flatTreeScorer, type Scorer, treeContributions } from '../../models/score/index.ts';
import { type OnnxSession, openSession } from './session.ts';
import type { LoadedModel } from './types.ts';

/** What to open, and what is trusted. */
export interface LoadOptions {
  /** the artifact's folder */
  readonly dir: string;
  /** trusted keys, PEM text */
  readonly publicKeysPem: readonly string[];
  readonly nowMs: number;
  /** versions that the server insists on */
  readonly expected?: ExpectedVersions;
}

/**
 * Opens the model of an artifact and warms it.
 * @throws SluiceError `artifact_refused` with all of `context.violations` | `input_missing` if there is no such folder
 */
export async function loadModel({ dir, ...options }: LoadOptions): Promise<LoadedModel> {
  const verdict = openArtifact(dir, options);
  if (!verdict.ok) throw refused(dir, verdict.digest, verdict.violations);
  const { artifact } = verdict;
  const { session, walked, contributions } = await prepare(dir, artifact);
  const mismatch = await replay(session, walked, artifact);
  if (mismatch !== undefined) {
    await session.close();
    throw refused(dir, artifact.digest, [mismatch]);
  }
  const { manifest, digest, keyHint } = artifact;
  const score = async (features: Float32Array, rows: number) =>
    rows <= walkedRows ? walked.score(features, rows) : session.run(features, rows);
  return { manifest, digest, keyHint, score, contributions, close: session.close };
}

/** Up to so many rows are walked: a run of the session costs as much as walking about three. */
const walkedRows = 3;

/** The evaluators of the verified trees: ONNX Runtime on the verified bytes, the walk, and TreeSHAP. */
async function prepare(
  dir: string,
  { files, trees, digest }: OpenedArtifact,
): Promise<{
  session: OnnxSession;
  walked: Scorer;
  contributions: LoadedModel['contributions'];
}> {
  try {
    const contributions = treeContributions(trees);
    const session = await openSession(files.get(artifactFile.tabular)!, {
      input: tabularInput,
      output: tabularOutput,
      featureCount: trees.featureCount,
    });
    return { session, walked: flatTreeScorer(trees), contributions };
  } catch (error) {
    const { message } = asSluiceError(error);
    throw refused(dir, digest, [{ code: 'onnx_invalid', message }]);
  }
}

/** The golden rows together, each alone, and walked: the answer must not depend on the batch or on who computes it. */
async function replay(
  session: OnnxSession,
  walked: Scorer,
  { golden, manifest }: OpenedArtifact,
): Promise<Violation | undefined> {
  const width = manifest.feature_schema.length;
  const together = await session.run(golden.features, golden.rows);
  const here = walked.score(golden.features, golden.rows);
  for (let row = 0; row < golden.rows; row += 1) {
    const values = golden.features.subarray(row * width, (row + 1) * width);
    const alone = (await session.run(values, 1))[0];
    const expected = golden.tabular[row];
    if (together[row] === expected && alone === expected && here[row] === expected) continue;
    return {
      code: 'golden_mismatch',
      message: `ONNX Runtime on this machine gives ${together[row]} (alone: ${alone}; walked: ${here[row]}) for golden row ${row}; the trainer had ${expected}.`,
    };
  }
  return undefined;
}

function refused(
  dir: string,
  digest: string | null,
  violations: readonly Violation[],
): SluiceError {
  return new SluiceError('artifact_refused', refusal(dir, violations), { digest, violations });
}
