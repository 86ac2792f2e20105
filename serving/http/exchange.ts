// A request and a response without a framework: what the handlers take and give.

import { type Refusal, type RefusalReason, refusalStatus } from '../route/index.ts';

/** A request whose body has been read. */
export interface HttpRequest {
  /** decoded path parameters */
  readonly params: Readonly<Record<string, string>>;
  /** header names in lower case */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
  /** when the request's head had arrived, monotonic ms */
  readonly arrivedMs: number;
}

/** An answer, ready to be written. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
  /** set on an answer that is a refusal */
  readonly refused?: RefusalReason;
}

/** Answers one kind of request; expected trouble is a response, a throw is a fault (500). */
export type Handler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

const jsonHeaders = { 'content-type': 'application/json' } as const;
const retryHeaders = { ...jsonHeaders, 'retry-after': '1' } as const;

/** A 200 with a JSON body. */
export const ok = (document: unknown): HttpResponse => ({
  status: 200,
  headers: jsonHeaders,
  body: JSON.stringify(document),
});

/** The `{"error"}` document of a refusal; what passes by itself (503) says when to come again. */
export function refusalResponse(refusal: Refusal): HttpResponse {
  const status = refusalStatus[refusal.refused];
  return {
    status,
    headers: status === 503 ? retryHeaders : jsonHeaders,
    body: JSON.stringify({ error: refusal.message }),
    refused: refusal.refused,
  };
}
