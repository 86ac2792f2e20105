// A server on a free loopback port, around any model, with every clock and bound in the test's hands.

import { createService, routesOf, type Service, startServer } from '../../../serving/http/index.ts';
import type { LoadedModel } from '../../../serving/load/index.ts';
import { createMetrics } from '../../../serving/monitor/index.ts';
import {
  createPredictor,
  fallbackReasons,
  type Recorder,
  refusalStatus,
} from '../../../serving/route/index.ts';
import { fakeModel } from '../fakeModel.ts';

/** What a test sets; everything else is the default. */
export interface RunOptions {
  /** null = no model is installed */
  readonly model?: LoadedModel | null;
  readonly maxBodyBytes?: number;
  readonly maxRows?: number;
  readonly maxInFlight?: number;
  readonly deadlineMs?: number;
  readonly drainTimeoutMs?: number;
  readonly monotonicMs?: () => number;
  readonly clock?: () => number;
  readonly recorder?: Recorder;
}

/** A server under test. */
export interface Running {
  readonly service: Service;
  readonly url: string;
  readonly port: number;
  /** what was reported as a fault, in order */
  readonly faults: unknown[];
  get(path: string): Promise<Answer>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  stop(): Promise<boolean>;
}

/** A response as a test looks at it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read documents of every shape
  readonly json: any;
  readonly bytes: Uint8Array;
}

/** Starts a server. */
export async function run(options: RunOptions = {}): Promise<Running> {
  let ids = 0;
  const faults: unknown[] = [];
  const monotonicMs = options.monotonicMs ?? (() => performance.now());
  const metrics = createMetrics({
    refusalReasons: Object.keys(refusalStatus),
    fallbackReasons,
    processMetrics: false,
  });
  const service = createService({
    limits: {
      maxBodyBytes: options.maxBodyBytes ?? 100_000,
      maxRows: options.maxRows ?? 64,
      maxInFlight: options.maxInFlight ?? 16,
    },
    metrics,
    clock: options.clock ?? (() => 1_700_000_000_000),
    monotonicMs,
    onFault: (error) => faults.push(error),
    predict: createPredictor({
      newId: () => {
        ids += 1;
        return `p${ids}`;
      },
      clock: options.clock ?? (() => 1_700_000_000_000),
      monotonicMs,
      deadlineMs: options.deadlineMs ?? 60_000,
      recorder: options.recorder,
      onFault: (error) => faults.push(error),
    }),
  });
  if (options.model !== null) service.install(options.model ?? fakeModel());
  const server = await startServer(service, routesOf(service, '0.0.0'), {
    host: '127.0.0.1',
    port: 0,
    requestTimeoutMs: 30_000,
    drainTimeoutMs: options.drainTimeoutMs ?? 10_000,
  });
  const url = `http://127.0.0.1:${server.port}`;
  return {
    service,
    url,
    port: server.port,
    faults,
    get: async (path) => read(await fetch(url + path)),
    post: async (path, body, headers = {}) => {
      const raw = typeof body === 'string' || body instanceof Uint8Array;
      const sent = (raw ? body : JSON.stringify(body)) as string;
      return read(await fetch(url + path, { method: 'POST', body: sent, headers }));
    },
    stop: server.stop,
  };
}

async function read(response: Response): Promise<Answer> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const isJson = response.headers.get('content-type') === 'application/json';
  const json = isJson ? JSON.parse(new TextDecoder().decode(bytes)) : undefined;
  return { status: response.status, headers: response.headers, json, bytes };
}
