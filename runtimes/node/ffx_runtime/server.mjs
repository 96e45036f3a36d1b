// The server of one instance: its socket, its signals, its end.
import net from 'node:net';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';

import { AppCall, UpgradeCall } from './app.mjs';
import { BUSY, CLOSED, IDLE, LISTENER } from './board.mjs';
import { fs, http } from './builtins.mjs';
import { FD, endSocket } from './call.mjs';
import { Gate, STUCK_GRACE_MS, Sweeper } from './gate.mjs';
import { HandlerCall } from './handler.mjs';
import { rawProblem } from './problem.mjs';
import { Watch, boardFor } from './watch.mjs';

export const RETIRED = 75; // exit code: replace me, a call does not end
const GOODBYE_MS = 1000; // before its timeout, for a WebSocket that is still open when the instance ends
const LAST_REQUESTS_MS = 250; // after SIGTERM: for requests that are on their way on open connections
const FLUSH_MS = 500;
const BACKLOG = 1024;
const HEADER_BYTES = 128 * 1024;
const KEEP_ALIVE_MS = 75_000;
const OPEN = Symbol('calls that are not answered'); // of a socket
const BROKEN = Symbol('its requests cannot be read any more');

export class Server {
  stopping = false;
  leaving = false;
  sockets = new Set();
  sweeper = new Sweeper();

  /** `loaded` is what `loading.load` gave. */
  constructor(settings, report, streams, loaded) {
    this.settings = settings;
    this.report = report;
    this.streams = streams;
    this.target = loaded.target;
    this.upgrade = loaded.upgrade ?? null;
    this.gate = new Gate(settings.concurrency, () => this.#retired());
    this.board = boardFor(settings);
    this.watch = new Watch(this);
    this.http = this.#make(loaded.kind === 'app' ? AppCall : HandlerCall);
  }

  /** Serve until SIGTERM, which ends the process. */
  async serve() {
    let stop;
    const stopped = new Promise((resolve) => (stop = resolve));
    for (const name of ['SIGTERM', 'SIGINT']) process.on(name, stop);
    await this.#listen();
    this.report.ready();
    this.watch.start(this.http._handle.fd);
    await stopped;
    await this.#drain();
    this.leave(0);
  }

  /** Its work was told to end. One that has not done so a while after its deadline makes the instance retire. */
  expectEnd(call) {
    const wait = Math.max(0, call.endBy - performance.now()) + STUCK_GRACE_MS;
    setTimeout(() => this.#checkEnd(call), wait).unref();
  }

  /** A call was answered, or nobody waits for it any more. */
  answered(call) {
    const { socket } = call;
    this.watch.wake();
    socket[OPEN] -= 1;
    if (socket[OPEN] === 0 && call.isWhole()) this.board.note(socket[FD], IDLE);
  }

  /** Something of the function failed outside of a call: take no new ones, end when those that run have ended. */
  fail() {
    setTimeout(() => this.leave(RETIRED), this.settings.timeout_s * 1000 + STUCK_GRACE_MS).unref();
    this.gate.retire();
  }

  leave(code) {
    this.leaving = true;
    process.exit(code);
  }

  #make(Kind) {
    const made = http.createServer({
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: 60_000,
      requestTimeout: 0,
      maxHeaderSize: HEADER_BYTES,
      requireHostHeader: false,
      shouldUpgradeCallback: (req) => this.upgrade !== null && /^websocket$/i.test(req.headers.upgrade ?? ''),
    });
    const take = (req, res) => {
      this.#opened(req.socket);
      const call = new Kind(this, req, res);
      if (call.admit()) call.begin();
    };
    made.on('request', take);
    made.on('checkContinue', take);
    made.on('checkExpectation', take);
    made.on('clientError', (error, socket) => this.#malformed(error, socket));
    made.on('connect', (req, socket) => endSocket(socket, rawProblem('bad-request', 'CONNECT is for proxies', null)));
    made.on('connection', (socket) => this.#connected(socket));
    if (this.upgrade !== null) {
      made.on('upgrade', (req, socket, head) => {
        this.#opened(socket);
        const call = new UpgradeCall(this, req, socket);
        if (call.admit()) call.begin(head);
      });
    }
    return made;
  }

  #opened(socket) {
    socket[OPEN] += 1;
    this.board.note(socket[FD], BUSY);
  }

  #connected(socket) {
    const fd = socket._handle?.fd ?? -1;
    socket[FD] = fd;
    socket[OPEN] = 0;
    socket[BROKEN] = false;
    this.sockets.add(socket);
    this.board.note(fd, IDLE);
    socket.on('close', () => {
      this.sockets.delete(socket);
      if (![...this.sockets].some((other) => other[FD] === fd)) this.board.note(fd, CLOSED);
      for (const call of this.sweeper.calls) if (call.socket === socket) call.gone();
    });
  }

  /** What follows on this connection cannot be read. Answers that are under way are sent first, or cut where they wait for the rest. */
  #malformed(error, socket) {
    if (socket[BROKEN] || !socket.writable || error.code === 'ECONNRESET' || error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
      if (!socket[BROKEN]) socket.destroy();
      return;
    }
    socket[BROKEN] = true;
    const [code, detail] =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? ['headers-too-large', `the headers are larger than ${HEADER_BYTES} bytes`]
        : ['bad-request', `the request is not HTTP/1.1: ${error.reason ?? error.message}`];
    const open = [...this.sweeper.calls].filter((call) => call.socket === socket);
    const half = open.find((call) => !call.req.complete);
    if (half !== undefined) {
      half.refuse(code, detail);
      half.cancel();
      if (socket.writable) socket.end();
    } else if (open.length > 0) {
      open.at(-1).res.shouldKeepAlive = false;
    } else {
      endSocket(socket, rawProblem(code, detail, null));
    }
  }

  async #listen() {
    const { listen_fd: fd, port, socket: path } = this.settings;
    let where;
    if (fd !== null) where = { fd };
    else if (port !== null) where = { port, host: '0.0.0.0' };
    else if (path !== null) where = { path };
    else throw new Error('there is nothing to listen on: set LISTEN_FDS, PORT or FFX_SOCKET');
    if (where.path && fs.existsSync(path)) fs.unlinkSync(path);
    const before = process.umask(0o177);
    const listening = new Promise((resolve, reject) => this.http.once('listening', resolve).once('error', reject));
    this.http.listen({ ...where, backlog: BACKLOG });
    process.umask(before);
    await listening;
    if (where.path) fs.chmodSync(path, 0o600);
  }

  /** Stop accepting, answer what has come in, each call up to its deadline. */
  async #drain() {
    this.stopping = true;
    for (let turns = 0; turns < 3; turns += 1) await turn(); // connections that wait in the backlog are accepted first
    this.board.control[LISTENER] = -1;
    net.Server.prototype.close.call(this.http); // http.Server's own would cut idle connections
    const start = performance.now();
    const end = start + this.settings.timeout_s * 1000 + STUCK_GRACE_MS;
    const parting = Math.max(start + LAST_REQUESTS_MS, end - STUCK_GRACE_MS - GOODBYE_MS); // until then WebSockets go on
    while (performance.now() < end && (this.sockets.size > 0 || this.gate.active > this.gate.stuck)) {
      if (performance.now() >= parting) for (const call of this.sweeper.calls) call.part();
      if (performance.now() >= Math.min(end, start + LAST_REQUESTS_MS)) {
        for (const socket of this.sockets) {
          if (socket[OPEN] > 0) continue;
          if (socket.writableLength > 0) socket.end();
          else socket.destroy();
        }
      }
      await delay(10);
    }
    for (const call of this.sweeper.calls) call.cancel();
  }

  #checkEnd(call) {
    if (call.released || call.stuck || this.stopping) return;
    process.stderr.write(
      `a call (${call.id}) did not end when it was cancelled: this instance is replaced when its other calls have ended\n`,
    );
    call.stuck = true;
    if (!this.gate.doomed) {
      const limit = this.settings.timeout_s * 1000;
      setTimeout(() => this.gate.retire(), limit).unref();
      setTimeout(() => this.leave(RETIRED), 2 * limit + STUCK_GRACE_MS).unref();
    }
    this.gate.giveUp();
  }

  /** Answers that are written already go out first. */
  async #retired() {
    if (this.stopping) return;
    const end = performance.now() + FLUSH_MS;
    do await delay(10);
    while (performance.now() < end && [...this.sockets].some((socket) => socket.writableLength > 0));
    this.leave(RETIRED);
  }
}
