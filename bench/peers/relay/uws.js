// A bare relay on uWebSockets.js: POST /pub?id=USER is sent to the sockets that came by /sub?id=USER. Memory only.
'use strict';
const uws = require('uwebsockets');

const port = Number(process.argv[2]);
const sockets = new Map(); // user -> Set of WebSockets

uws.App()
  .get('/healthz', (res) => res.end('ok'))
  .post('/pub', (res, req) => {
    const user = req.getQuery('id');
    let body = null;
    res.onAborted(() => {});
    res.onData((chunk, isLast) => {
      const bytes = Buffer.from(chunk);
      if (isLast && body === null) {
        body = bytes;
      } else {
        body = Buffer.concat(body === null ? [bytes] : [body, bytes]);
      }
      if (!isLast) return;
      const devices = sockets.get(user);
      if (devices) for (const device of devices) device.send(body, false, false);
      res.cork(() => res.writeStatus('202 Accepted').end('{"ok":true}'));
    });
  })
  .ws('/sub', {
    compression: uws.DISABLED,
    idleTimeout: 120,
    upgrade: (res, req, context) => {
      res.upgrade({ user: req.getQuery('id') }, req.getHeader('sec-websocket-key'),
        req.getHeader('sec-websocket-protocol'), req.getHeader('sec-websocket-extensions'), context);
    },
    open: (ws) => {
      const user = ws.getUserData().user;
      const devices = sockets.get(user);
      if (devices) devices.add(ws); else sockets.set(user, new Set([ws]));
    },
    close: (ws) => {
      const user = ws.getUserData().user;
      const devices = sockets.get(user);
      if (devices && devices.delete(ws) && devices.size === 0) sockets.delete(user);
    },
  })
  .listen('127.0.0.1', port, (socket) => {
    if (!socket) process.exit(1);
  });

process.on('SIGTERM', () => process.exit(0));
