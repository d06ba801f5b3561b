// Each mistake of a WebSocket client has its exact answer, and touches no other connection.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import { Device, Server, token, within } from './harness.mjs';

let server, bystander;
const past = Math.floor(Date.now() / 1000) - 3600;

test.before(async () => {
  const t = { after: () => {} };
  server = await Server.start(t);
  bystander = await Device.connect(t, server, 'bystander', { dev: 'phone' });
});

test.after(async () => {
  // The one that did nothing wrong is still there, and rings.
  await server.publish({ user_id: 'bystander', message: 'still here' });
  await bystander.received(1);
  bystander.socket.terminate();
  await server.discard();
});

const HELLOS = [
  ['a signature of another secret', { tok: token('ann', {}, { secret: 'x'.repeat(40) }) }, 4001],
  ['alg none', { tok: token('ann', {}, { header: { alg: 'none' } }).replace(/[^.]*$/, '') }, 4001],
  ['no token', { tok: undefined }, 4001],
  ['rubbish for a token', { tok: 'rubbish' }, 4001],
  ['no exp', { tok: token('ann', { exp: undefined }) }, 4001],
  ['a number for sub', { tok: token('ann', { sub: 7 }) }, 4001],
  ['an empty sub', { tok: token('ann', { sub: '' }) }, 4001],
  ['an expired token', { tok: token('ann', { exp: past }) }, 4300],
  ['a credit that is no number', { tok: token('ann'), credit: 'many' }, 4004],
];

for (const [what, fields, code] of HELLOS) {
  test(`hello with ${what}: bye ${code}, and the same close code`, async (t) => {
    const device = await Device.connect(t, server, 'ann', null);
    device.send({ t: 'hello', ...fields });
    assert.equal((await device.frame('bye')).code, code);
    assert.equal((await within(device.closed, 'the close')).code, code);
  });
}

test('a frame before hello: bye 4004', async (t) => {
  const device = await Device.connect(t, server, 'ann', null);
  device.send({ t: 'ack', cur: '1-1' });
  assert.equal((await device.frame('bye')).code, 4004);
  assert.equal((await within(device.closed, 'the close')).code, 4004);
});

test('text that is no JSON: bye 4004', async (t) => {
  const device = await Device.connect(t, server, 'ann');
  device.socket.send('{"t":"ack",');
  assert.equal((await device.frame('bye')).code, 4004);
  assert.equal((await within(device.closed, 'the close')).code, 4004);
});

test('an unknown type, and unknown fields, are ignored', async (t) => {
  const device = await Device.connect(t, server, 'ann', { dev: 'phone', invented: { a: [1] } });
  device.send({ t: 'dance', i: 77 });
  assert.equal((await device.ask({ t: 'list', shade: 'blue' })).t, 'ok');
  assert.equal(device.frames.some((frame) => frame.i === 77), false);
});

const BAD_FRAMES = [
  ['an op that is none', { t: 'mark', i: 1, op: 'polish', ids: ['1-1'] }, /op/],
  ['a mark of nothing', { t: 'mark', i: 1, op: 'read' }, /ids|upto/],
  ['a mark of ids and upto', { t: 'mark', i: 1, op: 'read', ids: ['1-1'], upto: '1-1', ch: '' }, /ids|upto/],
  ['ids that are no list', { t: 'mark', i: 1, op: 'read', ids: 'x' }, /ids/],
  ['an ack of no cursor', { t: 'ack', cur: 'latest' }, /cur/],
  ['a limit that is no number', { t: 'list', i: 1, limit: 'all' }, /limit/],
  ['a frame that is no object', ['ack'], undefined],
];
for (const [what, bad, mention] of BAD_FRAMES) {
  test(`${what}: bye 4004 that names it`, async (t) => {
    const device = await Device.connect(t, server, 'ann', { dev: 'phone' });
    device.send(bad);
    const bye = await device.frame('bye');
    assert.equal(bye.code, 4004);
    if (mention) assert.match(bye.msg, mention);
    assert.equal((await within(device.closed, 'the close')).code, 4004);
  });
}

// Frames as bytes, beyond what a client library would send. Client frames must be masked; the mask is zero here.
const frame = (first, payload, { masked = true, length } = {}) => {
  const size = length ?? payload.length;
  const head = size < 126 ? [first, size | (masked ? 0x80 : 0)]
    : size < 65536 ? [first, 126 | (masked ? 0x80 : 0), size >> 8, size & 255]
      : [first, 127 | (masked ? 0x80 : 0), ...Array.from({ length: 8 }, (_, i) => Number((BigInt(size) >> BigInt(56 - 8 * i)) & 255n))];
  return Buffer.concat([Buffer.from(head), masked ? Buffer.alloc(4) : Buffer.alloc(0), payload]);
};
const FRAMES = [
  ['an unmasked frame', [frame(0x81, Buffer.from('{}'), { masked: false })], 1002],
  ['a reserved opcode', [frame(0x83, Buffer.from('{}'))], 1002],
  ['a reserved bit', [frame(0xc1, Buffer.from('{}'))], 1002],
  ['a continuation of nothing', [frame(0x80, Buffer.from('{}'))], 1002],
  ['a fragmented ping', [frame(0x09, Buffer.from('x'))], 1002],
  ['a ping over 125 bytes', [frame(0x89, Buffer.alloc(126))], 1002],
  ['a close code that must not be sent', [frame(0x88, Buffer.from([0x03, 0xed]))], 1002],
  ['text that is no UTF-8', [frame(0x81, Buffer.from([0x7b, 0xff, 0x7d]))], 1007],
  ['a message over 32 KiB', [frame(0x81, Buffer.alloc(0), { length: 32769 })], 1009],
  ['a length of 2^62', [frame(0x81, Buffer.alloc(0), { length: 2 ** 62 })], 1009],
  ['fragments over 32 KiB', [frame(0x01, Buffer.alloc(20000, 32)), frame(0x80, Buffer.alloc(20000, 32))], 1009],
];

for (const [what, frames, code] of FRAMES) {
  test(`${what}: close ${code}`, async (t) => {
    const socket = net.connect(server.port, '127.0.0.1');
    t.after(() => socket.destroy());
    let received = Buffer.alloc(0);
    socket.on('data', (chunk) => { received = Buffer.concat([received, chunk]); });
    socket.on('error', () => {});
    socket.write(`GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tocsin.v1\r\n\r\n');
    const ended = once(socket, 'close');
    while (!received.includes('\r\n\r\n')) await within(once(socket, 'data'), 'the 101');
    assert.match(received.toString('latin1'), /^HTTP\/1\.1 101 /);
    const head = received.indexOf('\r\n\r\n') + 4;
    for (const bytes of frames) socket.write(bytes);
    socket.on('end', () => socket.end());
    await within(ended, () => `the close; so far ${received.subarray(head).toString('hex')}`);
    // The last frame is the close frame: 0x88, its length, the code.
    const close = received.subarray(head);
    const at = close.lastIndexOf(0x88);
    assert.equal(close.readUInt16BE(at + 2), code);
  });
}

test('an upgrade without key, or of another version, is refused in HTTP', async () => {
  const headers = { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13' };
  const ask = (lines) => new Promise((resolve, reject) => {
    const socket = net.connect(server.port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => { text += chunk; if (text.includes('\r\n\r\n')) { socket.destroy(); resolve(text); } });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
    socket.write(`GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n${lines}\r\n`);
  });
  const lines = (fields) => Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  assert.match(await within(ask(lines(headers)), 'an answer'), /^HTTP\/1\.1 400 /);
  assert.match(await within(ask(lines({ ...headers, 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==', 'sec-websocket-version': '8' })),
    'an answer'), /^HTTP\/1\.1 426 /);
});

test('no hello within the deadline: the connection is closed', async (t) => {
  const device = await Device.connect(t, server, 'ann', null);
  assert.equal((await within(device.closed, 'the close', 15_000)).code, 4004);
});
