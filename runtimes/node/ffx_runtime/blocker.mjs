// Finding and ending the code that blocks the main thread, through the inspector: it works while that thread computes.
import { writeSync } from 'node:fs';

import { CUT, FREE, SPOILED } from './board.mjs';

const LOOK_MS = 1000; // for the pause to come; code outside of JavaScript does not pause
const RUNTIME = new URL('.', import.meta.url).href;

export class Blocker {
  #board;
  #report;
  #code;
  #looking = null; // {since, session}

  constructor(board, { report, code }) {
    this.#board = board;
    this.#report = report;
    this.#code = code;
  }

  /** End what runs in the main thread. Called again as long as its loop does not turn. */
  end(now) {
    if (this.#looking === null) this.#look(now);
    else if (now - this.#looking.since > LOOK_MS) this.#kill();
  }

  /** The loop turns again. */
  forget() {
    this.#looking?.session.disconnect();
    this.#looking = null;
  }

  #look(since) {
    const { Session } = process.getBuiltinModule('node:inspector');
    const session = new Session();
    const urls = new Map();
    this.#looking = { since, session };
    session.connectToMainThread();
    session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
    session.on('Debugger.paused', ({ params }) => this.#paused(session, params.callFrames, urls));
    session.post('Debugger.enable');
    session.post('Debugger.pause');
  }

  #paused(session, frames, urls) {
    const places = frames.map((frame) => ({
      name: frame.functionName || '(anonymous)',
      url: urls.get(frame.location.scriptId) ?? '',
      line: frame.location.lineNumber + 1,
    }));
    const where = this.#where(places);
    const ends = endsProcess(places);
    const frame = { callFrameId: frames[0].callFrameId };
    const question = { ...frame, expression: "globalThis[Symbol.for('ffx.runtime.slot')]()", returnByValue: true };
    session.post('Debugger.evaluateOnCallFrame', question, (error, answer) => {
      const slot = error ? -1 : Number(answer.result.value ?? -1);
      const id = slot >= 0 && this.#board.state[slot] !== FREE ? this.#board.id(slot) : null;
      if (ends) {
        this.#say(`the event loop is blocked beyond every deadline ${where}: this instance is replaced`, id);
        session.post('Debugger.evaluateOnCallFrame', { ...frame, expression: 'process.reallyExit(75)' });
        setTimeout(() => session.disconnect(), 50);
        return;
      }
      this.#say(`the event loop was blocked beyond every deadline ${where}: that call was ended`, id);
      if (id !== null) Atomics.store(this.#board.state, slot, CUT);
      Atomics.store(this.#board.control, SPOILED, 1);
      session.post('Runtime.terminateExecution');
      session.post('Debugger.resume');
    });
  }

  #where(places) {
    const own = places.find(({ url }) => url.startsWith('file:') && !url.startsWith(RUNTIME));
    if (own === undefined) return 'outside of the function';
    const path = decodeURIComponent(own.url.slice('file://'.length));
    const shown = path.startsWith(`${this.#code}/`) ? path.slice(this.#code.length + 1) : path;
    return `by ${own.name} (${shown}:${own.line})`;
  }

  /** It waits outside of JavaScript (a child process, a native module), where nothing can reach it. */
  #kill() {
    this.#say('the event loop is blocked beyond every deadline, outside of JavaScript: this instance is replaced', null);
    process.kill(process.pid, 'SIGKILL');
  }

  #say(message, id) {
    try {
      if (this.#report === null) writeSync(2, `${message}\n`);
      else writeSync(this.#report, `${JSON.stringify({ log: { stream: 'stderr', message, request_id: id } })}\n`);
    } catch {
      // nobody reads the log any more
    }
  }
}

/**
 * Whether code that is torn out of Node at this place would take the process with it: then the end is ours to choose. That is so in a
 * timer's callback, and before Node 24, which keeps a stack of its own for async_hooks, anywhere but right below the HTTP parser.
 */
function endsProcess(places) {
  if (Number(process.versions.node.split('.', 1)[0]) < 24) return places.at(-1).url !== 'node:_http_common';
  return places.some(({ url, name }) => url === 'node:internal/timers' && name === 'listOnTimeout');
}
