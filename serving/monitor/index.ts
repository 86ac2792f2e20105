// What an operator sees of a serving process: figures and log lines.
export { createLog, type Log, logLevels } from './log.ts';
export { createMetrics, type ServingMetrics } from './metrics.ts';
