// A listening server and its end: stop accepting, answer what is in flight, close.

import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { asSluiceError, SluiceError } from '../../core/index.ts';
import { createApp } from './expressApp.ts';
import type { Route } from './routes.ts';
import type { Service } from './service.ts';

/** Where to listen, and how long a slow caller is waited for. */
export interface ListenOptions {
  readonly host: string;
  /** 0 picks a free one */
  readonly port: number;
  /** a request whose head and body take longer is answered 408 */
  readonly requestTimeoutMs: number;
  /** what is still in flight this long after {@link RunningServer.stop} is cut off */
  readonly drainTimeoutMs: number;
}

/** A server that accepts connections. */
export interface RunningServer {
  readonly host: string;
  readonly port: number;
  /** Stops accepting, waits for what is in flight, closes. @returns false if something had to be cut off */
  stop(): Promise<boolean>;
}

/**
 * Starts to listen.
 * @throws SluiceError `io_failed` when the address is taken or not allowed
 */
export async function startServer(
  service: Service,
  routes: readonly Route[],
  options: ListenOptions,
): Promise<RunningServer> {
  const server = createServer(
    {
      requestTimeout: options.requestTimeoutMs,
      headersTimeout: options.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(options.requestTimeoutMs, 5000),
    },
    createApp(service, routes),
  );
  server.on('clientError', answerUnreadable);
  await listen(server, options);
  const { address, port } = server.address() as AddressInfo;
  return { host: address, port, stop: () => stop(server, service, options.drainTimeoutMs) };
}

function listen(server: Server, { host, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const { message } = asSluiceError(error);
      reject(
        new SluiceError(
          'io_failed',
          `Cannot listen on ${host}:${port}: ${message}. Choose another --host or --port.`,
          { host, port },
          error,
        ),
      );
    });
    server.listen(port, host, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

/** What is not HTTP at all never reaches Express; it too gets a JSON answer where the socket still takes one. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = unreadableStatus[error.code ?? ''] ?? '400 Bad Request';
  const body = JSON.stringify({ error: `The request is not readable as HTTP (${error.code}).` });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

const unreadableStatus: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

async function stop(server: Server, service: Service, drainTimeoutMs: number): Promise<boolean> {
  service.drain();
  let cut = false;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // a caller that stops reading must not keep the process alive
  const timer = setTimeout(() => {
    cut = true;
    server.closeAllConnections();
  }, drainTimeoutMs);
  await closed;
  clearTimeout(timer);
  return !cut;
}
