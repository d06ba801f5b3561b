import assert from 'node:assert/strict';
import test from 'node:test';
import { TocsinClient, adviceOf, compareIds, deviceOf } from '../inbox/tocsin-client.js';
import { item, settled, welcome, world } from './world.js';

// A client that has been welcomed, with what it told its listeners.
async function online(overrides, fields) {
  const w = world(overrides),
    told = [];
  const client = new TocsinClient(w.options);
  for (const type of ['state', 'welcome', 'items', 'change', 'counts', 'warn'])
    client.on(type, (detail) => told.push([type, detail]));
  client.connect();
  await settled();
  w.socket.accept();
  w.socket.say(welcome(fields));
  const of = (type) => told.filter(([t]) => t === type).map(([, detail]) => detail);
  return {
    ...w,
    client,
    told,
    of,
    get socket() {
      return w.socket;
    },
  };
}

const n = (prev, cur, items, fields = {}) => ({ t: 'n', prev, cur, items, ...fields });

test('ids are compared as numbers, of any size, with or without a stream', () => {
  assert.ok(compareIds('9-0', '10-0') < 0);
  assert.ok(compareIds('10-9', '10-10') < 0);
  assert.ok(compareIds('18446744073709551615-1', '18446744073709551614-9') > 0);
  assert.equal(compareIds('5-1@other', '5-1'), 0);
});

test('a close code says what to do', () => {
  const table = {
    4000: 'stop',
    4001: 'stop',
    4099: 'stop',
    4100: 'backoff',
    4103: 'backoff',
    4200: 'reconnect',
    4202: 'reconnect',
    4300: 'token',
    4301: 'token',
    4400: 'backoff',
    1001: 'retry',
    1006: 'retry',
    1007: 'backoff',
    1009: 'backoff',
  };
  for (const [code, advice] of Object.entries(table)) assert.equal(adviceOf(Number(code)), advice, code);
});

test('the device is made once per user, and a blocked storage gives one for the visit', () => {
  const { storage } = world().options;
  const dev = deviceOf('ann', storage);
  assert.match(dev, /^web-[a-z0-9]{12}$/);
  assert.equal(deviceOf('ann', storage), dev);
  assert.notEqual(deviceOf('bob', storage), dev);
  assert.match(
    deviceOf('ann', {
      getItem() {
        throw new Error('blocked');
      },
    }),
    /^web-/,
  );
});

test('a fresh page says hello without a cursor, in the subprotocol', async () => {
  const w = world({ since: 'new', lang: 'de' });
  new TocsinClient(w.options).connect();
  await settled();
  assert.equal(w.socket.protocol, 'tocsin.v1');
  assert.deepEqual(w.socket.sent, []);
  w.socket.accept();
  const dev = w.options.storage.getItem('tocsin.dev:ann');
  assert.deepEqual(w.socket.sent, [{ t: 'hello', tok: 'token-1', dev, since: 'new', lang: 'de', credit: 64 }]);
});

test('items are told in order, the cursor is adopted, and an ack follows within 250 ms', async () => {
  const { socket, of, client, clock } = await online();
  socket.say(n('10-0', '12-0', [item('11-0'), item('12-0')]), n('12-0', '15-0', [], {}));
  assert.deepEqual(
    of('items').map(({ items }) => items.map(({ nid }) => nid)),
    [['11-0', '12-0']],
  );
  assert.equal(client.cursor, '15-0');
  await clock.pass(249);
  assert.deepEqual(socket.take('ack'), []);
  await clock.pass(1);
  assert.deepEqual(socket.take('ack'), [{ t: 'ack', cur: '15-0' }]);
  await clock.pass(1000);
  assert.deepEqual(socket.take('ack'), []);
});

test('32 items are acked at once, so that credit does not run out', async () => {
  const { socket } = await online();
  let prev = '10-0';
  for (let i = 11; i < 43; ++i) {
    socket.say(n(prev, `${i}-0`, [item(`${i}-0`)]));
    prev = `${i}-0`;
  }
  assert.deepEqual(socket.take('ack'), [{ t: 'ack', cur: '42-0' }]);
});

test('a frame that does not start at the cursor is not applied: reconnect, from the cursor', async () => {
  const w = await online();
  w.socket.say(n('10-0', '11-0', [item('11-0')]));
  const old = w.socket;
  w.socket.say(n('12-0', '13-0', [item('13-0')]));
  assert.equal(w.of('items').length, 1);
  assert.equal(w.client.state, 'waiting');
  assert.equal(old.closedWith, 4000);
  await w.clock.pass(500);
  w.socket.accept();
  const [hello] = w.socket.take('hello');
  assert.equal(hello.cur, '11-0');
  assert.equal(hello.epoch, 'e1');
  old.onmessage({ data: JSON.stringify(n('11-0', '99-0', [item('99-0')])) }); // late, and of no concern
  assert.equal(w.client.cursor, '11-0');
});

test('an early copy does not move the cursor, is receipted by nid, and is dropped when it comes again', async () => {
  const { socket, of, client, clock } = await online();
  socket.say({ t: 'n', prev: null, cur: '10-0', items: [item('20-0', { id: undefined, nid: 'urgent' })] });
  assert.equal(client.cursor, '10-0');
  assert.equal(of('items')[0].early, true);
  await clock.pass(250);
  assert.deepEqual(socket.take('ack'), [{ t: 'ack', nids: ['urgent'] }]);
  socket.say(n('10-0', '20-0', [item('11-0'), item('20-0', { nid: 'urgent' })]));
  assert.deepEqual(
    of('items')[1].items.map(({ nid }) => nid),
    ['11-0'],
  );
  assert.equal(client.cursor, '20-0');
});

test('a state change is told, moves the cursor and brings counts', async () => {
  const { socket, of, client } = await online();
  socket.say({
    t: 'st',
    id: '11-0',
    prev: '10-0',
    cur: '11-0',
    op: 'read',
    ids: ['1-0'],
    counts: { at: '11-0', unread: 2 },
  });
  assert.equal(of('change')[0].op, 'read');
  assert.deepEqual(of('counts'), [{ at: '11-0', unread: 2 }]);
  assert.equal(client.cursor, '11-0');
});

test('listeners see the cursor of before: what is acked was applied', async () => {
  const { socket, client } = await online();
  let seen;
  client.on('items', () => {
    seen = client.cursor;
  });
  socket.say(n('10-0', '11-0', [item('11-0')]));
  assert.equal(seen, '10-0');
});

test('resumed means that this page goes on; a stored device cursor, a gap or a reset does not', async () => {
  const first = await online({}, { resume: 'ok' });
  assert.equal(first.of('welcome')[0].resumed, false);
  for (const [resume, resumed] of [
    ['ok', true],
    ['gap', false],
    ['reset', false],
  ]) {
    const w = await online();
    w.socket.hangUp();
    await w.clock.pass(500);
    w.socket.accept();
    w.socket.say(welcome({ resume, cur: '40-0', head: '40-0', epoch: 'e2' }));
    assert.equal(w.of('welcome')[1].resumed, resumed, resume);
    assert.equal(w.client.cursor, '40-0');
    assert.equal(w.client.epoch, 'e2');
  }
});

test('after a reset the same nids are new again', async () => {
  const w = await online();
  w.socket.say(n('10-0', '11-0', [item('11-0')]));
  w.socket.hangUp();
  await w.clock.pass(500);
  w.socket.accept();
  w.socket.say(welcome({ resume: 'reset', cur: '0-0', epoch: 'e2' }), n('0-0', '11-0', [item('11-0')]));
  assert.equal(w.of('items').length, 2);
});

test('a mark resolves with its answer, and an unanswered one is sent again with the same mid', async () => {
  const w = await online();
  const marked = w.client.mark('read', ['1-0']);
  const [mark] = w.socket.take('mark');
  assert.deepEqual({ op: mark.op, ids: mark.ids }, { op: 'read', ids: ['1-0'] });
  assert.ok(mark.mid.length >= 8);
  w.socket.hangUp();
  await w.clock.pass(500);
  w.socket.accept();
  w.socket.say(welcome({ resume: 'ok' }));
  assert.deepEqual(w.socket.take('mark'), [mark]);
  w.socket.say({ t: 'ok', i: mark.i, counts: { at: '12-0', unread: 0 } });
  assert.deepEqual((await marked).counts, { at: '12-0', unread: 0 });
  w.socket.say({ t: 'ok', i: mark.i }); // answered twice: nobody waits any more
});

test('a request that a listener makes at the welcome is sent once', async () => {
  const w = world(),
    client = new TocsinClient(w.options);
  client.on('welcome', () => {
    client.list({ filter: 'inbox' });
  });
  client.connect();
  await settled();
  w.socket.accept();
  w.socket.say(welcome());
  assert.deepEqual(w.socket.take('list'), [{ t: 'list', i: 1, filter: 'inbox' }]);
});

test('mark up to means everything seen, in the own log', async () => {
  const { socket, client } = await online();
  client.markUpTo('read');
  const [mark] = socket.take('mark');
  assert.equal(mark.upto, '10-0');
  assert.equal(mark.ch, '');
});

test('an error rejects with its code', async () => {
  const { socket, client } = await online();
  const listed = client.list({ before: 'x' });
  const [{ i, before }] = socket.take('list');
  assert.equal(before, 'x');
  socket.say({ t: 'err', i, code: 'bad_request', msg: 'no', retry: false });
  await assert.rejects(listed, (error) => error.code === 'bad_request' && error.message === 'no');
});

test('ping is answered with its ts; unknown frames and fields are ignored', async () => {
  const { socket, client } = await online();
  socket.say({ t: 'news', of: 'tomorrow' }, { t: 'ping', ts: 7, more: 1 });
  assert.deepEqual(socket.take('pong'), [{ t: 'pong', ts: 7 }]);
  assert.equal(client.state, 'online');
});

test('text that is not JSON ends the connection, not the client', async () => {
  const w = await online();
  w.socket.onmessage({ data: '{"t":' });
  assert.equal(w.client.state, 'waiting');
});

test('silence for longer than the pings means dead', async () => {
  const w = await online();
  await w.clock.pass(39_999);
  assert.equal(w.client.state, 'online');
  await w.clock.pass(1);
  assert.equal(w.client.state, 'waiting');
});

test('a server that never says welcome is left', async () => {
  const w = world(),
    client = new TocsinClient(w.options);
  client.connect();
  await settled();
  w.socket.accept();
  await w.clock.pass(10_000);
  assert.equal(client.state, 'waiting');
});

test('the wait doubles up to 30 s, with full jitter, and starts anew after a stable connection', async () => {
  let dice = 1;
  const w = await online({ random: () => dice });
  const waits = [];
  w.client.on('state', ({ state, retryAt }) => {
    if (state === 'waiting') waits.push(retryAt - w.clock.ms);
  });
  for (let i = 0; i < 9; ++i) {
    w.socket.hangUp();
    await w.clock.pass(waits.at(-1));
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  dice = 0.25;
  w.socket.hangUp();
  assert.equal(waits.at(-1), 7500);
  await w.clock.pass(7500);
  w.socket.accept();
  w.socket.say(welcome({ resume: 'ok' }));
  await w.clock.pass(10_001);
  w.socket.hangUp();
  assert.equal(waits.at(-1), 125);
});

test('drain: back after after_ms, and not before, whatever wakes us', async () => {
  const w = await online();
  w.socket.say({ t: 'bye', code: 4200, msg: 'drain', after_ms: 3000 });
  w.socket.hangUp(4200);
  w.page.dispatchEvent(new Event('online'));
  w.client.connect();
  await w.clock.pass(2999);
  assert.equal(w.sockets.length, 1);
  await w.clock.pass(1);
  assert.equal(w.sockets.length, 2);
});

test('overload: at least 5 s', async () => {
  const w = await online({ random: () => 0 });
  w.socket.hangUp(4100);
  await w.clock.pass(4999);
  assert.equal(w.sockets.length, 1);
  await w.clock.pass(1);
  assert.equal(w.sockets.length, 2);
});

test('a bad token stops, and open requests fail; a new one starts again from the cursor', async () => {
  const w = await online();
  const marked = assert.rejects(w.client.mark('read', ['1-0']), (error) => error.code === 'stopped');
  w.socket.say({ t: 'bye', code: 4001, msg: 'the token is not valid' });
  w.socket.hangUp(4001);
  await marked;
  assert.deepEqual(w.of('state').at(-1), { state: 'stopped', code: 4001, msg: 'the token is not valid' });
  await assert.rejects(w.client.list(), (error) => error.code === 'stopped');
  await w.clock.pass(100_000);
  assert.equal(w.sockets.length, 1);
  w.client.useToken('token-2');
  await settled();
  w.socket.accept();
  assert.equal(w.socket.sent[0].tok, 'token-2');
  assert.equal(w.socket.sent[0].cur, '10-0');
});

test('an expired token is replaced at once; if there is no other, the client says so and waits', async () => {
  const tokens = ['token-1', 'token-2', 'token-2'];
  const w = await online({ getToken: () => tokens.shift() });
  w.socket.hangUp(4300);
  await settled();
  w.socket.accept();
  assert.equal(w.socket.sent[0].tok, 'token-2');
  w.socket.hangUp(4300);
  await settled();
  assert.equal(w.client.state, 'token');
  assert.equal(w.sockets.length, 2);
  w.client.useToken('token-3');
  await settled();
  assert.equal(w.sockets.length, 3);
});

test('a token about to expire is renewed on the live connection', async () => {
  const tokens = ['token-1', 'token-2'];
  const w = await online({ getToken: async () => tokens.shift() });
  await settled();
  w.socket.say({ t: 'warn', what: 'token_expiring', in_ms: 60000 });
  await settled();
  const [auth] = w.socket.take('auth');
  assert.equal(auth.tok, 'token-2');
  assert.equal(w.sockets.length, 1);
});

test('the network coming back, or the page being looked at, ends a wait', async () => {
  for (const wake of [
    (w) => w.page.dispatchEvent(new Event('online')),
    (w) => w.page.document.dispatchEvent(new Event('visibilitychange')),
  ]) {
    const w = await online();
    w.page.navigator.onLine = false;
    w.socket.hangUp();
    assert.equal(w.of('state').at(-1).offline, true);
    w.page.dispatchEvent(new Event('online')); // a lie
    await settled();
    assert.equal(w.sockets.length, 1);
    w.page.navigator.onLine = true;
    wake(w);
    await settled();
    assert.equal(w.sockets.length, 2);
  }
});

test('a laptop that slept notices when it is opened', async () => {
  const w = await online();
  w.clock.ms += 3_600_000; // timers did not run
  w.page.document.dispatchEvent(new Event('visibilitychange'));
  assert.equal(w.client.state, 'waiting');
});

test('close sends the last ack, says 1000 and stays closed', async () => {
  const w = await online();
  w.socket.say(n('10-0', '11-0', [item('11-0')]));
  w.client.close();
  assert.deepEqual(w.socket.take('ack'), [{ t: 'ack', cur: '11-0' }]);
  assert.equal(w.socket.closedWith, 1000);
  w.page.dispatchEvent(new Event('online'));
  await w.clock.pass(100_000);
  assert.equal(w.sockets.length, 1);
});

test('the trace never shows the token', async () => {
  const w = world(),
    frames = [];
  const client = new TocsinClient(w.options);
  client.on('frame', (detail) => frames.push(detail));
  client.connect();
  await settled();
  w.socket.accept();
  assert.equal(frames[0].frame.t, 'hello');
  assert.equal(JSON.stringify(frames).includes('token-1'), false);
});

test('frames of topics are not ours', async () => {
  const { socket, of, client } = await online();
  socket.say(n('1-0', '2-0', [item('2-0')], { ch: 'team' }));
  assert.equal(of('items').length, 0);
  assert.equal(client.cursor, '10-0');
});

test('any frame of the server is a sign of life', async () => {
  const w = await online();
  for (let i = 0; i < 3; ++i) {
    await w.clock.pass(30_000);
    w.socket.say({ t: 'ping', ts: i });
  }
  assert.equal(w.client.state, 'online');
});

test('what was not acked on a lost connection is not acked on the next: the hello has said it', async () => {
  const w = await online();
  w.socket.say(n('10-0', '11-0', [item('11-0')]));
  w.socket.hangUp();
  await w.clock.pass(500);
  w.socket.accept();
  w.socket.say(welcome({ resume: 'ok', cur: '11-0' }), {
    t: 'n',
    prev: null,
    cur: '11-0',
    items: [item('20-0', { nid: 'urgent' })],
  });
  await w.clock.pass(250);
  assert.deepEqual(w.socket.take('ack'), [{ t: 'ack', nids: ['urgent'] }]);
});

test('connect after a stop asks for a token again', async () => {
  const tokens = ['token-1', 'token-2'];
  const w = await online({ getToken: () => tokens.shift() });
  w.socket.hangUp(4003);
  w.client.connect();
  await settled();
  w.socket.accept();
  assert.equal(w.socket.sent[0].tok, 'token-2');
});
