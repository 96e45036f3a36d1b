// The request, as a handler sees it.
import { isCloudEvent, readCloudEvent, readJson } from './cloudevent.mjs';
import { asProperties } from './headers.mjs';

/** The request is not what the function needs: answered with 400 and this message where the handler lets it through. */
export class BadRequest extends Error {
  name = 'BadRequest';
}

/** `method`, `path` (after the function's own prefix, escapes kept), `query`, `headers` and `body`. */
export class Event {
  #lines;
  #headers = null;
  #query = null;
  #cloudevent;

  constructor(method, path, queryString, lines, body) {
    this.method = method;
    this.path = path;
    this.query_string = queryString;
    this.body = body; // Buffer
    this.#lines = lines;
  }

  /** Case-insensitive: `headers['Content-Type']`, `headers.get('content-type')`, `headers.all('accept')`. */
  get headers() {
    return (this.#headers ??= asProperties(this.#lines));
  }

  /** Each name of the query string with its values, escapes undone: `{a: ['1', '2']}`. */
  get query() {
    if (this.#query === null) {
      this.#query = Object.create(null);
      for (const [name, value] of new URLSearchParams(this.query_string)) (this.#query[name] ??= []).push(value);
    }
    return this.#query;
  }

  /** The body as text: in the charset of its content type, else UTF-8. Throws BadRequest where it is not. */
  text() {
    const charset = /;\s*charset="?([^";\s]+)/i.exec(this.headers.get('content-type') ?? '')?.[1] ?? 'utf-8';
    let decoder;
    try {
      decoder = new TextDecoder(charset, { fatal: true });
    } catch {
      throw new BadRequest(`the charset ${JSON.stringify(charset)} of the body is not known`);
    }
    try {
      return decoder.decode(this.body);
    } catch {
      throw new BadRequest(`the body is not ${charset} text`);
    }
  }

  /** The body as JSON; null for an empty body that does not claim to be JSON. Throws BadRequest where it is not. */
  json() {
    if (this.body.length === 0 && !(this.headers.get('content-type') ?? '').includes('json')) return null;
    try {
      return readJson(this.body);
    } catch (error) {
      throw new BadRequest(`the body is not JSON: ${error.message}`);
    }
  }

  /** The CloudEvent that the request carries, in binary or structured mode; null where it carries none. Throws BadRequest. */
  get cloudevent() {
    if (this.#cloudevent === undefined) {
      try {
        this.#cloudevent = isCloudEvent(this.headers) ? readCloudEvent(this.headers, this.body) : null;
      } catch (error) {
        throw new BadRequest(`the request is not a CloudEvent: ${error.message}`);
      }
    }
    return this.#cloudevent;
  }
}
