// The HTTP twins of the WebSocket: server-sent events, POST /v1/ack, long poll.
import assert from 'node:assert/strict';
import test from 'node:test';
import { EventSource } from 'eventsource';
import { Device, Server, token, within } from './harness.mjs';

// A stream of events of one user. `events`: all frames so far, parsed, each with its SSE `lastEventId`.
async function listen(t, server, user, { query = '', headers = {} } = {}) {
  const stream = { events: [], waiters: new Set() };
  stream.source = new EventSource(`${server.url}/v1/events${query}`, {
    fetch: (input, init) => fetch(input, {
      ...init, headers: { ...init.headers, authorization: `Bearer ${token(user)}`, ...headers },
    }),
  });
  t.after(() => stream.source.close());
  const take = (event) => {
    for (const line of event.data.split('\n')) stream.events.push({ ...JSON.parse(line), lastEventId: event.lastEventId });
    for (const waiter of stream.waiters) waiter();
  };
  stream.source.onmessage = take;
  for (const type of ['welcome', 'n', 'st', 'warn', 'bye']) stream.source.addEventListener(type, take);
  stream.items = () => stream.events.filter((frame) => frame.t === 'n').flatMap((frame) => frame.items);
  stream.until = (probe, what) => {
    let waiter;
    return within(new Promise((resolve) => {
      waiter = () => { const value = probe(); if (value) resolve(value); };
      stream.waiters.add(waiter);
      waiter();
    }), () => `${what}; events so far: ${JSON.stringify(stream.events.slice(-3))}`).finally(() => stream.waiters.delete(waiter));
  };
  return stream;
}
const bodies = (items) => items.map((item) => item.body);
const asUser = (user) => ({ headers: { authorization: `Bearer ${token(user)}` } });

test('events come live and in order, and Last-Event-ID takes up after the last one', async (t) => {
  const server = await Server.start(t);
  await server.publish({ user_id: 'ann', message: 'before' });
  const first = await listen(t, server, 'ann');
  await server.publish({ user_id: 'ann', message: 'live' });
  await first.until(() => first.items().length === 2, 'two items');
  assert.deepEqual(bodies(first.items()), ['before', 'live']);
  const { lastEventId } = first.events.at(-1);
  assert.match(lastEventId, /^.+:\d+-\d+$/);
  first.source.close();

  await server.publish({ user_id: 'ann', message: 'missed' });
  const second = await listen(t, server, 'ann', { headers: { 'last-event-id': lastEventId } });
  await second.until(() => second.items().length === 1, 'one item');
  assert.deepEqual(bodies(second.items()), ['missed']);
});

test('the browser\'s way: EventSource reconnects by itself after a crash and misses nothing', async (t) => {
  const server = await Server.start(t);
  const stream = await listen(t, server, 'ann');
  await server.publish({ user_id: 'ann', message: 'one' });
  await stream.until(() => stream.items().length === 1, 'one item');
  await server.restart();
  await server.publish({ user_id: 'ann', message: 'two' });
  await stream.until(() => stream.items().length >= 2, 'the second item');
  assert.deepEqual(bodies(stream.items()), ['one', 'two']);
});

test('a state change made elsewhere arrives as st', async (t) => {
  const server = await Server.start(t);
  const stream = await listen(t, server, 'ann');
  const [nid] = await server.publish({ user_id: 'ann', message: 'one' });
  const device = await Device.connect(t, server, 'ann', { dev: 'phone' });
  await device.received(1);
  await device.ask({ t: 'mark', op: 'read', ids: [nid] });
  const st = await stream.until(() => stream.events.find((frame) => frame.t === 'st'), 'st');
  assert.deepEqual([st.op, st.ids], ['read', [nid]]);
});

test('POST /v1/ack stores a device\'s receipt; Last-Event-ID counts as one', async (t) => {
  const server = await Server.start(t);
  await server.publish([{ user_id: 'ann', message: 'one' }, { user_id: 'ann', message: 'two' }]);
  const stream = await listen(t, server, 'ann', { query: '?dev=radio' });
  await stream.until(() => stream.items().length === 2, 'two items');
  const answer = await server.request('POST', '/v1/ack', { body: { dev: 'radio', cur: stream.items()[0].id }, ...asUser('ann') });
  assert.ok(answer.status === 200 || answer.status === 204, answer.text);
  const device = await Device.connect(t, server, 'ann', { dev: 'radio' });
  assert.equal(device.welcome.cur, stream.items()[0].id);
  assert.deepEqual(bodies(await device.received(1)), ['two']);
});

test('pull answers what is there, and waits for what is not', async (t) => {
  const server = await Server.start(t);
  await server.publish({ user_id: 'ann', message: 'one' });
  const first = await server.request('GET', '/v1/pull', asUser('ann'));
  assert.equal(first.status, 200, first.text);
  const items = (answer) => answer.json.frames.filter((frame) => frame.t === 'n').flatMap((frame) => frame.items);
  assert.deepEqual(bodies(items(first)), ['one']);
  const waiting = server.request('GET', `/v1/pull?cur=${encodeURIComponent(first.json.cur)}&wait=20`, asUser('ann'));
  await server.publish({ user_id: 'ann', message: 'two' });
  assert.deepEqual(bodies(items(await waiting)), ['two']);
});

test('without a token, with a bad one, with an expired one: 401', async (t) => {
  const server = await Server.start(t);
  const past = Math.floor(Date.now() / 1000) - 3600;
  for (const target of ['/v1/events', '/v1/pull']) {
    for (const tok of [undefined, 'rubbish', token('ann', {}, { secret: 'x'.repeat(40) }), token('ann', { exp: past })]) {
      const headers = tok ? { authorization: `Bearer ${tok}` } : {};
      const answer = await server.request('GET', target, { headers });
      assert.equal(answer.status, 401, `${target} ${tok}`);
      assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
    }
  }
});
