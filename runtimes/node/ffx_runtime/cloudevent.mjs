// CloudEvents 1.0 over HTTP: binary mode (`ce-*` headers) and structured mode (`application/cloudevents+json`).
const STRUCTURED = 'application/cloudevents+json';
const REQUIRED = ['specversion', 'id', 'source', 'type'];
const OPTIONAL = ['subject', 'time', 'datacontenttype', 'dataschema'];

/**
 * The attributes, `extensions` (the others) and `data`: JSON where `datacontenttype` says so (or is absent), else text or a Buffer.
 * `time` is RFC 3339 text; what was not sent is null.
 */
export class CloudEvent {
  constructor(attributes, data) {
    const rest = { ...attributes };
    for (const name of [...REQUIRED, ...OPTIONAL]) {
      this[name] = rest[name] ?? null;
      delete rest[name];
    }
    this.extensions = rest;
    this.data = data;
  }
}

export function isCloudEvent(headers) {
  return headers.has('ce-specversion') || mediaType(headers.get('content-type') ?? '') === STRUCTURED;
}

/** Read the event of a request for which `isCloudEvent` holds. Throws Error, which says what is wrong. */
export function readCloudEvent(headers, body) {
  const contentType = headers.get('content-type') ?? null;
  if (mediaType(contentType ?? '') === STRUCTURED) return structured(body);
  const attributes = {};
  for (const [name, value] of headers) {
    if (name.startsWith('ce-')) attributes[name.slice(3)] = decodeURIComponent(value);
  }
  attributes.datacontenttype = contentType;
  return made(attributes, body.length > 0 ? dataOf(body, contentType) : null);
}

/** Some clients send a byte order mark before the text. */
export function readJson(body) {
  const marked = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
  return JSON.parse(marked ? body.subarray(3) : body);
}

function structured(body) {
  const { data = null, data_base64: encoded = null, ...attributes } = object(readJson(body));
  if (encoded === null) return made(attributes, data);
  if (typeof encoded !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) throw new Error('data_base64 is not base64');
  return made(attributes, Buffer.from(encoded, 'base64'));
}

function object(value) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error('the body is not a JSON object');
  return value;
}

function made(attributes, data) {
  for (const name of REQUIRED) {
    if (typeof attributes[name] !== 'string' || !attributes[name]) throw new Error(`the attribute ${name} is missing`);
  }
  if (!attributes.specversion.startsWith('1.')) throw new Error(`specversion ${attributes.specversion} is not 1.x`);
  for (const name of OPTIONAL) {
    const value = attributes[name] ?? null;
    if (value !== null && typeof value !== 'string') throw new Error(`the attribute ${name} is not text`);
  }
  return new CloudEvent(attributes, data);
}

function dataOf(body, contentType) {
  const type = mediaType(contentType ?? 'application/json');
  if (type === 'application/json' || type.endsWith('+json')) return readJson(body);
  return type.startsWith('text/') ? body.toString() : body;
}

function mediaType(contentType) {
  return contentType.split(';', 1)[0].trim().toLowerCase();
}
