import { readFileSync } from 'node:fs';

const PATHS = {
  hello: (req, res) => answer(res, 'hello'),
  echo(req, res) {
    res.writeHead(200);
    req.pipe(res);
  },
  async count(req, res) {
    let bytes = 0;
    for await (const part of req) bytes += part.length;
    answer(res, JSON.stringify({ bytes }), 'application/json');
  },
  request(req, res) {
    const [path, query] = req.url.split('?');
    const { headers, method } = req;
    const found = { method, path, query, headers, request_id: headers['x-request-id'], root_path: headers['x-forwarded-prefix'] };
    answer(res, JSON.stringify(found), 'application/json');
  },
  fail() {
    throw new Error('the reason');
  },
  sleep(req, res) {
    console.log('asleep');
    const timer = setTimeout(() => answer(res, 'late'), 60_000);
    res.on('close', () => clearTimeout(timer));
  },
  spin() {
    console.log('spinning');
    for (;;);
  },
  log(req, res) {
    console.log('one');
    console.log('two');
    setImmediate(() => {
      console.error('three');
      answer(res, '');
    });
  },
  stream(req, res) {
    res.writeHead(200, { 'content-type': 'text/plain' });
    res.write('first\n');
    res.on('close', () => console.log('the stream was closed'));
  },
  broken(req, res) {
    res.write('first\n');
    throw new Error('the reason');
  },
  async pieces(req, res) {
    for (let piece = 0; piece < 64; piece += 1) {
      if (!res.write(Buffer.alloc(4096, 'x'))) await new Promise((resolve) => res.once('drain', resolve));
    }
    res.end();
  },
  environment: (req, res) => answer(res, JSON.stringify(process.env), 'application/json'),
  given(req, res) {
    const { 'x-ffx-user': user, 'x-ffx-groups': groups = '', 'x-ffx-email': email = '' } = req.headers;
    const principal = user ? { user, groups: groups.split(',').filter(Boolean), email } : null;
    const secret = readFileSync(`${process.env.FFX_SECRETS_DIR}/db-password`, 'utf8');
    const token = readFileSync(process.env.FFX_TOKEN_FILE, 'utf8');
    answer(res, JSON.stringify({ secret, token, principal }), 'application/json');
  },
};

function answer(res, body, type = 'text/plain; charset=utf-8') {
  res.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  res.end(body);
}

export function app(req, res) {
  return PATHS[req.url.split('?')[0].slice(1)](req, res);
}
