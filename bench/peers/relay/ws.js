// The same bare relay on Node's http and ws, for machines on which no uWebSockets.js binary loads.
'use strict';
const http = require('http');
const { WebSocketServer } = require('ws');

const port = Number(process.argv[2]);
const sockets = new Map(); // user -> Set of WebSockets
const userOf = (request) => request.url.slice(request.url.indexOf('=') + 1);

const server = http.createServer({ keepAliveTimeout: 3600_000 }, (request, response) => {
  if (request.method !== 'POST') {
    response.end('ok');
    return;
  }
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const devices = sockets.get(userOf(request));
    const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    if (devices) for (const device of devices) device.send(body, { binary: false });
    response.writeHead(202, { 'content-type': 'application/json', 'content-length': 11 });
    response.end('{"ok":true}');
  });
});

new WebSocketServer({ server, path: '/sub', perMessageDeflate: false }).on('connection', (socket, request) => {
  const user = userOf(request);
  const devices = sockets.get(user);
  if (devices) devices.add(socket); else sockets.set(user, new Set([socket]));
  socket.on('close', () => {
    const left = sockets.get(user);
    if (left && left.delete(socket) && left.size === 0) sockets.delete(user);
  });
});

server.listen(port, '127.0.0.1', 4096);
process.on('SIGTERM', () => process.exit(0));
