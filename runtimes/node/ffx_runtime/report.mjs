// The pipe to the platform: one JSON object per line. Lines of the log carry the request id of the call that wrote them.
import { AsyncLocalStorage } from 'node:async_hooks';

import { fs } from './builtins.mjs';

export const LONGEST_LINE = 16 * 1024; // bytes of one line; longer ones are cut into pieces
export const currentCall = new AsyncLocalStorage(); // the Call that code runs for

/** Without a descriptor (a run outside the platform) lines go to the real stdout and stderr. */
export class Report {
  constructor(fd) {
    this.fd = fd;
  }

  ready() {
    if (this.fd !== null) this.#write('{"ready": true}\n');
  }

  /** Lines of the log, without their line breaks. */
  lines(stream, messages, requestId) {
    if (this.fd === null) {
      for (const message of messages) put(stream === 'stderr' ? 2 : 1, `${message}\n`);
      return;
    }
    let text = '';
    for (const message of messages) {
      for (const piece of pieces(message)) {
        text += `${JSON.stringify({ log: { stream, message: piece, request_id: requestId } })}\n`;
      }
    }
    this.#write(text);
  }

  #write(text) {
    if (!put(this.fd, text)) this.fd = null; // the platform has gone; what follows goes to the raw streams
  }
}

/** Write all of it; false where nobody reads any more. */
export function put(fd, text) {
  let data = Buffer.from(text);
  while (data.length > 0) {
    try {
      data = data.subarray(fs.writeSync(fd, data));
    } catch (error) {
      if (error.code !== 'EAGAIN') return false;
      Atomics.wait(NOTHING, 0, 0, 1);
    }
  }
  return true;
}

const NOTHING = new Int32Array(new SharedArrayBuffer(4));

function pieces(message) {
  if (message.length * 3 <= LONGEST_LINE) return [message];
  const data = Buffer.from(message);
  if (data.length <= LONGEST_LINE) return [message];
  const found = [];
  for (let at = 0; at < data.length; ) {
    let end = Math.min(at + LONGEST_LINE, data.length);
    while (end < data.length && (data[end] & 0xc0) === 0x80) end -= 1; // not inside of a character
    found.push(data.toString('utf8', at, end));
    at = end;
  }
  return found;
}
