// The main thread's side of the watch over its own loop; the other side is watcher.mjs, in a thread of its own.
//
// User code runs on the server's loop: anywhere else each call would cost two switches of threads and a copy. The price is that
// code which computes or blocks holds up the server. Then the watcher serves in its place: calls whose deadline passes are answered
// with 504, new ones with 429 and `x-ffx-overflow` (the gateway keeps them), and what blocks beyond its own deadline is ended.
import { ANSWERED, AWAKE, BEAT, Board, CUT, LISTENER, SPOILED } from './board.mjs';
import { FD } from './call.mjs';
import { currentCall } from './report.mjs';

const TICK_MS = 100;
const ASLEEP_TICKS = 20; // without a call, after which both sides sleep until there is one
const PREPARED_SLOTS = 64;

let prepared = null; // {board, worker, report, code}: a watcher that was started before anybody knew for whom

/** Start the watcher of the server that this process will have. Returns when it runs. */
export async function prepare(report, code) {
  const board = new Board(PREPARED_SLOTS);
  const worker = makeWorker(board, report, code);
  worker.ref(); // nothing else would keep the process
  await new Promise((resolve) => worker.once('online', resolve));
  worker.unref();
  prepared = { board, worker, report, code };
}

/** The board of a server, with at least as many slots as it takes calls. */
export function boardFor({ concurrency, report_fd: report, code }) {
  const fits = prepared !== null && prepared.report === report && prepared.code === code && concurrency <= PREPARED_SLOTS;
  return fits ? prepared.board : new Board(concurrency);
}

function makeWorker(board, report, code) {
  const { Worker } = process.getBuiltinModule('node:worker_threads'); // nobody waits for it any more
  const worker = new Worker(new URL('./watcher.mjs', import.meta.url), {
    name: 'ffx-watch',
    env: {},
    execArgv: ['--disable-warning=ExperimentalWarning'],
    resourceLimits: { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
    workerData: { buffer: board.buffer, slots: board.slots, report, code, clock_ms: uptimeMs() - performance.now() },
  });
  worker.unref();
  return worker;
}

export class Watch {
  calls = []; // by slot
  #server;
  #timer = null;
  #idle = 0;

  constructor(server) {
    this.#server = server;
  }

  /** Start the watcher; `listener` is the descriptor that connections come on. */
  start(listener) {
    const { board, report, settings } = this.#server;
    board.control[LISTENER] = listener;
    // Asked by the watcher through the inspector, while the loop is blocked: whose code is it that runs?
    globalThis[Symbol.for('ffx.runtime.slot')] = () => currentCall.getStore()?.slot ?? -1;
    const worker = board === prepared?.board ? prepared.worker : makeWorker(board, report.fd, settings.code);
    worker.on('error', (error) => {
      process.stderr.write(`the watch over the event loop has ended: ${error.message}: this instance is replaced\n`);
      this.#server.fail();
    });
  }

  /** A call begins or ends: the loop turns. */
  wake() {
    const { control } = this.#server.board;
    control[BEAT] += 1;
    this.#idle = 0;
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
    Atomics.store(control, AWAKE, 1);
    Atomics.notify(control, AWAKE);
  }

  #tick() {
    const { board, gate } = this.#server;
    Atomics.add(board.control, BEAT, 1);
    if (Atomics.exchange(board.control, SPOILED, 0) === 1) this.#clear();
    this.#idle = gate.active > 0 ? 0 : this.#idle + 1;
    if (this.#idle > ASLEEP_TICKS) {
      clearInterval(this.#timer);
      this.#timer = null;
      Atomics.store(board.control, AWAKE, 0);
    }
  }

  /** The watcher stood in: close what it has answered on, give back the places of what it has ended. */
  #clear() {
    const { board, sockets } = this.#server;
    for (const socket of sockets) if (board.connections[socket[FD]] === ANSWERED) socket.destroy();
    for (let slot = 0; slot < board.slots; slot += 1) {
      const call = this.calls[slot];
      if (call && board.state[slot] === CUT) {
        if (!call.done) call.abort();
        call.cancel();
        this.#server.streams.endCall(call.id);
        call.release();
      }
    }
  }
}

/** A clock that all threads of this process share. */
export function uptimeMs() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
