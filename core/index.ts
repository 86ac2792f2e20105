// Ground floor: imports nothing of ours; everything may import it.

export { canonicalJson, digestOf, sha256Hex } from './canonicalJson.ts';
export { type CodeVersion, readCodeVersion } from './codeVersion.ts';
export type { CommandIo, CommandResult } from './command.ts';
export {
  asSluiceError,
  type ErrorCode,
  errorRegistry,
  renderErrorTable,
  SluiceError,
} from './errors.ts';
export { takeLock } from './fileLock.ts';
export {
  isAlive,
  projectPath,
  publishFolder,
  readJson,
  stagingPath,
  sweepStaging,
  writeFileAtomic,
} from './files.ts';
export {
  blendPolicy,
  type DataRegime,
  dataRegimeSchema,
  type Policy,
  policySchema,
  type RunSource,
  runSourceSchema,
  type ScoreSource,
  scoreSourceSchema,
  treesWeight,
} from './labels.ts';
export { type Progress, silent } from './progress.ts';
export { createProgressBar, type ProgressBar } from './progressBar.ts';
export { createRandom, type Random } from './random.ts';
export { type RunMetrics, type RunRecord, runMetricsSchema, runRecordSchema } from './run.ts';
export { nearest, parseStrict } from './schema.ts';
export { lowerBound, upperBound } from './sorted.ts';
export {
  type Clock,
  dayMs,
  hourMs,
  isoTime,
  minuteMs,
  parseTimeframe,
  systemClock,
  utcDay,
} from './time.ts';
