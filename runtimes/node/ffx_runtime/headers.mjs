// Headers of requests, as functions see them.

// who calls, and which queued call this is, by the platform: functions see them
const CALLER = new Set(['x-ffx-user', 'x-ffx-groups', 'x-ffx-email', 'x-ffx-invocation-id', 'x-ffx-attempt']);

/** Whether a header (its name in lower case) is between the platform and this runtime. */
export const isPlatforms = (name) => name.startsWith('x-ffx-') && !CALLER.has(name);

/** Case-insensitive. Several lines of one name are joined with `, `; `all(name)` has them apart. Iterates over [name, value]. */
export class Headers {
  #lines; // name, value, name, value …
  #values = null;

  constructor(lines) {
    this.#lines = lines;
  }

  get #joined() {
    if (this.#values === null) {
      const values = (this.#values = new Map());
      for (let at = 0; at < this.#lines.length; at += 2) {
        const name = this.#lines[at].toLowerCase();
        if (isPlatforms(name)) continue;
        const before = values.get(name);
        const value = this.#lines[at + 1];
        values.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`);
      }
    }
    return this.#values;
  }

  /** The value, or undefined. */
  get(name) {
    return this.#joined.get(String(name).toLowerCase());
  }

  has(name) {
    return this.#joined.has(String(name).toLowerCase());
  }

  /** Every line of that name, in order. */
  all(name) {
    const wanted = String(name).toLowerCase();
    const found = [];
    if (!this.has(wanted)) return found;
    for (let at = 0; at < this.#lines.length; at += 2) {
      if (this.#lines[at].toLowerCase() === wanted) found.push(this.#lines[at + 1]);
    }
    return found;
  }

  keys() {
    return this.#joined.keys();
  }

  values() {
    return this.#joined.values();
  }

  entries() {
    return this.#joined.entries();
  }

  [Symbol.iterator]() {
    return this.#joined.entries();
  }

  forEach(callback) {
    for (const [name, value] of this.#joined) callback(value, name, this);
  }

  get size() {
    return this.#joined.size;
  }

  toJSON() {
    return Object.fromEntries(this.#joined);
  }

  [Symbol.for('nodejs.util.inspect.custom')](_depth, options, inspect) {
    return `Headers ${inspect(this.toJSON(), options)}`;
  }
}

const BY_PROPERTY = {
  get(target, name) {
    const own = target[name];
    if (own !== undefined) return typeof own === 'function' ? own.bind(target) : own;
    return typeof name === 'string' ? target.get(name) : undefined;
  },
  has(target, name) {
    return name in target || (typeof name === 'string' && target.has(name));
  },
  ownKeys(target) {
    return [...target.keys()];
  },
  getOwnPropertyDescriptor(target, name) {
    const value = typeof name === 'string' ? target.get(name) : undefined;
    return value === undefined ? undefined : { value, enumerable: true, configurable: true, writable: false };
  },
  set() {
    return false;
  },
};

/** Headers that can also be read as properties: `headers['content-type']`, `{...headers}`. */
export function asProperties(lines) {
  return new Proxy(new Headers(lines), BY_PROPERTY);
}
