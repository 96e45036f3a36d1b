// The watcher's thread: stands in for the main thread's loop while that is blocked. See watch.mjs.
import { readSync, writeSync } from 'node:fs';
import net from 'node:net';
import { workerData } from 'node:worker_threads';

import { Blocker } from './blocker.mjs';
import { ANSWERED, AWAKE, BEAT, Board, FREE, IDLE, LATE, LISTENER, SPOILED, WAITING } from './board.mjs';
import { rawProblem } from './problem.mjs';

const TICK_MS = 100;
const BLOCKED_TICKS = 5; // a loop that was away for so long is served for
const READ_BYTES = 256 * 1024; // of a request that is refused
const BACKLOG = 1024;
const REFUSAL = rawProblem('instance-full', 'this instance is busy: try again', null);

const board = new Board(workerData.slots, workerData.buffer);
const { control, connections } = board;
const blocker = new Blocker(board, workerData);
const scratch = Buffer.alloc(READ_BYTES);
const open = new Set(); // connections that were accepted here
let beat = -1;
let ticks = 0;
let listener = null;

setInterval(tick, TICK_MS);

function tick() {
  const now = Atomics.load(control, BEAT);
  if (now !== beat) {
    beat = now;
    if (ticks >= BLOCKED_TICKS) handBack();
    ticks = 0;
    if (Atomics.load(control, AWAKE) === 0 && open.size === 0) Atomics.wait(control, AWAKE, 0);
    return;
  }
  if (Atomics.load(control, AWAKE) === 0) {
    if (open.size === 0) Atomics.wait(control, AWAKE, 0);
    ticks = 0;
    return;
  }
  ticks += 1;
  if (ticks >= BLOCKED_TICKS) standIn();
}

function standIn() {
  const now = clock();
  answerLate(now);
  refuseNew();
  if (everyCallIsLate(now)) blocker.end(now);
}

/** Monotonic milliseconds, as performance.now() of the main thread gives them. */
function clock() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6 - workerData.clock_ms;
}

function answerLate(now) {
  for (let slot = 0; slot < board.slots; slot += 1) {
    if (board.due[slot] > now || !board.move(slot, WAITING, LATE)) continue;
    send(board.fd[slot], rawProblem('deadline-exceeded', 'the function took longer than its timeout_s', board.id(slot)));
  }
}

/** Only then it is sure that what blocks is beyond its own deadline. */
function everyCallIsLate(now) {
  let calls = 0;
  for (let slot = 0; slot < board.slots; slot += 1) {
    if (board.state[slot] === FREE) continue;
    if (board.due[slot] > now) return false;
    calls += 1;
  }
  return calls > 0;
}

/** What comes now is answered here: a request is read by this thread or by the main one, never by both. */
function refuseNew() {
  for (let fd = connections.indexOf(IDLE); fd >= 0; fd = connections.indexOf(IDLE, fd + 1)) {
    if (!readSome(fd)) continue;
    connections[fd] = ANSWERED;
    Atomics.store(control, SPOILED, 1);
    send(fd, REFUSAL);
    while (readSome(fd)); // what is left unread at the close would take the answer with it
  }
  accept();
}

function readSome(fd) {
  try {
    return readSync(fd, scratch, 0, READ_BYTES, null) > 0;
  } catch {
    return false; // EAGAIN: nothing has come
  }
}

function send(fd, text) {
  try {
    writeSync(fd, text);
  } catch {
    // its client has gone, or does not read
  }
}

/**
 * Take connections from the main thread's listening socket. node:net has no way to stop accepting but to close the descriptor, which is
 * the main thread's: reading is switched on and off on the handle instead.
 */
function accept() {
  if (Atomics.load(control, LISTENER) < 0) return;
  if (listener === null) {
    listener = net.createServer({ allowHalfOpen: true }, refuse);
    listener.on('error', () => {});
    listener.listen({ fd: Atomics.load(control, LISTENER), backlog: BACKLOG });
  }
  listener._handle?.readStart();
}

function handBack() {
  if (listener !== null) {
    listener._handle?.readStart(); // it is on already where it was switched on before
    listener._handle?.readStop();
  }
  blocker.forget();
}

function refuse(socket) {
  open.add(socket);
  const give = () => {
    socket.end(REFUSAL);
    setTimeout(() => socket.destroy(), 1000);
  };
  socket.once('data', give);
  socket.on('data', () => {});
  socket.on('end', () => socket.end());
  socket.on('error', () => socket.destroy());
  socket.on('close', () => open.delete(socket));
  setTimeout(() => socket.destroy(), 5000).unref();
}
