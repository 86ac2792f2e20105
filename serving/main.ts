// The commands of serving. The only file of serving that reads the environment and makes clocks, ids and connections.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type CommandIo, type CommandResult, projectPath, readJson } from '../core/index.ts';
import { openDatabase, recordPredictions } from '../data/store/index.ts';
import { latestArtifactFolder, readKeyFile } from '../models/artifact/index.ts';
import { createService, routesOf, type Service, startServer } from './http/index.ts';
import { type LoadedModel, loadModel } from './load/index.ts';
import { createLog, createMetrics, type Log, logLevels } from './monitor/index.ts';
import {
  createPredictor,
  createRecorder,
  fallbackReasons,
  type Recorder,
  refusalStatus,
} from './route/index.ts';

/** What `serve` is told. */
export interface ServeOptions {
  /** artifact directory; absent: the promoted one of `out`, else the latest */
  readonly artifact?: string;
  readonly host?: string;
  readonly port?: number;
  /** public key that must have signed the artifact; absent: `keys/signing.pub.pem` under `out` */
  readonly key?: string;
  readonly out?: string;
  /** told where the server answers, once the model is ready */
  readonly onReady?: (url: string) => void;
}

const limits = { maxBodyBytes: 8 * 2 ** 20, maxRows: 4096, maxInFlight: 256 };
const times = { deadlineMs: 1000, requestTimeoutMs: 10_000, drainTimeoutMs: 10_000 };
const recordCapacity = 10_000;

/**
 * `serve`: listens, loads the model, answers until `io.signal` is aborted, drains, ends.
 *
 * `LOG_LEVEL` (info, warn, error, silent) and `DATABASE_URL` come from the environment. Predictions are kept in that
 * database; the embedded one belongs to one process at a time and would stop every other command, so it is not used.
 * @throws SluiceError `artifact_refused` | `input_missing` | `io_failed` (address taken); nothing keeps running
 */
export async function serve(options: ServeOptions, io: CommandIo): Promise<CommandResult> {
  const { out = 'artifacts', host = '127.0.0.1', port = 8080 } = options;
  const dir = options.artifact ?? latestArtifactFolder(out);
  const publicKeysPem = [readKeyFile(options.key ?? join(out, 'keys', 'signing.pub.pem'))];
  const log = createLog(logLevels.find((level) => level === io.env.LOG_LEVEL) ?? 'info');
  const store = await openRecorder(io, log);
  const service = assemble(io, log, store);
  const server = await startServer(service, routesOf(service, version()), {
    host,
    port,
    ...times,
  }).catch(closing(store.close));
  const url = `http://${server.host}:${server.port}`;
  let model: LoadedModel | undefined;
  let drained = true;
  try {
    model = await loadModel({ dir, publicKeysPem, nowMs: io.clock() });
    service.install(model);
    announce(log, url, dir, model);
    options.onReady?.(url);
    await aborted(io.signal);
  } finally {
    drained = await server.stop();
    await store.recorder?.flush();
    await store.close();
    await model?.close();
  }
  log.info({ drained }, 'stopped');
  return {
    json: { stopped: true, drained, url, artifact: { path: dir, digest: model.digest } },
    text: drained ? 'Stopped; every request was answered.' : 'Stopped; some requests were cut off.',
    exit: drained ? 0 : 1,
  };
}

interface RecordStore {
  readonly recorder: Recorder | undefined;
  /** wired to the metrics once they exist */
  lost: (count: number, why: string) => void;
  readonly close: () => Promise<void>;
}

async function openRecorder({ env, clock }: CommandIo, log: Log): Promise<RecordStore> {
  const url = env.DATABASE_URL;
  if (url === undefined || url === '') {
    log.warn({}, 'predictions are not kept: set DATABASE_URL to a PostgreSQL server');
    return { recorder: undefined, lost: () => {}, close: async () => {} };
  }
  const database = await openDatabase({ url, folder: null, clock });
  const recorder = createRecorder({
    sink: (batch) => recordPredictions(database, batch),
    capacity: recordCapacity,
    onLost: (count, why, error) => {
      store.lost(count, why);
      if (error !== undefined) log.error({ count, error: String(error) }, 'predictions not kept');
    },
  });
  const store: RecordStore = { recorder, lost: () => {}, close: () => database.close() };
  return store;
}

function assemble({ clock }: CommandIo, log: Log, store: RecordStore): Service {
  const monotonicMs = () => performance.now();
  const metrics = createMetrics({
    refusalReasons: Object.keys(refusalStatus),
    fallbackReasons,
    processMetrics: true,
  });
  store.lost = metrics.recordsLost;
  const { recorder } = store;
  return createService({
    limits,
    metrics,
    clock,
    monotonicMs,
    onFault: (error) => log.error({ error: String(error) }, 'a request failed'),
    predict: createPredictor({
      newId: randomUUID,
      clock,
      monotonicMs,
      deadlineMs: times.deadlineMs,
      recorder,
      onFault: (error) => log.error({ error: String(error) }, 'the network failed'),
    }),
  });
}

/** Passes a rejection on after closing what was open. */
const closing =
  (close: () => Promise<void>) =>
  async (error: unknown): Promise<never> => {
    await close();
    throw error;
  };

function announce(log: Log, url: string, dir: string, { manifest, digest }: LoadedModel): void {
  const { model_name, model_version, policy } = manifest;
  log.info({ url, dir, digest, model_name, model_version, policy }, 'ready');
  if (policy === null) {
    log.warn({}, 'validation promoted no policy: predictions carry no target weight');
  }
  if (!/^http:\/\/(127\.|\[?::1)/.test(url)) {
    log.warn({ url }, 'reachable from other machines, and there is no authentication');
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

const version = (): string =>
  (readJson(projectPath('package.json')) as { version: string }).version;
