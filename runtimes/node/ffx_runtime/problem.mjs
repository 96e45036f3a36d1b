// The platform's own answers: RFC 9457 problem documents.
const KNOWN = {
  'bad-request': [400, 'The request cannot be read'],
  'payload-too-large': [413, 'Too large'],
  'headers-too-large': [431, "The request's headers are too large"],
  'instance-full': [429, 'Too many calls'],
  'function-error': [500, 'The function failed'],
  'deadline-exceeded': [504, 'The deadline has passed'],
};
const PHRASES = {
  400: 'Bad Request',
  413: 'Payload Too Large',
  431: 'Request Header Fields Too Large',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  504: 'Gateway Timeout',
};

/** Status, header lines (name, value, name, value …) and body of the answer with this `code`. */
export function problem(code, detail, requestId) {
  const [status, title] = KNOWN[code];
  const headers = ['content-type', 'application/problem+json'];
  if (code === 'instance-full') headers.push('x-ffx-overflow', '1', 'retry-after', '1');
  const members = {
    type: `https://faasioflex.dev/problems/${code}`,
    title,
    status,
    detail,
    code,
    request_id: requestId,
  };
  const written = Object.entries(members).map(([name, value]) => `"${name}": ${JSON.stringify(value)}`);
  return { status, headers, body: `{${written.join(', ')}}` };
}

/** The whole answer as it is sent on a connection that is closed afterwards. */
export function rawProblem(code, detail, requestId) {
  const { status, headers, body } = problem(code, detail, requestId);
  let head = `HTTP/1.1 ${status} ${PHRASES[status]}\r\n`;
  for (let at = 0; at < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return `${head}connection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
