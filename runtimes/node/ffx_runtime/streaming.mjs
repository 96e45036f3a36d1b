// Answers in pieces, as fast as the client takes them.
import { BadAnswer, piece, piecesOf } from './response.mjs';

const TEXT = 'text/plain; charset=utf-8';
const LATER = Symbol('later');

/** Send what a generator or a stream yields. Throws what it throws; returns early where nobody listens any more. */
export async function streamAnswer(call, answer) {
  const source = reader(answer.stream);
  call.stream = source;
  if (call.done) {
    await source.cancel();
    return;
  }
  let complete = false;
  try {
    let next = source.next();
    for (let first = true; ; first = false) {
      const { done, value } = await next;
      if (call.done || done) {
        complete = done;
        break;
      }
      const [data, type] = piece(value);
      next = source.next();
      if (first) {
        if (answer.typed && (await soon(next)).done) {
          call.answer(answer.status, answer.headers, data); // there is but one piece: its length is known
          return;
        }
        if (call.done || !start(call, answer, type)) break;
      }
      call.extend();
      if (!call.res.write(data)) await drained(call);
    }
    if (call.done) return;
    if (!call.started && !start(call, answer, TEXT)) return;
    call.done = true;
    call.res.end();
    call.answered();
  } finally {
    if (!complete) await source.cancel();
  }
}

function start(call, answer, type) {
  if (!call.claim()) {
    call.abort();
    return false;
  }
  call.started = true;
  const headers = answer.typed ? answer.headers : [...answer.headers, 'content-type', type];
  if (call.closes()) headers.push('connection', 'close');
  call.res.writeHead(answer.status, headers);
  return true;
}

/** What `promise` gives if it does so at once, else `{}`. */
async function soon(promise) {
  promise.catch(() => {}); // who reads the next piece is told
  const later = new Promise((resolve) => setImmediate(resolve, LATER));
  const found = await Promise.race([promise, later]);
  return found === LATER ? {} : found;
}

/** Wait until the client has taken what was written, or has gone. */
function drained(call) {
  const { res } = call;
  return new Promise((resolve) => {
    const go = () => {
      res.off('drain', go);
      res.off('close', go);
      resolve();
    };
    if (res.destroyed || res.closed) return resolve();
    res.on('drain', go);
    res.on('close', go);
  });
}

/** `next()` as an iterator's; `cancel()` ends it, also while a `next()` is under way. */
function reader(stream) {
  if (typeof stream.getReader === 'function') {
    let found;
    try {
      found = stream.getReader();
    } catch {
      throw new BadAnswer('the stream is being read by somebody else');
    }
    return { next: () => found.read(), cancel: () => found.cancel().catch(() => {}) };
  }
  const iterator = piecesOf(stream);
  let cancelled = false;
  return {
    next: async () => iterator.next(),
    cancel: async () => {
      if (cancelled) return;
      cancelled = true;
      if (typeof stream.destroy === 'function') stream.destroy();
      else await iterator.return?.();
    },
  };
}
