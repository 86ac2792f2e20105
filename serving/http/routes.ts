// Every path of the server, with its handler. The predictions stand first: they are looked up most.

import type { Handler } from './exchange.ts';
import {
  infer,
  live,
  modelList,
  modelMetadata,
  modelReady,
  ready,
  serverMetadata,
} from './oipHandlers.ts';
import { predictions } from './predictionHandler.ts';
import type { Service } from './service.ts';

/** One path and what answers it. A POST takes a place in flight, a GET never does. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** `:name` stands for one path segment */
  readonly path: string;
  readonly handle: Handler;
}

const model = '/v2/models/:model';
const versioned = `${model}/versions/:version`;

/** The routes of a service. */
export function routesOf(service: Service, serverVersion: string): readonly Route[] {
  const get = (path: string, handle: Handler): Route => ({ method: 'GET', path, handle });
  const post = (path: string, handle: Handler): Route => ({ method: 'POST', path, handle });
  return [
    post(`${model}/infer`, infer(service)),
    post('/v1/predictions', predictions(service)),
    post(`${versioned}/infer`, infer(service)),
    get('/v2/health/live', live(service)),
    get('/v2/health/ready', ready(service)),
    get('/v2', serverMetadata(serverVersion)),
    get('/v2/models', modelList(service)),
    get(model, modelMetadata(service)),
    get(`${model}/ready`, modelReady(service)),
    get(versioned, modelMetadata(service)),
    get(`${versioned}/ready`, modelReady(service)),
    get('/metrics', exposition(service)),
  ];
}

const exposition =
  (service: Service): Handler =>
  async () => {
    const { contentType, text } = await service.metrics.expose();
    return { status: 200, headers: { 'content-type': contentType }, body: text };
  };
