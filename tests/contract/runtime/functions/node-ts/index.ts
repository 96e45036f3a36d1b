import { setTimeout as delay } from 'node:timers/promises';

import type { Context, Event } from 'ffx_runtime';

type Handler = (event: Event, context: Context) => unknown;

const PATHS: Record<string, Handler> = {
  hello: () => 'hello',
  echo: (event) => event.body,
  count: (event) => ({ bytes: event.body.length }),
  request: (event, context) => ({
    method: event.method,
    path: event.path,
    query: event.query_string,
    headers: { ...event.headers },
    request_id: context.request_id,
  }),
  fail() {
    throw new Error('the reason');
  },
  sleep(_, context) {
    console.log('asleep');
    return delay(60_000, null, { signal: context.signal });
  },
  spin() {
    console.log('spinning');
    for (;;);
  },
  stuck: () => new Promise(() => setInterval(() => {}, 60_000)),
  async log() {
    console.log('one');
    console.log('two');
    await delay(1);
    console.error('three');
  },
  async *stream(_, context) {
    try {
      yield 'first\n';
      await delay(60_000, null, { signal: context.signal });
    } finally {
      console.log('the stream was closed');
    }
  },
  async *broken() {
    yield 'first\n';
    throw new Error('the reason');
  },
  *pieces() {
    for (let piece = 0; piece < 64; piece += 1) yield Buffer.alloc(4096, 'x');
  },
  environment: () => ({ ...process.env }),
  given: (_, context) => ({ secret: context.secret('db-password'), token: context.token(), principal: context.principal }),
};

export async function handle(event: Event, context: Context): Promise<unknown> {
  return PATHS[event.path.slice(1)](event, context);
}
