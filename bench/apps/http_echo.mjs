// The bare server for Node. Argument: a port or unix:PATH.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": body.length });
    response.end(body);
  });
});
const where = process.argv[2];
if (where.startsWith("unix:")) server.listen(where.slice(5));
else server.listen(Number(where), "127.0.0.1");
