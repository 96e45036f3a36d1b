// Applications: a `(req, res)` listener that is called when the headers are there, and WebSockets where it takes them.
import { http } from './builtins.mjs';
import { Call, closeWith, endSocket } from './call.mjs';
import { isPlatforms } from './headers.mjs';
import { rawProblem } from './problem.mjs';
import { currentCall } from './report.mjs';
import { failure, trace } from './trace.mjs';

const { writeHead, write, end, flushHeaders } = http.ServerResponse.prototype;
const CALL = Symbol('call');

class ApplicationCall extends Call {
  /** Run the application's code as this call; what it throws, now or later, fails the call. */
  run(code) {
    currentCall.run(this, () => {
      try {
        const value = code();
        if (value !== null && typeof value === 'object' && typeof value.then === 'function') value.then(null, (error) => this.fail(error));
      } catch (error) {
        this.fail(error);
      }
    });
  }

  cancelWork() {
    process.stderr.write('the call was cancelled\n');
  }

  fail(error) {
    process.stderr.write(`${trace(error)}\n`);
    this.refuse('function-error', failure(error));
  }
}

export class AppCall extends ApplicationCall {
  begin() {
    const { req, res, server } = this;
    this.begun = true;
    prepare(this);
    res.on('close', () => this.closed());
    if ('expect' in req.headers) res.writeContinue();
    const { target } = server;
    this.run(() => target(req, res)); // never as a method of ours
  }

  /** The application has answered, or its connection has gone. */
  closed() {
    const { req, res } = this;
    if (!this.done) {
      this.done = true;
      this.answered();
      if (!res.writableFinished) this.cancel();
    }
    if (res.writableFinished && !req.complete) req.resume();
    currentCall.run(this, () => this.server.streams.endCall(this.id));
    this.release();
  }

  /** The application still holds `res`: what the platform answers goes to the connection itself, which is then closed. */
  refuse(code, detail) {
    if (!this.begun) {
      super.refuse(code, detail);
    } else if (!this.done) {
      if (this.started || !this.claim()) return this.abort();
      this.started = true;
      this.done = true;
      closeWith(this, rawProblem(code, detail, this.id));
      this.answered();
      this.res.destroyed = true; // what it still writes goes nowhere
    }
  }

  /** It is told by the events of `req` and `res`; whether it still computes cannot be seen. */
  cancel() {
    super.cancel();
    this.release();
  }
}

/** Dress `req` and `res` as own properties: frameworks change their prototypes. */
function prepare(call) {
  const { req, res, server } = call;
  res[CALL] = call;
  res.sendDate = false;
  res.strictContentLength = true;
  res.writeHead = guardedWriteHead;
  res.write = guardedWrite;
  res.end = guardedEnd;
  res.flushHeaders = guardedFlush;
  for (const one of [req, res]) {
    const { emit } = one;
    one.emit = (...values) => currentCall.run(call, () => emit.apply(one, values)); // listeners belong to the call
  }
  hidePlatform(req);
  const limit = server.settings.payload_bytes;
  if ('content-length' in req.headers || 'transfer-encoding' in req.headers) {
    const { push } = req;
    let size = 0;
    req.push = (chunk, encoding) => {
      if (chunk !== null) {
        size += chunk.length;
        if (limit !== null && size > limit) {
          call.tooLarge();
          return true;
        }
        if (!call.done) call.extend();
      }
      return push.call(req, chunk, encoding);
    };
  }
}

/** Take out what the platform and this runtime tell each other. */
function hidePlatform(req) {
  for (const name in req.headers) if (isPlatforms(name)) delete req.headers[name];
  const lines = req.rawHeaders;
  for (let at = lines.length - 2; at >= 0; at -= 2) if (isPlatforms(lines[at].toLowerCase())) lines.splice(at, 2);
}

function guardedWriteHead(status, reason, headers) {
  const call = this[CALL];
  for (const name of this.getHeaderNames()) if (name.startsWith('x-ffx-')) this.removeHeader(name);
  if (call.closes()) this.setHeader('connection', 'close');
  return typeof reason === 'string'
    ? writeHead.call(this, status, reason, withoutPlatform(headers))
    : writeHead.call(this, status, withoutPlatform(reason));
}

function withoutPlatform(headers) {
  if (!headers) return headers;
  if (!Array.isArray(headers)) return Object.fromEntries(Object.entries(headers).filter(([name]) => !/^x-ffx-/i.test(name)));
  if (Array.isArray(headers[0])) return headers.filter(([name]) => !/^x-ffx-/i.test(name));
  return headers.filter((_, at) => !/^x-ffx-/i.test(String(headers[at - (at % 2)])));
}

function guardedWrite(...values) {
  return sent(this, write, values, false);
}

function guardedEnd(...values) {
  return sent(this, end, values, this);
}

function guardedFlush() {
  sent(this, flushHeaders, [], undefined);
}

/** A body that is not as long as its content-length says cuts the connection: the next answer on it would be taken for its rest. */
function sent(res, method, values, otherwise) {
  const call = res[CALL];
  if (!call.done) {
    if (!call.started && !call.claim()) call.abort();
    call.started = true;
    call.extend();
  }
  try {
    if (!res.headersSent && res.hasHeader('content-length')) res.writeHead(res.statusCode); // then node:http counts
    return method.apply(res, values);
  } catch (error) {
    if (error.code !== 'ERR_HTTP_CONTENT_LENGTH_MISMATCH') throw error;
    process.stderr.write(`${error.message}\n`);
    call.abort();
    return otherwise;
  }
}

const RESTART = Buffer.from([0x88, 2, 0x03, 0xf4]); // a close frame with 1012

/** A request that became a WebSocket: its place is taken until the connection ends, `timeout_s` bounds its silence. */
export class UpgradeCall extends ApplicationCall {
  #seen = -1;
  #written; // bytes before it

  constructor(server, req, socket) {
    super(server, req, null, socket);
    this.#written = socket.bytesWritten;
  }

  begin(head) {
    const { socket, req, server } = this;
    this.begun = true;
    hidePlatform(req);
    this.#seen = this.#progress();
    socket.once('end', () => socket.end());
    socket.once('close', () => this.release());
    this.run(() => server.upgrade(req, socket, head));
  }

  expire() {
    const seen = this.#progress();
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.extend();
    } else {
      super.expire();
    }
  }

  /** The instance ends: a close frame, behind what the application has written. */
  part() {
    if (this.socket.writable && this.socket.bytesWritten > this.#written) this.socket.end(RESTART);
  }

  /** That is how a WebSocket ends. */
  gone() {
    this.done = true;
    this.answered();
  }

  refuse(code, detail) {
    if (this.done) return;
    if (this.socket.bytesWritten > this.#written || !this.claim()) return this.abort();
    this.done = true;
    endSocket(this.socket, rawProblem(code, detail, this.id));
    this.answered();
  }

  #progress() {
    return this.socket.bytesRead + this.socket.bytesWritten - this.socket.writableLength;
  }
}
