// Functions of the form `handle(event, context)`: the whole body is there before the handler is called.
import { Call } from './call.mjs';
import { Context } from './context.mjs';
import { BadRequest, Event } from './event.mjs';
import { currentCall } from './report.mjs';
import { BadAnswer, toAnswer } from './response.mjs';
import { streamAnswer } from './streaming.mjs';
import { failure, trace } from './trace.mjs';

const NO_BODY = Buffer.alloc(0);

export class HandlerCall extends Call {
  stream = null; // of the answer: {cancel()}

  /** Read the body, then call. */
  begin() {
    const { req, res } = this;
    res.sendDate = false;
    req._consumed = true; // node:http need not read it to its end
    const length = req.headers['content-length'];
    if (req.headers['transfer-encoding'] === undefined && (length === undefined || length === '0')) {
      this.run(NO_BODY);
    } else {
      collect(this, this.server.settings.payload_bytes);
    }
  }

  run(body) {
    this.begun = true;
    currentCall.run(this, serve, this, body);
  }

  cancelWork() {
    this.stream?.cancel();
  }

  answer(status, headers, body) {
    if (this.done) return;
    if (!this.claim()) return this.abort();
    this.started = true;
    this.send(status, headers, body);
  }

  /** What the handler threw: for the log, and for the caller where it still waits. */
  fail(error) {
    if (this.cancelled) {
      process.stderr.write(`the call was cancelled\n${trace(error)}\n`);
    } else if (error instanceof BadRequest) {
      this.refuse('bad-request', error.message);
    } else if (error instanceof BadAnswer) {
      this.refuse('function-error', error.message);
      process.stderr.write(`${error.message}\n`);
    } else {
      this.refuse('function-error', failure(error));
      process.stderr.write(`${trace(error)}\n`);
    }
  }
}

async function serve(call, body) {
  const { server, req } = call;
  try {
    const { url } = req;
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const query = mark < 0 ? '' : url.slice(mark + 1);
    const { target } = server;
    let value = target(new Event(req.method, path, query, req.rawHeaders, body), new Context(call, server.settings));
    if (value !== null && typeof value === 'object' && typeof value.then === 'function') value = await value;
    const answer = toAnswer(value);
    if (answer.stream === undefined) call.answer(answer.status, answer.headers, answer.body);
    else await streamAnswer(call, answer);
  } catch (error) {
    call.fail(error);
  } finally {
    server.streams.endCall(call.id);
    call.release();
  }
}

/** Gather the body as the parser finds it. A stream's own events would come a turn later, and cost as much as the handler. */
function collect(call, limit) {
  const { req } = call;
  const { push } = req;
  const chunks = [];
  let size = 0;
  if ('expect' in req.headers) call.res.writeContinue();
  req.push = (chunk) => {
    if (call.done) return push.call(req, chunk);
    if (chunk === null) {
      call.run(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size));
      return false;
    }
    size += chunk.length;
    if (limit !== null && size > limit) {
      call.tooLarge();
    } else {
      chunks.push(chunk);
      call.extend();
    }
    return true;
  };
}
