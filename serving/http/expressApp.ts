// The only file that knows Express: routes become layers, everything that goes wrong becomes {"error"}.

import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type ErrorRequestHandler, type RequestHandler, type Response } from 'express';
import { type Refusal, type RefusalReason, refuse } from '../route/index.ts';
import { type HttpResponse, refusalResponse } from './exchange.ts';
import type { Route } from './routes.ts';
import type { Service } from './service.ts';

/** Sent with every answer: nothing here is a page, and no answer is worth keeping. */
const securityHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
} as const;

const noBody = new Uint8Array(0);

/**
 * A listener for `node:http`.
 * @param service its limits, phase and metrics
 */
export function createApp(
  service: Service,
  routes: readonly Route[],
): (request: IncomingMessage, response: ServerResponse) => void {
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing');
  app.set('query parser', false);
  const body = express.raw({
    type: () => true,
    limit: service.limits.maxBodyBytes,
    inflate: false,
  });
  for (const route of routes) {
    const answer = answerWith(service, route);
    if (route.method === 'GET') app.get(route.path, answer);
    else app.post(route.path, admit(service, route), body, answer);
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    app.all(path, onlyMethods(service, routes, path));
  }
  app.use(((request, response) => {
    const refusal = refuse('unknown_route', `Nothing answers ${request.method} on this path.`);
    send(service, response, 'none', refusalResponse(refusal));
  }) satisfies RequestHandler);
  app.use(failed(service));
  return app;
}

/** Takes a place in flight before the body is read, and gives it back when the answer is out or the caller gone. */
function admit(service: Service, { path }: Route): RequestHandler {
  return (_request, response, next) => {
    response.locals.arrivedMs = service.monotonicMs();
    const refusal = service.enter();
    if (refusal !== undefined) {
      send(service, response, path, refusalResponse(refusal));
      return;
    }
    response.once('close', service.leave);
    next();
  };
}

function answerWith(service: Service, { path, handle }: Route): RequestHandler {
  return async (request, response) => {
    response.locals.arrivedMs ??= service.monotonicMs();
    const answer = await handle({
      params: request.params as Record<string, string>,
      headers: request.headers,
      body: request.body instanceof Uint8Array ? request.body : noBody,
      arrivedMs: response.locals.arrivedMs as number,
    });
    send(service, response, path, answer);
  };
}

function onlyMethods(service: Service, routes: readonly Route[], path: string): RequestHandler {
  const allowed = routes.filter((route) => route.path === path).map(({ method }) => method);
  return (request, response) => {
    const refusal = refuse(
      'method_not_allowed',
      `${path} takes ${allowed.join(', ')}; found ${request.method}.`,
    );
    const answer = refusalResponse(refusal);
    send(service, response, path, {
      ...answer,
      headers: { ...answer.headers, allow: allowed.join(', ') },
    });
  };
}

/** Errors of the body reader, of path decoding, and faults of our own. */
function failed(service: Service): ErrorRequestHandler {
  return (error: unknown, _request, response, _next) => {
    send(service, response, 'none', refusalResponse(refusalOf(service, error)));
  };
}

function refusalOf(service: Service, error: unknown): Refusal {
  const { status, message } = error as { status?: unknown; message?: unknown };
  const reason = bodyReasons[Number(status)];
  if (reason !== undefined) return refuse(reason, `The request cannot be read: ${message}.`);
  service.onFault(error);
  return refuse('internal', 'The server failed on this request; its log says why.');
}

/** Reasons by the status that Express and its body reader put on their errors. */
const bodyReasons: Readonly<Record<number, RefusalReason>> = {
  400: 'malformed',
  413: 'too_large',
  415: 'unsupported_encoding',
};

function send(service: Service, response: Response, route: string, answer: HttpResponse): void {
  if (!response.headersSent && !response.destroyed) write(service, response, answer);
  // counted when the bytes are already on their way: the caller does not wait for it
  const { metrics } = service;
  if (answer.refused !== undefined) metrics.refused(answer.refused);
  const now = service.monotonicMs();
  const arrivedMs = (response.locals.arrivedMs as number | undefined) ?? now;
  metrics.answered(route, answer.status, (now - arrivedMs) / 1000);
}

function write(service: Service, response: Response, answer: HttpResponse): void {
  const { body } = answer;
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  response.writeHead(answer.status, {
    ...securityHeaders,
    ...answer.headers,
    'content-length': length,
    ...(service.phase() === 'draining' ? { connection: 'close' } : {}),
  });
  // text of as many bytes as characters is ASCII, and the one-byte encoding writes it several times as fast
  if (typeof body === 'string') response.end(body, length === body.length ? 'latin1' : 'utf8');
  else response.end(body);
}
