// Opens a model, closed by default: signature, manifest, files, versions and expiry are the artifact room's checks;
// here the very bytes that were verified are opened in ONNX Runtime, and the golden rows replayed through it. A few
// rows are scored by walking the same trees here: that needs no trip through the native library, and gives its bits.

import { asSluiceError, SluiceError } from '../../core/index.ts';
import {
  artifactFile,
  type ExpectedVersions,
  networkInput,
  networkOutput,
  type OpenedArtifact,
  openArtifact,
  refusal,
  tabularInput,
  tabularOutput,
  type Violation,
} from '../../models/artifact/index.ts';
import {
  flatTreeScorer,
  type TreeEnsemble,
  type TsmixerNetwork,
  treeContributions,
} from '../../models/score/index.ts';
import { replayNetwork, replayTrees } from './goldenReplay.ts';
import { sessionNetwork } from './network.ts';
import { type OnnxSession, type OpenSession, openSession } from './session.ts';
import type { LoadedModel, LoadedNetwork, LoadedTrees } from './types.ts';

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
 * Opens the model of an artifact and warms it: all of its parts, or none.
 * @param open opens a graph; ONNX Runtime unless a test says otherwise
 * @throws SluiceError `artifact_refused` with all of `context.violations` | `input_missing` if there is no such folder
 */
export async function loadModel(
  { dir, ...options }: LoadOptions,
  open: OpenSession = openSession,
): Promise<LoadedModel> {
  const verdict = openArtifact(dir, options);
  if (!verdict.ok) throw refused(dir, verdict.digest, verdict.violations);
  const { artifact } = verdict;
  const sessions: OnnxSession[] = [];
  const close = async () => {
    for (const session of sessions) await session.close();
  };
  const opening: Opening = {
    artifact,
    violations: [],
    open: async (bytes, shape) => {
      const session = await open(bytes, shape);
      sessions.push(session);
      return session;
    },
  };
  const trees = await prepare(opening, artifact.trees, loadTrees);
  const network = await prepare(opening, artifact.network, loadNetwork);
  if (opening.violations.length > 0) {
    await close();
    throw refused(dir, artifact.digest, opening.violations);
  }
  const { manifest, digest, keyHint } = artifact;
  return { manifest, digest, keyHint, trees, network, close };
}

/** A load on its way. */
interface Opening {
  readonly artifact: OpenedArtifact;
  /** everything found against the model so far */
  readonly violations: Violation[];
  readonly open: OpenSession;
}

/** One part of the model, replayed. */
interface Loaded<T> {
  readonly part: T;
  readonly mismatch: Violation | undefined;
}

/** Loads a part, if there is one; whatever goes wrong with it is a violation. */
async function prepare<P, T>(
  opening: Opening,
  verified: P | null,
  load: (verified: P, opening: Opening) => Promise<Loaded<T>>,
): Promise<T | null> {
  if (verified === null) return null;
  try {
    const { part, mismatch } = await load(verified, opening);
    if (mismatch !== undefined) opening.violations.push(mismatch);
    return part;
  } catch (error) {
    opening.violations.push({ code: 'onnx_invalid', message: asSluiceError(error).message });
    return null;
  }
}

/** Up to so many rows are walked: a run of the session costs as much as walking about three. */
const walkedRows = 3;

async function loadTrees(
  trees: TreeEnsemble,
  { artifact, open }: Opening,
): Promise<Loaded<LoadedTrees>> {
  const contributions = treeContributions(trees);
  const session = await open(artifact.files.get(artifactFile.tabular)!, {
    type: 'float64',
    input: tabularInput,
    dims: [trees.featureCount],
    output: tabularOutput,
  });
  const walked = flatTreeScorer(trees);
  const score = async (features: Float32Array, rows: number) =>
    rows <= walkedRows ? walked.score(features, rows) : session.run(features, rows);
  const mismatch = await replayTrees(session, walked, artifact.golden);
  return { part: { score, contributions }, mismatch };
}

async function loadNetwork(
  network: TsmixerNetwork,
  { artifact, open }: Opening,
): Promise<Loaded<LoadedNetwork>> {
  const { nTokens, nChannels } = network.weights.shape;
  const session = await open(artifact.files.get(artifactFile.network)!, {
    type: 'float32',
    input: networkInput,
    dims: [nTokens, nChannels],
    output: networkOutput,
  });
  const part = sessionNetwork(network, session);
  return { part, mismatch: await replayNetwork(part, network, artifact.golden) };
}

function refused(
  dir: string,
  digest: string | null,
  violations: readonly Violation[],
): SluiceError {
  return new SluiceError('artifact_refused', refusal(dir, violations), { digest, violations });
}
