// How many calls run at once, and when a call that does not end makes the instance retire.
export const STUCK_GRACE_MS = 1000; // how long cancelled work may take to end

/** `concurrency` places, taken before a handler starts and given back when its work has really ended. */
export class Gate {
  active = 0;
  stuck = 0;
  doomed = false; // a call does not end: leave as soon as only such calls are left
  retiring = false; // take no new calls
  #retired;

  constructor(concurrency, retired) {
    this.concurrency = concurrency;
    this.#retired = retired;
  }

  /** Take a place; false where the instance is full or takes no new calls. */
  enter() {
    if (this.active >= this.concurrency || this.retiring) return false;
    this.active += 1;
    return true;
  }

  leave() {
    this.active -= 1;
    if (this.doomed) this.leaveIfAlone();
  }

  /**
   * One more call does not end: be replaced at the first moment in which only such calls are left.
   *
   * Until then the other places serve: nobody starts a replacement before this instance has ended.
   */
  giveUp() {
    this.stuck += 1;
    this.doomed = true;
    this.leaveIfAlone();
  }

  /** That moment did not come by itself, or must not be waited for: take no new calls. */
  retire() {
    this.doomed = true;
    this.retiring = true;
    this.leaveIfAlone();
  }

  /** A call that was given up has ended after all; the instance goes away nevertheless. */
  unstick() {
    this.stuck -= 1;
  }

  leaveIfAlone() {
    if (this.active <= this.stuck) {
      this.retiring = true;
      this.#retired();
    }
  }
}

/** One timer for the deadlines of all calls: each has `due` (milliseconds of performance.now()) and `expire()`. */
export class Sweeper {
  calls = new Set();
  #timer = null;
  #at = Infinity;

  /** A call's `due` is now this; later ones than the timer's are found when it fires. */
  notice(due) {
    if (due >= this.#at) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#at = due;
    this.#timer = setTimeout(() => this.#sweep(), Math.min(Math.ceil(due - performance.now()) + 1, 2 ** 31 - 1));
    this.#timer.unref();
  }

  #sweep() {
    this.#at = Infinity;
    this.#timer = null;
    const now = performance.now();
    let following = Infinity;
    for (const call of [...this.calls]) {
      if (call.due <= now) call.expire();
      if (call.due < following) following = call.due;
    }
    // A call that is on its way out may still be listed: look again soon, not at once.
    if (following !== Infinity) this.notice(Math.max(following, now + 20));
  }
}
