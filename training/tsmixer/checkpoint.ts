// A stopped training as one file: 8 bytes of magic, the header's length (uint32), a header in JSON, per member the
// engine's state, then per member with a best epoch its parameters (float32), and the sha256 of all that. Little-endian.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { canonicalJson, parseStrict, SluiceError, writeFileAtomic } from '../../core/index.ts';
import {
  type SequenceChannel,
  type TsmixerShape,
  tsmixerParameterCount,
  tsmixerShapeFault,
} from '../../models/score/index.ts';
import type { MemberRun } from './memberRun.ts';
import { stateBytes } from './state.ts';
import type { TargetScale } from './targetScale.ts';

/** Where a training stands between two calls of its engine. */
export interface RunRecord {
  /** finished epochs */
  readonly epochs: number;
  /** of the members that still train */
  readonly step: number;
  /** [members] sum of the samples' losses in the epoch that is open */
  readonly lossSums: readonly number[];
  readonly members: readonly MemberRun[];
  /** [members] as the engine gave them */
  readonly states: readonly Uint8Array[];
}

/** A checkpoint: a run, and what it is a run of. */
export interface TsmixerCheckpoint {
  readonly normalization: readonly SequenceChannel[];
  readonly ensembleAlpha: number | null;
  readonly trainReportHash: string | null;
  readonly shape: TsmixerShape;
  /** null = outputs are in label units as they are */
  readonly targetScale: { readonly [P in keyof TargetScale]: readonly number[] } | null;
  readonly engine: string;
  /** sha256 of everything that decides a byte of the result, data included */
  readonly requestDigest: string;
  readonly run: RunRecord;
}

const count = z.int().nonnegative();
const headerSchema = z.strictObject({
  type: z.literal('tsmixer_liquid'),
  normalization: z.array(
    z.strictObject({
      name: z.string(),
      mean: z.number(),
      std: z.number().positive(),
      clip: z.number().positive(),
    }),
  ),
  n_tokens: count,
  n_channels: count,
  ensemble_alpha: z.number().min(0).max(1).nullable(),
  train_report_hash: z.string().nullable(),
  hidden: count,
  blocks: count,
  horizon: count,
  head: z.enum(['flat', 'temporal']),
  kept_channels: count,
  activation: z.enum(['relu', 'gelu']),
  revin: z.boolean(),
  target_scale: z
    .strictObject({ mean: z.array(z.number()), std: z.array(z.number().positive()) })
    .nullable(),
  engine: z.string(),
  request_digest: z.string(),
  epochs: count,
  step: count,
  members: z
    .array(
      z.strictObject({
        active: z.boolean(),
        best_epoch: count,
        loss_sum: z.number(),
        history: z.array(
          z.strictObject({ epoch: count, train: z.number(), stop: z.number().nullable() }),
        ),
      }),
    )
    .min(1),
});
type Header = z.infer<typeof headerSchema>;

const magic = Buffer.from('SLUTSMX\u0001', 'latin1');
const digestBytes = 32;

/** Writes a checkpoint; the file is the old one or the new one, whole. @throws SluiceError `io_failed` */
export function writeCheckpoint(path: string, checkpoint: TsmixerCheckpoint): void {
  const header = Buffer.from(canonicalJson(headerOf(checkpoint)));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const { members, states } = checkpoint.run;
  const best = members.flatMap(({ best: parameters }) =>
    parameters === null ? [] : [new Uint8Array(parameters.buffer)],
  );
  const content = Buffer.concat([magic, length, header, ...states, ...best]);
  writeFileAtomic(path, Buffer.concat([content, sha256(content)]));
}

/** Reads a checkpoint. @throws SluiceError `input_missing` | `input_invalid` */
export function readCheckpoint(path: string): TsmixerCheckpoint {
  const content = wholeContent(path);
  const bodyAt = magic.length + 4 + content.readUInt32LE(magic.length);
  const header = parseHeader(path, content.subarray(magic.length + 4, bodyAt));
  const shape = shapeOf(header);
  const fault = tsmixerShapeFault(shape);
  const parameters = fault === null ? tsmixerParameterCount(shape) : 0;
  const bodyBytes = header.members.reduce(
    (sum, { best_epoch }) => sum + stateBytes(parameters) + (best_epoch > 0 ? 4 * parameters : 0),
    0,
  );
  if (fault !== null || content.length - bodyAt !== bodyBytes)
    throw refused(path, 'its numbers are not those of its shape');
  return {
    normalization: header.normalization,
    ensembleAlpha: header.ensemble_alpha,
    trainReportHash: header.train_report_hash,
    shape,
    targetScale: header.target_scale,
    engine: header.engine,
    requestDigest: header.request_digest,
    run: runOf(header, content.subarray(bodyAt), parameters),
  };
}

/** The file without its digest, which was right. */
function wholeContent(path: string): Buffer {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    const message = `Cannot read ${path}: ${(error as Error).message}`;
    throw new SluiceError('input_missing', message, { path }, error);
  }
  if (!file.subarray(0, magic.length).equals(magic)) throw refused(path, 'it is another file');
  const content = file.subarray(0, -digestBytes);
  if (content.length < magic.length + 4 || !sha256(content).equals(file.subarray(-digestBytes)))
    throw refused(path, 'it is cut short or damaged');
  return content;
}

function parseHeader(path: string, bytes: Buffer): Header {
  let header: unknown;
  try {
    header = JSON.parse(bytes.toString());
  } catch {
    throw refused(path, 'its header is not JSON');
  }
  return parseStrict(headerSchema, header, `checkpoint ${path}`, 'input_invalid');
}

const refused = (path: string, why: string): SluiceError =>
  new SluiceError(
    'input_invalid',
    `${path} is no checkpoint of a TSMixer training that can be read: ${why}; remove it or name another.`,
    { path, why },
  );

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

function headerOf(checkpoint: TsmixerCheckpoint): Header {
  const { shape, targetScale, run } = checkpoint;
  return {
    type: 'tsmixer_liquid',
    normalization: checkpoint.normalization.map(({ name, mean, std, clip }) => ({
      name,
      mean,
      std,
      clip,
    })),
    n_tokens: shape.nTokens,
    n_channels: shape.nChannels,
    ensemble_alpha: checkpoint.ensembleAlpha,
    train_report_hash: checkpoint.trainReportHash,
    hidden: shape.hidden,
    blocks: shape.blocks,
    horizon: shape.horizon,
    head: shape.head,
    kept_channels: shape.keptChannels,
    activation: shape.activation,
    revin: shape.revin,
    target_scale:
      targetScale === null ? null : { mean: [...targetScale.mean], std: [...targetScale.std] },
    engine: checkpoint.engine,
    request_digest: checkpoint.requestDigest,
    epochs: run.epochs,
    step: run.step,
    members: run.members.map(({ active, bestEpoch, history }, k) => ({
      active,
      best_epoch: bestEpoch,
      loss_sum: run.lossSums[k]!,
      history: history.map(({ epoch, train, stop }) => ({ epoch, train, stop })),
    })),
  };
}

const shapeOf = (header: Header): TsmixerShape => ({
  nTokens: header.n_tokens,
  nChannels: header.n_channels,
  hidden: header.hidden,
  blocks: header.blocks,
  horizon: header.horizon,
  head: header.head,
  keptChannels: header.kept_channels,
  activation: header.activation,
  revin: header.revin,
});

function runOf({ epochs, step, members }: Header, body: Buffer, parameters: number): RunRecord {
  let at = 0;
  const take = (bytes: number): Uint8Array => {
    at += bytes;
    return new Uint8Array(body.subarray(at - bytes, at)); // a copy, aligned
  };
  const states = members.map(() => take(stateBytes(parameters)));
  return {
    epochs,
    step,
    states,
    lossSums: members.map(({ loss_sum }) => loss_sum),
    members: members.map(({ active, best_epoch, history }) => ({
      active,
      bestEpoch: best_epoch,
      history,
      best: best_epoch === 0 ? null : new Float32Array(take(4 * parameters).buffer),
    })),
  };
}
