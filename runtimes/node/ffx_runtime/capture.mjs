// stdout and stderr of a function: lines with the request id of the call that wrote them.
import { Writable } from 'node:stream';

import { LONGEST_LINE, currentCall } from './report.mjs';

/** Stands in for `process.stdout` and `process.stderr`. A line is sent when it ends; the rest of one when its call ends. */
class LineStream extends Writable {
  #report;
  #name;
  #partial = new Map(); // request id -> what is not a whole line yet

  constructor(report, name, fd) {
    super({ decodeStrings: false });
    this.#report = report;
    this.#name = name;
    this.fd = fd;
    this.isTTY = false;
  }

  write(chunk, encoding, callback) {
    if (typeof encoding === 'function') callback = encoding;
    if (typeof chunk !== 'string') {
      if (!ArrayBuffer.isView(chunk)) throw new TypeError('a chunk must be a string or bytes');
      chunk = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString();
    } else if (typeof encoding === 'string' && !/^utf-?8$/i.test(encoding)) {
      chunk = Buffer.from(chunk, encoding).toString();
    }
    this.#take(chunk, currentCall.getStore()?.id ?? null);
    if (callback) process.nextTick(callback, null);
    return true;
  }

  end(chunk, encoding, callback) {
    if (typeof chunk === 'function') [chunk, callback] = [null, chunk];
    if (typeof encoding === 'function') [encoding, callback] = [null, encoding];
    if (chunk !== null && chunk !== undefined) this.write(chunk, encoding);
    if (callback) process.nextTick(callback);
    return this; // it stays open, as the process's own
  }

  /** Send what the call left without a line break. */
  endCall(id) {
    const rest = this.#partial.get(id);
    if (rest === undefined) return;
    this.#partial.delete(id);
    this.#report.lines(this.#name, [rest], id);
  }

  get hasPartial() {
    return this.#partial.size > 0;
  }

  #take(text, id) {
    const before = this.#partial.get(id);
    if (before !== undefined) {
      text = before + text;
      this.#partial.delete(id);
    }
    const lines = text.split('\n');
    const rest = lines.pop();
    for (let at = 0; at < lines.length; at += 1) if (lines[at].endsWith('\r')) lines[at] = lines[at].slice(0, -1);
    if (rest.length > LONGEST_LINE) lines.push(rest);
    else if (rest) this.#partial.set(id, rest);
    if (lines.length > 0) this.#report.lines(this.#name, lines, id);
  }
}

/** Both streams, put in place of the process's own. */
export class Streams {
  constructor(report) {
    this.stdout = new LineStream(report, 'stdout', 1);
    this.stderr = new LineStream(report, 'stderr', 2);
  }

  install() {
    for (const name of ['stdout', 'stderr']) {
      Object.defineProperty(process, name, { value: this[name], configurable: true, enumerable: true, writable: true });
    }
  }

  endCall(id) {
    if (this.stdout.hasPartial || this.stderr.hasPartial) {
      this.stdout.endCall(id);
      this.stderr.endCall(id);
    }
  }
}
