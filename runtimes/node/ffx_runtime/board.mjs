// What the watcher must know of the calls and connections while the main thread's loop is blocked: memory that both share.

// Words of `control`.
export const BEAT = 0; // counts turns of the main thread's loop, ten a second while calls run
export const AWAKE = 1; // 1: calls run, the watcher watches; 0: it sleeps on this word
export const SPOILED = 2; // 1: the watcher has answered on a connection that the main thread must close
export const LISTENER = 3; // descriptor of the listening socket, -1: closed

// States of a slot.
export const FREE = 0;
export const WAITING = 1; // no byte of its answer was sent
export const STARTED = 2; // the main thread answers
export const LATE = 3; // the watcher has answered for it: its deadline passed while the loop was blocked
export const CUT = 4; // the watcher has ended its code in the main thread

// What is known of a descriptor.
export const CLOSED = 0;
export const IDLE = 1; // a connection between two requests
export const BUSY = 2;
export const ANSWERED = 3; // by the watcher

const DESCRIPTORS = 65536;
const ID_BYTES = 128;

/** `slots` calls at once. The same from both threads: `new Board(slots, buffer)`. */
export class Board {
  constructor(slots, buffer = new SharedArrayBuffer(16 + DESCRIPTORS + slots * (20 + ID_BYTES) + 8)) {
    const at = 16 + DESCRIPTORS;
    this.slots = slots;
    this.buffer = buffer;
    this.control = new Int32Array(buffer, 0, 4);
    this.connections = new Uint8Array(buffer, 16, DESCRIPTORS);
    this.due = new Float64Array(buffer, at, slots);
    this.state = new Int32Array(buffer, at + slots * 8, slots);
    this.fd = new Int32Array(buffer, at + slots * 12, slots);
    this.idLength = new Int32Array(buffer, at + slots * 16, slots);
    this.ids = Buffer.from(buffer, at + slots * 20, slots * ID_BYTES);
    this.free = Array.from({ length: slots }, (_, index) => slots - 1 - index); // the main thread's
  }

  /** Enter a call; its slot. */
  take(fd, id, due) {
    const slot = this.free.pop();
    this.fd[slot] = fd;
    this.due[slot] = due;
    this.idLength[slot] = this.ids.latin1Write(id, slot * ID_BYTES, ID_BYTES);
    Atomics.store(this.state, slot, WAITING);
    return slot;
  }

  giveBack(slot) {
    Atomics.store(this.state, slot, FREE);
    this.free.push(slot);
  }

  /** Change the state of a slot; false where the other thread was first. */
  move(slot, from, to) {
    return Atomics.compareExchange(this.state, slot, from, to) === from;
  }

  /** The request id of a slot's call. */
  id(slot) {
    return this.ids.latin1Slice(slot * ID_BYTES, slot * ID_BYTES + this.idLength[slot]);
  }

  /** Note what a connection does; descriptors beyond the table are not watched. */
  note(fd, what) {
    if (fd >= 0 && fd < DESCRIPTORS) this.connections[fd] = what;
  }
}
