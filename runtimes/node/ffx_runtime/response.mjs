// What a handler may return, and how it becomes an answer.
const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';
const JSON_TYPE = 'application/json';
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
// Framing belongs to this server. Upgrade and the rest of hop-by-hop would be lies on this connection.
const FRAMING = new Set([
  'connection', 'content-length', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
]); // prettier-ignore

/** The function answered with something that cannot be sent; the message says what. */
export class BadAnswer extends Error {}

/**
 * An answer with its status and headers: `new Response(body, status, headers)`, or `new Response(body, {status, headers})`.
 *
 * `body` is anything a handler may return. `headers` is an object (a value may be a list, for several lines of that name), a Map,
 * the web's Headers, or a list of pairs.
 */
export class Response {
  constructor(body = null, status = 200, headers = null) {
    const options = status !== null && typeof status === 'object' ? status : { status, headers };
    this.body = body;
    this.status = options.status ?? 200;
    this.headers = options.headers ?? null;
  }
}

/**
 * Convert what a handler returned to `{status, headers, body}`, or `{…, stream}` where the body comes in pieces; `typed`: its
 * content type is already among the headers. Throws BadAnswer.
 */
export function toAnswer(value) {
  if (value === null || value === undefined) return { status: 204, headers: [], body: '' };
  if (typeof value === 'string') return { status: 200, headers: ['content-type', TEXT], body: value };
  if (value instanceof Response) return ours(value);
  if (value[Symbol.toStringTag] === 'Response' && value instanceof globalThis.Response) return fromWeb(value); // it takes long to load
  const { type, body, stream } = bodyOf(value);
  return { status: 200, headers: type === null ? [] : ['content-type', type], body, stream, typed: false };
}

/** One piece of a streamed body, and the content type that it would be. Throws BadAnswer. */
export function piece(value) {
  if (typeof value === 'string') return [Buffer.from(value), TEXT];
  const data = bytes(value);
  if (data === null) throw new BadAnswer(`a generator may yield strings or bytes, not ${kind(value)}`);
  return [data, BYTES];
}

/** An iterator over the pieces of a generator or a stream of Node. */
export function piecesOf(value) {
  return value[Symbol.asyncIterator] ? value[Symbol.asyncIterator]() : value[Symbol.iterator]();
}

function isIterator(value) {
  return typeof value.next === 'function' && typeof value[Symbol.iterator] === 'function';
}

function ours(value) {
  const headers = linesOf(value.headers);
  const status = checked(value.status);
  if (value.body === null || value.body === undefined) return { status, headers, body: '' };
  const { type, body, stream } = bodyOf(value.body);
  const typed = names(headers, 'content-type');
  if (type !== null && !typed) headers.push('content-type', type);
  return { status, headers, body, stream, typed };
}

function fromWeb(value) {
  const headers = linesOf(value.headers);
  const status = checked(value.status);
  if (value.body === null) return { status, headers, body: '' };
  if (value.bodyUsed) throw new BadAnswer('the body of the Response has been read already');
  return { status, headers, stream: value.body, typed: true };
}

function checked(status) {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new BadAnswer(`the status ${String(status)} is not a number from 200 to 599`);
  }
  return status;
}

function bodyOf(value) {
  const type = typeof value;
  if (type === 'string') return { type: TEXT, body: value };
  if (type === 'object') {
    const data = bytes(value);
    if (data !== null) return { type: BYTES, body: data };
    if (value[Symbol.asyncIterator] || isIterator(value)) return { type: null, stream: value };
  }
  if (type === 'boolean' || (type === 'number' && Number.isFinite(value)) || isDocument(value)) {
    try {
      const text = JSON.stringify(value);
      if (text !== undefined) return { type: JSON_TYPE, body: text };
    } catch (error) {
      throw new BadAnswer(`the value is not JSON: ${error.message.split('\n', 1)[0]}`);
    }
  }
  throw new BadAnswer(
    `a handler may return an object, array, number, boolean, string, Buffer, null, a Response, a generator or a stream, not ${kind(value)}`,
  );
}

function isDocument(value) {
  if (value === null || typeof value !== 'object') return false;
  if (Array.isArray(value) || typeof value.toJSON === 'function') return true;
  return Object.prototype.toString.call(value) === '[object Object]' && typeof value.then !== 'function';
}

function bytes(value) {
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return Buffer.from(value);
  return null;
}

function kind(value) {
  if (typeof value === 'number') return String(value);
  if (value === null || typeof value !== 'object') return typeof value;
  return value.constructor?.name || 'an object';
}

/** Header lines ready to send: framing and `x-ffx-*`, the platform's own, are dropped. Throws BadAnswer. */
function linesOf(headers) {
  const lines = [];
  if (headers === null) return lines;
  const pairs = typeof headers[Symbol.iterator] === 'function' ? headers : Object.entries(headers);
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) throw new BadAnswer('headers in a list must be pairs of name and value');
    const [name, values] = pair;
    const lower = String(name).toLowerCase();
    if (FRAMING.has(lower) || lower.startsWith('x-ffx-')) continue;
    if (!NAME.test(lower)) throw new BadAnswer(`${JSON.stringify(lower)} is not a header's name`);
    for (const one of Array.isArray(values) ? values : [values]) {
      const text = String(one);
      if (BAD_VALUE.test(text)) {
        throw new BadAnswer(`the value of the header ${lower} holds a line break, a control character or none of Latin-1`);
      }
      lines.push(lower, text);
    }
  }
  return lines;
}

function names(lines, name) {
  for (let at = 0; at < lines.length; at += 2) if (lines[at] === name) return true;
  return false;
}
