// What was accepted arrives: whole, in order, once per device, whatever happens to the server in between.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Device, Server, token } from './harness.mjs';

const batch = (user, count, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ user_id: user, message: `number ${from + i}` }));
const numbers = (items) => items.map((item) => Number(item.body.split(' ')[1]));
const upTo = (count) => Array.from({ length: count }, (_, i) => i);

test('a published notification reaches a connected device with all its fields', async (t) => {
  const server = await Server.start(t);
  const device = await Device.connect(t, server, 'ann', { dev: 'phone' });
  assert.equal(device.welcome.user, 'ann');
  assert.equal(device.welcome.resume, 'fresh');
  assert.equal(device.welcome.counts.unread, 0);
  const [nid] = await server.publish({
    user_id: 'ann', title: 'Build 214', message: 'All green', url: 'https://example.com/b/214', priority: 'low', lang: 'en',
    data: { build: 214, ratio: 0.1, deep: { list: [1, 'two', null] } },
    actions: [{ id: 'open', title: 'Open', url: 'https://example.com/' }],
  });
  const [item] = await device.received(1);
  assert.equal(item.nid, nid);
  assert.equal(item.title, 'Build 214');
  assert.equal(item.body, 'All green');
  assert.equal(item.url, 'https://example.com/b/214');
  assert.equal(item.prio, 'low');
  assert.equal(item.lang, 'en');
  assert.equal(item.state, 'unread');
  assert.deepEqual(item.data, { build: 214, ratio: 0.1, deep: { list: [1, 'two', null] } });
  assert.deepEqual(item.actions, [{ id: 'open', title: 'Open', url: 'https://example.com/' }]);
  assert.ok(Math.abs(item.ts - Date.now()) < 60_000);
});

test('1,000 for an offline user survive kill -9: exactly those, in order; acked, none again; a new device gets all',
  async (t) => {
    const server = await Server.start(t);
    const nids = [];
    for (let from = 0; from < 1000; from += 250) nids.push(...await server.publish(batch('ann', 250, from)));
    assert.equal(new Set(nids).size, 1000);
    await server.restart();

    const phone = await Device.connect(t, server, 'ann', { dev: 'phone', credit: 100 });
    assert.equal(phone.welcome.counts.unread, 1000);
    const items = await phone.drain(1000);
    assert.deepEqual(items.map((item) => item.nid), nids);
    assert.deepEqual(numbers(items), upTo(1000));
    assert.equal(phone.cur, phone.welcome.head);
    await phone.ask({ t: 'list', limit: 1 });  // answered after the ack before it was taken
    await phone.close();

    // The same device without a cursor of its own: the server's stored one holds, so nothing comes but what is new.
    const again = await Device.connect(t, server, 'ann', { dev: 'phone' });
    assert.equal(again.welcome.resume, 'ok');
    assert.equal(again.welcome.cur, phone.cur);
    const [last] = await server.publish({ user_id: 'ann', message: 'number 1000' });
    assert.deepEqual((await again.received(1)).map((item) => item.nid), [last]);

    const laptop = await Device.connect(t, server, 'ann', { dev: 'laptop', credit: 256 });
    assert.equal(laptop.welcome.resume, 'fresh');
    assert.deepEqual((await laptop.drain(1001)).map((item) => item.nid), [...nids, last]);
  });

test('a stored receipt survives kill -9', async (t) => {
  const server = await Server.start(t);
  await server.publish(batch('ann', 10));
  const before = await Device.connect(t, server, 'ann', { dev: 'phone' });
  await before.received(10);
  before.ack(before.items[5].id);
  // A mark is answered after its fsync, and the receipt came before it.
  await before.ask({ t: 'mark', op: 'seen', ids: [before.items[0].nid] });
  await server.restart();
  const after = await Device.connect(t, server, 'ann', { dev: 'phone' });
  assert.equal(after.welcome.cur, before.items[5].id);
  assert.deepEqual(numbers(await after.received(4)), [6, 7, 8, 9]);
});

test('a device that reconnects with its cursor gets what it missed, nothing else', async (t) => {
  const server = await Server.start(t);
  const first = await Device.connect(t, server, 'ann', { dev: 'phone' });
  await server.publish(batch('ann', 3));
  await first.received(3);
  await first.close();
  await server.publish(batch('ann', 4, 3));
  const second = await Device.connect(t, server, 'ann', { dev: 'phone', epoch: first.epoch, cur: first.cur });
  assert.equal(second.welcome.resume, 'ok');
  assert.deepEqual(numbers(await second.received(4)), [3, 4, 5, 6]);
});

test('forged and foreign cursors get a reset, never another user\'s entries', async (t) => {
  const server = await Server.start(t);
  await server.publish([...batch('ann', 3), { user_id: 'bob', message: 'for bob' }]);
  const bob = await Device.connect(t, server, 'bob', { dev: 'phone' });
  await bob.received(1);
  const cases = [
    { epoch: bob.epoch, cur: bob.cur },                                      // bob's
    { epoch: 'made-up', cur: '1-1' },                                        // nobody's
  ];
  for (const hello of cases) {
    const ann = await Device.connect(t, server, 'ann', hello);
    assert.equal(ann.welcome.resume, 'reset', JSON.stringify(hello));
    assert.deepEqual(numbers(await ann.received(3)), [0, 1, 2]);
  }
  const real = await Device.connect(t, server, 'ann');
  const ahead = await Device.connect(t, server, 'ann', { epoch: real.epoch, cur: '99999999999999-0' });
  assert.equal(ahead.welcome.resume, 'reset', 'a cursor above the head');
  assert.deepEqual(numbers(await ahead.received(3)), [0, 1, 2]);
});

test('credit: no more than `credit` items are un-acked, an ack beyond what was sent is clamped', async (t) => {
  const server = await Server.start(t);
  await server.publish(batch('ann', 20));
  const device = await Device.connect(t, server, 'ann', { dev: 'phone', credit: 5 });
  const comes = async (count) => {
    await device.received(count);
    await device.ask({ t: 'list', limit: 1 });  // a round trip: whatever the server wanted to send is here
    assert.equal(device.items.length, count);
  };
  await comes(5);
  device.ack();
  await comes(10);
  device.ack('99999999999999-0');
  await comes(15);
  await device.close();
  const again = await Device.connect(t, server, 'ann', { dev: 'phone' });
  assert.deepEqual(numbers(await again.received(10)), upTo(20).slice(10), 'clamped to what had been sent');
});

test('a receipt in the middle of a frame returns the credit of what it covers', async (t) => {
  const server = await Server.start(t);
  await server.publish(batch('ann', 20));
  const device = await Device.connect(t, server, 'ann', { dev: 'phone', credit: 5 });
  await device.received(5);
  device.ack(device.items[1].id);
  await device.received(7);
});

test('since: a device without a cursor starts where it asks to', async (t) => {
  const server = await Server.start(t);
  await server.publish(batch('ann', 3));
  const fresh = await Device.connect(t, server, 'ann', { dev: 'a', since: 'new' });
  const [nid] = await server.publish({ user_id: 'ann', message: 'number 3' });
  assert.deepEqual((await fresh.received(1)).map((item) => item.nid), [nid]);
  const all = await Device.connect(t, server, 'ann', { dev: 'b', since: 'all' });
  assert.deepEqual(numbers(await all.received(4)), [0, 1, 2, 3]);
  const future = await Device.connect(t, server, 'ann', { dev: 'c', since: Date.now() + 3_600_000 });
  await future.ask({ t: 'list', limit: 1 });
  assert.equal(future.items.length, 0);
});

test('several devices of one user agree on what is read, live and later', async (t) => {
  const server = await Server.start(t);
  const phone = await Device.connect(t, server, 'ann', { dev: 'phone' });
  const laptop = await Device.connect(t, server, 'ann', { dev: 'laptop' });
  const bob = await Device.connect(t, server, 'bob', { dev: 'phone' });
  const nids = await server.publish(batch('ann', 5));
  await Promise.all([phone.received(5), laptop.received(5)]);

  const read = await phone.ask({ t: 'mark', op: 'read', ids: [nids[1]] });
  assert.equal(read.t, 'ok');
  assert.equal(read.counts.unread, 4);
  const seen = await laptop.frame('st', (frame) => frame.op === 'read');
  assert.deepEqual(seen.ids, [nids[1]]);
  assert.equal(seen.counts.unread, 4);

  const rest = await laptop.ask({ t: 'mark', op: 'read', upto: laptop.items[3].id, ch: '' });
  assert.equal(rest.counts.unread, 1);
  assert.equal((await phone.frame('st', (frame) => frame.upto)).counts.unread, 1);
  assert.equal((await phone.ask({ t: 'mark', op: 'archive', ids: [nids[4]] })).counts.unread, 0);
  assert.equal((await phone.ask({ t: 'mark', op: 'delete', ids: [nids[0]] })).t, 'ok');
  await laptop.frame('st', (frame) => frame.op === 'delete');

  const page = await laptop.ask({ t: 'list', filter: 'inbox' });
  assert.deepEqual(page.items.map((item) => [item.nid, item.state]),
    [[nids[3], 'read'], [nids[2], 'read'], [nids[1], 'read']]);

  await server.restart();
  const later = await Device.connect(t, server, 'ann', { dev: 'tablet' });
  assert.equal(later.welcome.counts.unread, 0);
  const items = await later.received(4);
  assert.deepEqual(items.map((item) => [item.nid, item.state]),
    [[nids[1], 'read'], [nids[2], 'read'], [nids[3], 'read'], [nids[4], 'archived']]);
  assert.equal(bob.frames.filter((frame) => frame.t === 'st' || frame.t === 'n').length, 0);
});

test('the same mark twice under one `mid` counts once', async (t) => {
  const server = await Server.start(t);
  const device = await Device.connect(t, server, 'ann', { dev: 'phone' });
  const [nid] = await server.publish({ user_id: 'ann', message: 'number 0' });
  await device.received(1);
  const mark = { t: 'mark', op: 'read', ids: [nid], mid: 'm-1' };
  assert.equal((await device.ask(mark)).counts.unread, 0);
  assert.equal((await device.ask({ t: 'mark', op: 'unread', ids: [nid], mid: 'm-2' })).counts.unread, 1);
  assert.equal((await device.ask(mark)).counts.unread, 1, 'a repeat of m-1 is no new mark');
});

test('list pages from the newest to the oldest', async (t) => {
  const server = await Server.start(t);
  await server.publish(batch('ann', 7));
  const device = await Device.connect(t, server, 'ann', { dev: 'phone' });
  const seen = [];
  for (let before; ;) {
    const page = await device.ask({ t: 'list', limit: 3, ...(before && { before }) });
    assert.equal(page.t, 'ok');
    seen.push(...numbers(page.items));
    before = page.before;
    if (!before) break;
  }
  assert.deepEqual(seen, upTo(7).reverse());
});

test('hostile user ids stay apart', async (t) => {
  const server = await Server.start(t);
  const users = ['a', 'a:b', 'a_b', 'a.b', 'a*', '{a}', 'a}', 'a\u0000b', 'ab', '\u00e4', 'a\u0308', '../a', ' a', 'a '];
  await server.publish(users.map((user, i) => ({ user_id: user, message: `number ${i}` })));
  for (const [i, user] of users.entries()) {
    const device = await Device.connect(t, server, user);
    assert.equal(device.welcome.user, user);
    await device.received(1);
    await device.ask({ t: 'list' });
    assert.deepEqual(numbers(device.items), [i], JSON.stringify(user));
    device.socket.terminate();
  }
});

test('a fresh token is taken on the live connection; one of another user is refused', async (t) => {
  const server = await Server.start(t);
  const device = await Device.connect(t, server, 'ann', { dev: 'phone' });
  const answer = await device.ask({ t: 'auth', tok: token('ann', { exp: Math.floor(Date.now() / 1000) + 7200 }) });
  assert.equal(answer.t, 'ok');
  assert.ok(answer.ttl > 7000 && answer.ttl <= 7210, `ttl ${answer.ttl}`);
  assert.equal((await device.ask({ t: 'auth', tok: token('bob') })).t, 'err');
});

test('SIGTERM drains: bye 4200 with a time to come back, exit 0', async (t) => {
  const server = await Server.start(t);
  const device = await Device.connect(t, server, 'ann', { dev: 'phone' });
  const [nid] = await server.publish({ user_id: 'ann', message: 'number 0' });
  await device.received(1);
  const ended = server.stop();
  const bye = await device.frame('bye');
  assert.equal(bye.code, 4200);
  assert.ok(bye.after_ms >= 0);
  assert.equal((await device.closed).code, 4200);
  assert.deepEqual(await ended, { code: 0, signal: null });
  await server.launch();
  const again = await Device.connect(t, server, 'ann', { dev: 'tablet' });
  assert.deepEqual((await again.received(1)).map((item) => item.nid), [nid]);
});
