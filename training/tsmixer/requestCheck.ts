// What a training must be before any engine sees it. The engines rely on it, and check again where a slip would crash.

import { SluiceError } from '../../core/index.ts';
import { type TsmixerShape, tsmixerOutputs, tsmixerShapeFault } from '../../models/score/index.ts';
import type { SequenceSamples, TsmixerMember, TsmixerRequest, TsmixerTraining } from './types.ts';

/** @throws SluiceError `out_of_range` | `length_mismatch` | `non_finite` */
export function checkRequest({ training, samples, train, stop }: TsmixerRequest): void {
  checkTraining(training);
  checkSamples(training.shape, samples);
  if (train.length === 0) throw outOfRange('A training needs at least one sample to train on.');
  checkIndices('train', train, samples.windowEnds.length);
  checkIndices('stop', stop, samples.windowEnds.length);
  const { weights } = samples;
  if (weights === null) return;
  for (const [name, rows] of Object.entries({ train, stop })) {
    if (rows.length > 0 && rows.every((row) => weights[row] === 0))
      throw outOfRange(`Every sample of ${name} has weight 0; some must count.`);
  }
}

/** Collects all that is wrong with the numbers of a training. */
function checkTraining(training: TsmixerTraining): void {
  const { shape, members, batch, loss, epochs, patience, warmupFrac, threads } = training;
  const fault = tsmixerShapeFault(shape);
  const violations = [
    ...(fault === null ? [] : [`of its shape, ${fault}`]),
    ...members.flatMap(memberViolations),
    ...holds(members.length > 0, 'there must be at least one member'),
    ...holds(isCount(batch), `batch must be an integer of at least 1, not ${batch}`),
    ...holds(isCount(epochs), `epochs must be an integer of at least 1, not ${epochs}`),
    ...holds(isCount(patience + 1), `patience must be an integer of at least 0, not ${patience}`),
    ...holds(isCount(threads + 1), `threads must be an integer of at least 0, not ${threads}`),
    ...holds(warmupFrac >= 0 && warmupFrac < 1, `warmupFrac must be in [0, 1), not ${warmupFrac}`),
    ...holds(loss.kind === 'mse' || isPositive(loss.delta), 'the delta of huber must be positive'),
  ];
  if (violations.length > 0)
    throw outOfRange(`A TSMixer training: ${violations.join('; ')}.`, { violations });
}

function memberViolations(member: TsmixerMember, k: number): string[] {
  const { seed, learningRate, weightDecay, dropout, teacherLambda, clipNorm } = member;
  const notNegative = { learningRate, weightDecay, teacherLambda, clipNorm };
  const wrong = Object.entries(notNegative).filter(([, n]) => !(n >= 0 && Number.isFinite(n)));
  return [
    ...wrong.map(([name, n]) => `${name} must be at least 0, not ${n}`),
    ...holds(
      isCount(seed + 1) && seed < 2 ** 32,
      `seed must be an integer in [0, 2^32), not ${seed}`,
    ),
    ...holds(dropout >= 0 && dropout <= 0.999, `dropout must be in [0, 0.999], not ${dropout}`),
  ].map((violation) => `member ${k}: ${violation}`);
}

/** Checks the arrays of samples against each other and a shape. */
export function checkSamples(shape: TsmixerShape, samples: SequenceSamples): void {
  const { series, windowEnds, targets, teacher, weights } = samples;
  const count = windowEnds.length;
  const outputs = tsmixerOutputs(shape);
  if (series.length % shape.nChannels !== 0)
    throw mismatch('series', series.length, `a multiple of ${shape.nChannels} channels`);
  for (const [name, values, length] of [
    ['targets', targets, count * outputs],
    ['teacher', teacher, count * outputs],
    ['weights', weights, count],
  ] as const) {
    if (values !== null && values.length !== length) throw mismatch(name, values.length, length);
  }
  const after = targets === null ? shape.horizon : 0;
  checkWindows(shape, windowEnds, series.length / shape.nChannels - after);
  checkNumbers('series', series, Number.isFinite);
  checkNumbers('targets', targets, Number.isFinite);
  checkNumbers('teacher', teacher, (value) => Math.abs(value) !== Number.POSITIVE_INFINITY);
  checkNumbers('weights', weights, Number.isFinite);
  const negative = weights?.findIndex((weight) => weight < 0) ?? -1;
  if (negative >= 0) throw outOfRange(`weights[${negative}] is negative; a weight is at least 0.`);
}

/** A sample's window and, where targets come from the series, the rows after it lie inside the series. */
function checkWindows({ nTokens }: TsmixerShape, windowEnds: Int32Array, rows: number): void {
  const outside = windowEnds.findIndex((end) => end < nTokens - 1 || end >= rows);
  if (outside >= 0)
    throw outOfRange(
      `Sample ${outside} ends at row ${windowEnds[outside]}; a window of ${nTokens} rows and what follows it fit from row ${nTokens - 1} to ${rows - 1}.`,
      { sample: outside },
    );
}

/** @throws SluiceError `out_of_range` */
export function checkIndices(name: string, indices: Int32Array, count: number): void {
  const outside = indices.findIndex((index) => index < 0 || index >= count);
  if (outside >= 0)
    throw outOfRange(`${name}[${outside}] is ${indices[outside]}, but there are ${count} samples.`);
}

function checkNumbers(
  name: string,
  values: Float32Array | null,
  allowed: (value: number) => boolean,
): void {
  if (values === null) return;
  for (let i = 0; i < values.length; i += 1) {
    if (!allowed(values[i]!))
      throw new SluiceError('non_finite', `${name}[${i}] is ${values[i]}; give finite numbers.`, {
        name,
        index: i,
      });
  }
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;
const isPositive = (value: number): boolean => value > 0 && Number.isFinite(value);
const holds = (condition: boolean, violation: string): string[] => (condition ? [] : [violation]);
const outOfRange = (message: string, context = {}): SluiceError =>
  new SluiceError('out_of_range', message, context);
const mismatch = (name: string, length: number, expected: number | string): SluiceError =>
  new SluiceError('length_mismatch', `${name} has ${length} numbers, expected ${expected}.`);
