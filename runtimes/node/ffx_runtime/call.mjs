// One request and its answer: admission, deadline, refusals. How user code is reached is told by the styles (handler, app).
import { STARTED, WAITING } from './board.mjs';
import { problem, rawProblem } from './problem.mjs';
import { currentCall } from './report.mjs';

export const FD = Symbol('descriptor'); // of a socket
const LINGER_MS = 5000; // how long the rest of a body is read after an early answer
const ONE_WRITE_BYTES = 16 * 1024;
const DISCARD_BYTES = 1024 * 1024; // a longer rest than this closes the connection after the answer

/** States: made -> admitted -> begun (user code was called) -> started (first byte sent) -> done. `done` also where nobody listens. */
export class Call {
  admitted = false;
  begun = false;
  released = false; // its place is free: nothing runs for it any more
  stuck = false;
  started = false;
  done = false;
  cancelled = false;
  due = Infinity; // deadline, in milliseconds of performance.now()
  slot = -1; // on the board
  endBy = Infinity; // its deadline, kept when it is answered
  #id = null;
  #answered = false;
  #controller = null;

  constructor(server, req, res, socket = req.socket) {
    this.server = server;
    this.req = req;
    this.res = res;
    this.socket = socket;
    const shorter = req.headers['x-ffx-timeout-s'];
    this.timeout_s = server.settings.timeout_s;
    if (shorter !== undefined && Number(shorter) > 0) this.timeout_s = Math.min(this.timeout_s, Number(shorter));
  }

  get id() {
    return (this.#id ??= this.req.headers['x-request-id'] ?? freshId());
  }

  get signal() {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.cancelled) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** Take a place. False: refused, as the instance is full or the announced body is too large. */
  admit() {
    const { server, req } = this;
    const limit = server.settings.payload_bytes;
    if (limit !== null && Number(req.headers['content-length'] ?? 0) > limit) {
      this.tooLarge();
      return false;
    }
    if (!server.gate.enter()) {
      this.refuse('instance-full', 'this instance is full: try again');
      return false;
    }
    this.admitted = true;
    this.due = performance.now() + this.timeout_s * 1000;
    this.slot = server.board.take(this.socket[FD], this.id, this.due);
    server.watch.calls[this.slot] = this;
    server.watch.wake();
    server.sweeper.calls.add(this);
    server.sweeper.notice(this.due);
    return true;
  }

  /** Something happened: the deadline is `timeout_s` from now. */
  extend() {
    this.due = performance.now() + this.timeout_s * 1000;
    if (this.slot >= 0) this.server.board.due[this.slot] = this.due;
  }

  /** Whether this thread may write the first byte: true once, for one of it and the watcher. */
  claim() {
    return this.slot < 0 || this.server.board.move(this.slot, WAITING, STARTED);
  }

  /** The deadline has passed. */
  expire() {
    this.refuse('deadline-exceeded', `the function took longer than ${this.timeout_s} s`);
    this.cancel();
  }

  tooLarge() {
    this.refuse('payload-too-large', `the body is larger than ${this.server.settings.payload_bytes} bytes`);
    this.cancel();
  }

  /** A problem document where nothing was sent yet, else the connection is cut: the client sees a broken answer. */
  refuse(code, detail) {
    if (this.done) return;
    if (this.started || !this.claim()) {
      this.abort();
      return;
    }
    this.started = true;
    if (this.mustClose(code)) {
      this.done = true;
      closeWith(this, rawProblem(code, detail, this.id));
      this.answered();
      return;
    }
    const { status, headers, body } = problem(code, detail, this.id);
    this.send(status, headers, body);
  }

  /** Whether the connection cannot go on after a refusal. */
  mustClose(code) {
    const { req } = this;
    if (code === 'payload-too-large') return true;
    if (this.isWhole()) return false;
    return 'transfer-encoding' in req.headers || 'expect' in req.headers || Number(req.headers['content-length']) > DISCARD_BYTES;
  }

  /** Whether all of the request was read. */
  isWhole() {
    const { complete, headers } = this.req;
    return complete || (!('content-length' in headers) && !('transfer-encoding' in headers));
  }

  /** The whole answer at once; the caller has claimed it. `headers`: name, value, name, value … */
  send(status, headers, body) {
    const { res } = this;
    this.done = true;
    if (this.closes()) headers.push('connection', 'close');
    const bodyless = status === 204 || status === 304;
    if (!bodyless) headers.push('content-length', String(typeof body === 'string' ? Buffer.byteLength(body) : body.length));
    res.writeHead(status, headers);
    if (bodyless || this.req.method === 'HEAD') res.end();
    else if (body.length <= ONE_WRITE_BYTES && typeof res._header === 'string') {
      // Headers and body in one write: res.end(body) makes a list of three pieces, and costs a tenth of a short call.
      res._header += typeof body === 'string' && isAscii(body, headers) ? body : Buffer.from(body).latin1Slice();
      res.end();
    } else res.end(body);
    this.answered();
  }

  closes() {
    return this.server.stopping || !this.res.shouldKeepAlive;
  }

  /** Cut the connection. What was written goes out first, without the mark of its end: an answer of which nothing came looks like a crash. */
  abort() {
    this.done = true;
    if (this.started) flush(this);
    this.socket.destroy();
    this.answered();
  }

  /** The instance ends soon; an ordinary call has its deadline. */
  part() {}

  /** The client has gone. */
  gone() {
    if (!this.done) {
      this.answered();
      this.cancel();
    }
  }

  /** Its client or its deadline has gone: tell the work, and replace the instance where it does not end. */
  cancel() {
    this.done = true;
    if (!this.admitted || this.cancelled) return;
    this.cancelled = true;
    if (!this.begun) {
      this.release();
    } else if (!this.released) {
      currentCall.run(this, () => {
        this.#controller?.abort();
        this.cancelWork();
      });
      this.server.expectEnd(this);
    }
  }

  cancelWork() {}

  /** The answer is out, or nobody waits for it. */
  answered() {
    if (this.#answered) return;
    this.#answered = true;
    this.server.sweeper.calls.delete(this);
    this.endBy = this.due;
    this.due = Infinity;
    this.server.answered(this);
  }

  /** Nothing runs for this call any more: its place is free. */
  release() {
    if (!this.admitted || this.released) return;
    this.released = true;
    const { gate, board, watch } = this.server;
    if (this.stuck) gate.unstick();
    watch.calls[this.slot] = null;
    board.giveBack(this.slot);
    this.slot = -1;
    gate.leave();
  }
}

/** node:http holds back what is written until the end of a turn. */
function flush({ res, socket }) {
  if (res === null || res.socket !== socket) return; // a WebSocket, or answers before it are still to come
  if (res._header && !res._headerSent) res._send('');
  while (socket.writableCorked > 0) socket.uncork();
}

/** `headers` end with the body's length in bytes. */
function isAscii(body, headers) {
  return headers[headers.length - 1] === String(body.length);
}

/** For a call that came without one. It need not be secret, and node:crypto takes a while to load. */
function freshId() {
  const part = () => Math.floor(Math.random() * 2 ** 32).toString(16).padStart(8, '0');
  return part() + part();
}

/** Send the last bytes on a connection whose request is not read to its end. */
export function closeWith(call, text) {
  const { socket, req, res } = call;
  if (res !== null && res.socket === null) {
    socket.destroy(); // answers before it are still to come: this one cannot be sent
    return;
  }
  req.push = (chunk) => chunk !== null;
  req.resume();
  endSocket(socket, text);
}

/** Send `text`, then close when the other side has, or after a while: what is left unread would take the answer with it. */
export function endSocket(socket, text) {
  socket.end(text);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}

