// The producer's side: what POST /v1/notifications takes, and the exact answer to each mistake.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import { API_KEY, Device, PUBLISH_ONLY_KEY, Server, token, within } from './harness.mjs';

let server;
test.before(async () => { server = await Server.start({ after: () => {} }); });
test.after(() => server.discard());

const post = (body, options) => server.request('POST', '/v1/notifications', { body, key: API_KEY, ...options });

// What every error is: problem+json whose `detail` names what was wrong, and nothing of ours in it.
function assertProblem(answer, status, mention) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.equal(answer.json.status, status);
  assert.equal(typeof answer.json.title, 'string');
  if (mention) assert.match(answer.text, mention);
  assert.equal(answer.text.includes(API_KEY), false);
}

async function bodiesOf(t, user, count) {
  const device = await Device.connect(t, server, user);
  return (await device.received(count)).map((item) => item.body);
}

// Any number of requests as bytes on one connection; resolves with all that came once `done(text)` says so.
function raw(bytes, done = (text) => text.includes('\r\n\r\n')) {
  const socket = net.connect(server.port, '127.0.0.1');
  let text = '';
  return within(new Promise((resolve, reject) => {
    socket.on('data', (chunk) => { text += chunk.toString('latin1'); if (done(text)) resolve(text); });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
    for (const piece of [bytes].flat()) socket.write(piece);
  }), () => `an answer; so far ${JSON.stringify(text.slice(-300))}`).finally(() => socket.destroy());
}
const head = (fields) => `POST /v1/notifications HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nx-api-key: ${API_KEY}\r\n${fields}\r\n`;

test('one, an array, NDJSON and many users: 202 with nids in request order and the durability', async (t) => {
  const one = await post({ user_id: 'one', message: 'a' });
  assert.equal(one.status, 202);
  assert.equal(one.json.durability, 'sync');
  assert.match(one.json.items[0].nid, /^\d+-\d+$/);
  assert.deepEqual(await bodiesOf(t, 'one', 1), ['a']);

  const array = await post([{ user_id: 'two', message: 'b' }, { user_id: 'two', message: 'c' }]);
  assert.equal(array.json.items.length, 2);
  assert.deepEqual(await bodiesOf(t, 'two', 2), ['b', 'c']);

  const lines = '{"user_id":"three","message":"d"}\n{"user_id":"three","message":"e"}\n';
  const ndjson = await post(lines, { headers: { 'content-type': 'application/x-ndjson' } });
  assert.equal(ndjson.status, 202, ndjson.text);
  assert.equal(ndjson.json.items.length, 2);
  assert.deepEqual(await bodiesOf(t, 'three', 2), ['d', 'e']);

  const many = await post({ user_ids: ['four', 'five', 'four'], message: 'f' });
  assert.equal(many.json.items.length, 1);
  assert.deepEqual(await bodiesOf(t, 'four', 1), ['f']);
  assert.deepEqual(await bodiesOf(t, 'five', 1), ['f']);

  const number = await post({ user_id: 123, message: 'g' });
  assert.equal(number.status, 202);
  assert.deepEqual(await bodiesOf(t, '123', 1), ['g']);
});

test('the key may come as x-api-key or as a bearer token; a key with the scope publish may publish', async () => {
  const body = { user_id: 'keys', message: 'a' };
  assert.equal((await post(body, { key: undefined, headers: { authorization: `Bearer ${API_KEY}` } })).status, 202);
  assert.equal((await post(body, { key: PUBLISH_ONLY_KEY })).status, 202);
});

test('no key, a wrong key, a user\'s token: 401 or 403', async () => {
  const body = { user_id: 'keys', message: 'a' };
  for (const options of [{ key: undefined }, { key: 'wrong' }]) assertProblem(await post(body, options), 401);
  const asUser = await post(body, { key: undefined, user: 'keys' });
  assert.ok(asUser.status === 401 || asUser.status === 403, String(asUser.status));
});

const WRONG = [
  ['no user', { message: 'a' }, /user_id/],
  ['an empty user', { user_id: '', message: 'a' }, /user_id/],
  ['a user of 257 bytes', { user_id: 'u'.repeat(257), message: 'a' }, /user_id/],
  ['a user that is an object', { user_id: {}, message: 'a' }, /user_id/],
  ['no message', { user_id: 'u' }, /message/],
  ['a message that is a number', { user_id: 'u', message: 7 }, /message/],
  ['a message over 16 KiB', { user_id: 'u', message: 'm'.repeat(16385) }, /message/],
  ['an unknown field', { user_id: 'u', message: 'a', mesage: 'b' }, /mesage/],
  ['an unknown priority', { user_id: 'u', message: 'a', priority: 'loud' }, /priority/],
  ['data that is no object', { user_id: 'u', message: 'a', data: [1] }, /data/],
  ['four actions', { user_id: 'u', message: 'a', actions: Array(4).fill({ id: 'x', title: 'x' }) }, /actions/],
  ['a javascript: url', { user_id: 'u', message: 'a', url: 'javascript:alert(1)' }, /url/],
  ['no items', [], undefined],
  ['1,001 items', Array(1001).fill({ user_id: 'u', message: 'a' }), /1.?000/],
  ['text for an item', ['a'], undefined],
];
for (const [what, body, mention] of WRONG) {
  test(`${what}: 400 that names it`, async () => assertProblem(await post(body), 400, mention));
}

test('a key that is there twice, bad JSON, bad UTF-8, deep JSON: 400', async () => {
  const deep = `{"user_id":"u","message":"a","data":${'{"a":'.repeat(40)}1${'}'.repeat(40)}}`;
  for (const body of ['{"user_id":"u","message":', '{"user_id":"u","message":"a","message":"b"}', 'null', '', '{} {}', deep,
    Buffer.from('{"user_id":"u","message":"\xff"}', 'latin1'), '{"user_id":"u","message":"\\ud800"}']) {
    assertProblem(await post(body), 400);
  }
});

test('one bad item spoils the whole array, and its index is named', async (t) => {
  const answer = await post([{ user_id: 'whole', message: 'a' }, { user_id: 'whole' }, { user_id: 'whole', message: 'c' }]);
  assertProblem(answer, 400, /1/);
  await post({ user_id: 'whole', message: 'only' });
  assert.deepEqual(await bodiesOf(t, 'whole', 1), ['only']);
});

test('a body over 1 MiB: 413, also when its length was not announced', async () => {
  assertProblem(await post(JSON.stringify([{ user_id: 'u', message: 'a', data: { x: 'y'.repeat(1 << 20) } }])), 413);
  const chunk = `40000\r\n${'x'.repeat(0x40000)}\r\n`;
  const answer = await raw([head('Transfer-Encoding: chunked\r\n'), chunk, chunk, chunk, chunk, chunk]);
  assert.match(answer, /^HTTP\/1\.1 413 /);
});

test('an unknown path: 404; a known path with another method: 405 with Allow', async () => {
  assertProblem(await server.request('GET', '/v1/nowhere', { key: API_KEY }), 404);
  const answer = await server.request('DELETE', '/v1/notifications', { key: API_KEY });
  assertProblem(answer, 405);
  assert.match(answer.headers.get('allow') ?? '', /POST/);
});

test('keep-alive and pipelining: answers in order on one connection', async () => {
  const body = (i) => `{"user_id":"pipe","message":"${i}"}`;
  const requests = [0, 1, 2].map((i) => `${head(`Content-Length: ${body(i).length}\r\n`)}${body(i)}`);
  requests.push(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
  const text = await raw(requests.join(''), (got) => (got.match(/HTTP\/1\.1 /g) ?? []).length === 4 && /200[^]*\r\n\r\n/.test(got));
  assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 202', 'HTTP/1.1 202', 'HTTP/1.1 202', 'HTTP/1.1 200']);
  const nids = [...text.matchAll(/"nid":"(\d+)-(\d+)"/g)].map((m) => [BigInt(m[1]), BigInt(m[2])]);
  assert.equal(nids.length, 3);
  for (let i = 1; i < 3; ++i) assert.ok(nids[i][0] > nids[i - 1][0] || (nids[i][0] === nids[i - 1][0] && nids[i][1] > nids[i - 1][1]));
});

test('a chunked body, in pieces of one byte', async () => {
  const body = '{"user_id":"chunks","message":"a"}';
  const pieces = [...body].map((c) => `1\r\n${c}\r\n`);
  assert.match(await raw([head('Transfer-Encoding: chunked\r\n'), ...pieces, '0\r\n\r\n']), /^HTTP\/1\.1 202 /);
});

test('Expect: 100-continue is answered before the body comes; refused without a key', async () => {
  const body = '{"user_id":"expect","message":"a"}';
  const fields = `Expect: 100-continue\r\nContent-Length: ${body.length}\r\n`;
  const socket = net.connect(server.port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => { text += chunk; });
  socket.write(head(fields));
  while (!text.includes('\r\n\r\n')) await within(once(socket, 'data'), 'the 100');
  assert.match(text, /^HTTP\/1\.1 100 /);
  socket.write(body);
  while (!text.includes('HTTP/1.1 202')) await within(once(socket, 'data'), 'the 202');
  socket.destroy();
  const refused = await raw(head(fields).replace(API_KEY, 'wrong'));
  assert.match(refused, /^HTTP\/1\.1 401 /);
});

const SMUGGLED = [
  ['Content-Length and Transfer-Encoding', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
  ['two Content-Length', 'Content-Length: 2\r\nContent-Length: 3\r\n', '{}'],
  ['Transfer-Encoding: xchunked', 'Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'],
  ['a space before the colon', 'X-A : 1\r\nContent-Length: 2\r\n', '{}'],
  ['a second Host', 'Host: other\r\nContent-Length: 2\r\n', '{}'],
];
for (const [what, fields, body] of SMUGGLED) {
  test(`${what}: refused, and the connection is closed`, async () => {
    const text = await raw(`${head(fields)}${body}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n`, () => false);
    assert.match(text, /^HTTP\/1\.1 (400|501) /);
    assert.equal(text.match(/HTTP\/1\.1 /g).length, 1);
  });
}

test('CORS: the own origin and the allowed ones, exactly', async (t) => {
  const other = await Server.start(t, { settings: { allowed_origins: 'https://app.example' } });
  const preflight = (origin) => other.request('OPTIONS', '/v1/notifications', {
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-api-key, content-type' },
  });
  const good = await preflight('https://app.example');
  assert.ok(good.status === 204 || good.status === 200);
  assert.equal(good.headers.get('access-control-allow-origin'), 'https://app.example');
  assert.match(good.headers.get('access-control-allow-headers') ?? '', /x-api-key/i);
  for (const origin of ['https://app.example.evil', 'https://evil.example', 'http://app.example', 'null']) {
    assert.equal((await preflight(origin)).headers.get('access-control-allow-origin'), null, origin);
    const device = await Device.connect(t, other, 'ann', null, { headers: { origin } });
    device.send({ t: 'hello', tok: token('ann') });
    assert.equal((await device.frame('bye')).code, 4006, origin);
  }
  const device = await Device.connect(t, other, 'ann', {}, { headers: { origin: 'https://app.example' } });
  assert.equal(device.welcome.user, 'ann');
});

test('healthz, readyz and metrics need no key and say how it is', async () => {
  assert.equal((await server.request('GET', '/healthz')).status, 200);
  const ready = await server.request('GET', '/readyz');
  assert.equal(ready.status, 200);
  assert.match(ready.text, /sync/);
  const metrics = await server.request('GET', '/metrics');
  assert.equal(metrics.status, 200);
  assert.match(metrics.text, /^# TYPE tocsin_\w+ (counter|gauge|histogram)$/m);
});

test('no secret is in the log', () => {
  for (const secret of [API_KEY, PUBLISH_ONLY_KEY, server.settings.jwt_hs256_secret]) {
    assert.equal(server.stderr.includes(secret), false);
    assert.equal(server.stdout.includes(secret), false);
  }
});
