import { connect } from 'node:net';
import { expect } from 'chai';
import type { LoadedModel, LoadedTrees } from '../../../serving/load/index.ts';
import { fakeModel } from '../fakeModel.ts';
import { run } from './running.ts';

const infer = '/v2/models/liquid/infer';
const body = { inputs: [{ name: 'features', shape: [1, 3], datatype: 'FP64', data: [1, 2, 3] }] };

/** A model whose answers wait until they are let go. */
function heldModel(): { model: LoadedModel; waiting: () => number; letGo: () => void } {
  const waiting: (() => void)[] = [];
  const score: LoadedTrees['score'] = (_features, rows) =>
    new Promise((resolve) => {
      waiting.push(() => resolve(new Float64Array(rows)));
    });
  return {
    model: fakeModel({ score }),
    waiting: () => waiting.length,
    letGo: () => {
      for (const go of waiting.splice(0)) go();
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Everything that a raw socket hears until it is closed. */
function rawExchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      heard += chunk;
    });
    socket.on('close', () => resolve(heard)).on('error', reject);
  });
}

describe('the life of a serving process', () => {
  it('is live but not ready before a model is there, and serves once there is one', async () => {
    const server = await run({ model: null });
    expect((await server.get('/v2/health/live')).json).to.deep.equal({ live: true, ready: false });
    expect((await server.get('/v2/models')).json).to.deep.equal({ models: [] });
    for (const path of ['/v2/health/ready', '/v2/models/liquid', '/v2/models/liquid/ready']) {
      const { status, json } = await server.get(path);
      expect(status).to.equal(503);
      expect(json.error).to.contain('not loaded yet');
    }
    for (const path of [infer, '/v1/predictions']) {
      const { status, headers } = await server.post(path, body);
      expect([status, headers.get('retry-after')]).to.deep.equal([503, '1']);
    }
    server.service.install(fakeModel());
    expect((await server.get('/v2/health/ready')).status).to.equal(200);
    expect((await server.post(infer, body)).status).to.equal(200);
    await server.stop();
  });

  it('answers 503 with Retry-After beyond its bound, stays live, and recovers', async () => {
    const { model, waiting, letGo } = heldModel();
    const server = await run({ model, maxInFlight: 2 });
    const taken = [server.post(infer, body), server.post(infer, body)];
    await until(() => waiting() === 2);
    const refused = await server.post(infer, body);
    expect([refused.status, refused.headers.get('retry-after')]).to.deep.equal([503, '1']);
    expect(refused.json.error).to.contain('2 predictions are in flight');
    expect((await server.get('/v2/health/live')).status).to.equal(200);
    expect((await server.get('/v2/health/ready')).status).to.equal(200);
    letGo();
    expect((await Promise.all(taken)).map(({ status }) => status)).to.deep.equal([200, 200]);
    const again = server.post(infer, body);
    await until(() => waiting() === 1);
    letGo();
    expect((await again).status).to.equal(200);
    await server.stop();
  });

  it('gives the place of a caller who hangs up back', async () => {
    const { model, waiting, letGo } = heldModel();
    const server = await run({ model, maxInFlight: 1 });
    const text = JSON.stringify(body);
    const socket = connect(server.port, '127.0.0.1', () =>
      socket.write(
        `POST ${infer} HTTP/1.1\r\nhost: x\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
      ),
    );
    await until(() => waiting() === 1);
    expect((await server.post(infer, body)).status).to.equal(503);
    socket.destroy();
    await until(() => {
      const free = server.service.enter() === undefined;
      if (free) server.service.leave();
      return free;
    });
    letGo();
    const answer = server.post(infer, body);
    await until(() => waiting() === 1);
    letGo();
    expect((await answer).status).to.equal(200);
    await server.stop();
  });

  it('refuses what is older than its deadline, before and after scoring', async () => {
    let now = 0;
    const slow = fakeModel({
      score: async (_features, rows) => {
        now += 11;
        return new Float64Array(rows);
      },
    });
    const server = await run({ model: slow, deadlineMs: 10, monotonicMs: () => now });
    const late = await server.post(infer, body);
    expect(late.status).to.equal(503);
    expect(late.json.error).to.contain('deadline of 10 ms');
    await server.stop();
  });

  it('stops answering when its model expires while it runs', async () => {
    let now = 1_999_999_999_999;
    const server = await run({ clock: () => now });
    expect((await server.post(infer, body)).status).to.equal(200);
    now += 1;
    expect((await server.post(infer, body)).json.error).to.contain('expired on 2033-05-18');
    expect((await server.get('/v2/health/ready')).status).to.equal(503);
    expect((await server.get('/v2/health/live')).status).to.equal(200);
    await server.stop();
  });

  it('answers what is in flight, takes nothing more, and closes', async () => {
    const { model, waiting, letGo } = heldModel();
    const server = await run({ model });
    const taken = server.post(infer, body);
    await until(() => waiting() === 1);
    let stopped = false;
    const stopping = server.stop().then((whole) => {
      stopped = true;
      return whole;
    });
    const late = await fetch(server.url).catch((error: Error) => error);
    expect(late).to.be.instanceOf(Error);
    expect(stopped).to.equal(false);
    letGo();
    const answer = await taken;
    expect([answer.status, answer.headers.get('connection')]).to.deep.equal([200, 'close']);
    expect(await stopping).to.equal(true);
  });

  it('takes no further request on a connection that is still open while it drains', async () => {
    const { model, waiting, letGo } = heldModel();
    const server = await run({ model });
    const text = JSON.stringify(body);
    const request = `POST ${infer} HTTP/1.1\r\nhost: x\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
    let heard = '';
    const socket = connect(server.port, '127.0.0.1', () => socket.write(request));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.setEncoding('utf8').on('data', (chunk) => {
      heard += chunk;
    });
    await until(() => waiting() === 1);
    const stopping = server.stop();
    socket.write(request);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(waiting()).to.equal(1);
    letGo();
    await closed;
    expect(heard.match(/HTTP\/1\.1 \d+/g)![0]).to.equal('HTTP/1.1 200');
    expect(await stopping).to.equal(true);
  });

  it('cuts off what does not end in time, and says so', async () => {
    const { model, waiting } = heldModel();
    const server = await run({ model, drainTimeoutMs: 20 });
    const taken = server.post(infer, body).catch((error: Error) => error);
    await until(() => waiting() === 1);
    expect(await server.stop()).to.equal(false);
    expect(await taken).to.be.instanceOf(Error);
  });

  it('answers a fault with 500 and a sentence, reports it, and goes on', async () => {
    let broken = true;
    const flaky = fakeModel({
      score: async (_features, rows) => {
        if (broken) throw new Error('secret detail');
        return new Float64Array(rows);
      },
    });
    const server = await run({ model: flaky });
    const failed = await server.post(infer, body);
    expect(failed.status).to.equal(500);
    expect(failed.json.error).not.to.contain('secret');
    expect(server.faults).to.have.length(1);
    broken = false;
    expect((await server.post(infer, body)).status).to.equal(200);
    await server.stop();
  });

  it('answers what is not HTTP, and heads that are too large, with JSON', async () => {
    const server = await run();
    const garbage = await rawExchange(server.port, 'GARBAGE\r\n\r\n');
    expect(garbage).to.match(/^HTTP\/1\.1 400 /);
    const large = `GET /v2 HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`;
    const overflow = await rawExchange(server.port, large);
    expect(overflow).to.match(/^HTTP\/1\.1 431 /);
    for (const text of [garbage, overflow]) {
      expect(JSON.parse(text.split('\r\n\r\n')[1]!)).to.have.key('error');
    }
    await server.stop();
  });

  it('cannot listen on a taken port, and says what to do', async () => {
    const server = await run();
    const { startServer, routesOf } = await import('../../../serving/http/index.ts');
    const again = startServer(server.service, routesOf(server.service, '0'), {
      host: '127.0.0.1',
      port: server.port,
      requestTimeoutMs: 1000,
      drainTimeoutMs: 1000,
    });
    const error = await again.then(
      () => undefined,
      (thrown: { code: string; message: string }) => thrown,
    );
    expect(error).to.include({ code: 'io_failed' });
    expect(error!.message).to.contain('Choose another --host or --port');
    await server.stop();
  });
});
