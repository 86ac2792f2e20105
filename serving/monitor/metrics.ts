// What Prometheus reads. The only file that knows prom-client; each server has a registry of its own.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** What the serving process counts. */
export interface ServingMetrics {
  /** One answered request. @param route the pattern of its path, never the path itself @param seconds arrival to answer */
  answered(route: string, status: number, seconds: number): void;
  /** @param policy the one that answered: `tabular_only` in a fall-back */
  predicted(policy: string, rows: number): void;
  /** Rows that the trees answered because the network could not. */
  fellBack(reason: string, rows: number): void;
  refused(reason: string): void;
  /** Where the number of predictions between arrival and answer is read, once per scrape. */
  watchInFlight(count: () => number): void;
  recordsLost(count: number, why: string): void;
  /** The model that answers from now on. */
  serves(model: ServedIdentity): void;
  /** The exposition text and its media type. */
  expose(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** What is shown of the model that answers. */
export interface ServedIdentity {
  readonly digest: string;
  readonly keyHint: string;
  readonly manifest: {
    readonly model_name: string;
    readonly model_version: string;
    readonly feature_version: string;
  };
}

/** Upper bounds in seconds: fine around the 0.5 ms and 2 ms that the service promises. */
const buckets = [
  0.0001, 0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.005, 0.01, 0.05, 0.25, 1,
];

/** Settings of {@link createMetrics}. */
export interface MetricsOptions {
  /** every reason a refusal may have, so that each series starts at 0 and a rate can be taken */
  readonly refusalReasons: readonly string[];
  /** every reason a fall-back may have */
  readonly fallbackReasons: readonly string[];
  /** also the process's own memory, event loop and GC figures */
  readonly processMetrics: boolean;
}

/** Metrics in a registry of their own. */
export function createMetrics(options: MetricsOptions): ServingMetrics {
  const { refusalReasons, fallbackReasons, processMetrics } = options;
  const registry = new Registry();
  const registers = [registry];
  if (processMetrics) collectDefaultMetrics({ register: registry });
  const latency = new Histogram({
    name: 'sluice_request_seconds',
    help: 'Seconds from the arrival of a request to its answer',
    labelNames: ['route', 'status'],
    buckets,
    registers,
  });
  const rows = new Counter({
    name: 'sluice_predictions_total',
    help: 'Rows scored, by the policy that answered',
    labelNames: ['policy'],
    registers,
  });
  const fallbacks = new Counter({
    name: 'sluice_fallbacks_total',
    help: 'Rows answered by tabular_only in place of a policy whose network could not answer, by reason',
    labelNames: ['reason'],
    registers,
  });
  const refusals = new Counter({
    name: 'sluice_refusals_total',
    help: 'Requests not served, by reason; schema_mismatch is the failed handshake',
    labelNames: ['reason'],
    registers,
  });
  let countInFlight = () => 0;
  new Gauge({
    name: 'sluice_in_flight',
    help: 'Predictions between arrival and answer',
    registers,
    collect() {
      this.set(countInFlight());
    },
  });
  const lost = new Counter({
    name: 'sluice_records_lost_total',
    help: 'Prediction records that were not kept',
    labelNames: ['why'],
    registers,
  });
  const artifact = new Gauge({
    name: 'sluice_artifact_info',
    help: '1 for the artifact that answers',
    labelNames: ['model_name', 'model_version', 'feature_version', 'digest', 'key_hint'],
    registers,
  });
  for (const reason of refusalReasons) refusals.inc({ reason }, 0);
  for (const reason of fallbackReasons) fallbacks.inc({ reason }, 0);
  const series = new Map<string, ReturnType<typeof latency.labels>>();

  return {
    answered(route, status, seconds) {
      // prom-client hashes labels on every call; the few series there are get looked up once
      const key = `${status} ${route}`;
      let one = series.get(key);
      if (one === undefined) {
        one = latency.labels(route, String(status));
        series.set(key, one);
      }
      one.observe(seconds);
    },
    predicted: (policy, count) => rows.inc({ policy }, count),
    fellBack: (reason, count) => fallbacks.inc({ reason }, count),
    refused: (reason) => refusals.inc({ reason }),
    watchInFlight(count) {
      countInFlight = count;
    },
    recordsLost: (count, why) => lost.inc({ why }, count),
    serves({ manifest, digest, keyHint }) {
      artifact.reset();
      const { model_name, model_version, feature_version } = manifest;
      artifact.set({ model_name, model_version, feature_version, digest, key_hint: keyHint }, 1);
    },
    expose: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}
