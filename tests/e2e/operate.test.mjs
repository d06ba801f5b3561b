// The operators' commands against the real server: what stands in the streams, who works on it, what failed.
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import test from 'node:test';
import { API_KEY, command, Device, PUBLISH_ONLY_KEY, Server, sparePort, within } from './harness.mjs';

// Enough of RESP2 to arrange what an operator then finds. Error replies reject.
class Redis {
  static async connect(t, port, secret = API_KEY) {
    const redis = new Redis();
    redis.socket = net.connect(port, '127.0.0.1');
    t.after(() => redis.socket.destroy());
    redis.buffer = Buffer.alloc(0);
    redis.waiting = [];
    redis.socket.on('data', (chunk) => redis.#take(chunk));
    await within(once(redis.socket, 'connect'), 'the Redis port');
    if (secret) await redis.run('AUTH', secret);
    return redis;
  }

  run(...words) {
    const parts = [Buffer.from(`*${words.length}\r\n`)];
    for (const word of words) {
      const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word));
      parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
    }
    const reply = new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
    this.socket.write(Buffer.concat(parts));
    return within(reply, () => `the reply to ${words[0]}`);
  }

  #take(chunk) {
    this.buffer = Buffer.concat([this.buffer, chunk]);
    for (;;) {
      const read = this.#read(0);
      if (read === undefined) return;
      this.buffer = this.buffer.subarray(read.end);
      const { resolve, reject } = this.waiting.shift();
      if (read.value instanceof Error) reject(read.value); else resolve(read.value);
    }
  }

  // {value, end}, or undefined while it is not there whole.
  #read(at) {
    const stop = this.buffer.indexOf('\r\n', at);
    if (stop < 0) return undefined;
    const [type, text] = [String.fromCharCode(this.buffer[at]), this.buffer.toString('utf8', at + 1, stop)];
    let end = stop + 2;
    if (type === '+') return { value: text, end };
    if (type === '-') return { value: new Error(text), end };
    if (type === ':') return { value: Number(text), end };
    const size = Number(text);
    if (size < 0) return { value: null, end };
    if (type === '$') return this.buffer.length < end + size + 2 ? undefined : { value: this.buffer.toString('utf8', end, end + size), end: end + size + 2 };
    const values = [];
    for (let i = 0; i < size; ++i) {
      const element = this.#read(end);
      if (element === undefined) return undefined;
      values.push(element.value);
      end = element.end;
    }
    return { value: values, end };
  }
}

const STREAM = 'notifications_stream';
const DEAD = `${STREAM}:dead`;

// A server with its Redis port, a client of it, and `tocsin` pointed at it.
async function start(t, settings = {}) {
  const port = await sparePort();
  const server = await Server.start(t, { settings: { redis_listen: `127.0.0.1:${port}`, ...settings } });
  const redis = await Redis.connect(t, port, settings.redis_auth === 'off' ? '' : API_KEY);
  const variables = { TOCSIN_REDIS: `redis://127.0.0.1:${port}`, TOCSIN_API_KEY: API_KEY };
  const tocsin = (...args) => command(args, { variables });
  const done = async (...args) => {
    const answer = await tocsin(...args);
    assert.equal(answer.code, 0, `tocsin ${args.join(' ')}: ${answer.stdout}${answer.stderr}`);
    return answer;
  };
  const json = async (...args) => {
    const { stdout } = await done(...args, '--json');
    return stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
  };
  return { server, redis, port, tocsin, done, json };
}

const bury = (redis, fields, { stream = STREAM, id = '*', group } = {}) => redis.run('XADD', `${stream}:dead`, id,
  'tocsin_reason', 'the reason', 'tocsin_stream', stream, 'tocsin_id', '1-1', 'tocsin_attempts', '3',
  ...(group ? ['tocsin_group', group] : []), ...fields);

test('a malformed notification is found, explained, mended and redriven to its user', async (t) => {
  const { server, redis, tocsin, done, json } = await start(t);
  assert.match((await done('dead-letters', 'list')).stdout, /no dead letters/);
  const device = await Device.connect(t, server, 'ann');
  await redis.run('XADD', STREAM, '*', 'message', 'to nobody', 'lang', 'en');
  await redis.run('XADD', STREAM, '*', 'user_id', 'ann');

  const listed = await done('dead-letters', 'list');
  assert.match(listed.stdout, /user_id.*message=to nobody/);
  const letters = await json('dead-letters', 'list');
  assert.equal(letters.length, 2);
  assert.match(letters[0].reason, /user_id/);
  assert.match(letters[1].reason, /message/);
  assert.deepEqual(letters[0].fields, { message: 'to nobody', lang: 'en' });
  assert.equal(letters[0].group, null);

  const before = [await redis.run('XRANGE', STREAM, '-', '+'), await redis.run('XRANGE', DEAD, '-', '+')];
  const rehearsed = await done('dead-letters', 'redrive', '--all', '--dry-run');
  assert.match(rehearsed.stdout, /would redrive 2 .*nothing was changed/);
  assert.match(rehearsed.stdout, /new id/);
  assert.deepEqual([await redis.run('XRANGE', STREAM, '-', '+'), await redis.run('XRANGE', DEAD, '-', '+')], before);

  const unmended = await tocsin('dead-letters', 'redrive', '--filter', 'tocsin_reason~user_id');
  assert.equal(unmended.code, 1);
  assert.match(unmended.stderr, /1 came back.*--set/);
  assert.equal((await json('dead-letters', 'list')).length, 2);

  const mended = await done('dead-letters', 'redrive', '--filter', 'message=to nobody', '--set', 'user_id=ann', '--unset', 'lang');
  assert.match(mended.stdout, /1 redriven/);
  const [item] = await device.received(1);
  assert.equal(item.body, 'to nobody');
  assert.equal(item.lang, undefined);
  assert.deepEqual((await json('dead-letters', 'list')).map((letter) => letter.fields), [{ user_id: 'ann' }]);
  const [, fields] = (await redis.run('XREVRANGE', STREAM, '+', '-', 'COUNT', 1))[0];
  assert.deepEqual(fields, ['message', 'to nobody', 'user_id', 'ann']);
});

test('a dead letter cannot drive the terminal', async (t) => {
  const { redis, done } = await start(t);
  const evil = '\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\r\n';
  await redis.run('XADD', STREAM, '*', evil, evil, 'binary', Buffer.from([0xff, 0x00, 0x1b]));
  for (const args of [['dead-letters', 'list'], ['dead-letters', 'list', '--json']]) {
    const { stdout } = await done(...args);
    assert.match(stdout, /owned/);
    assert.equal(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ufffd]/.test(stdout), false, JSON.stringify(stdout));
  }
  await redis.run('XADD', evil, '*', 'a', 'b');
  await redis.run('XGROUP', 'CREATE', evil, evil, 0);
  for (const args of [['streams'], ['streams', evil], ['groups', evil], ['groups', evil, '--json'], ['trim', evil, '--max-length', '0', '--exact']]) {
    const { stdout, stderr } = await done(...args);
    assert.equal(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/.test(stdout + stderr), false, JSON.stringify(stdout + stderr));
  }
});

test('what a group gave up on is redriven with a warning: everybody gets it again', async (t) => {
  const { redis, done, json } = await start(t);
  await redis.run('XADD', 'orders', '*', 'order', '0');
  await bury(redis, ['order', '1'], { stream: 'orders', group: 'mailer' });
  assert.equal((await json('dead-letters', 'list', 'orders'))[0].group, 'mailer');
  for (const args of [['--dry-run'], []]) {
    const { stdout } = await done('dead-letters', 'redrive', 'orders', '--filter', 'order=1', ...args);
    assert.match(stdout, /`mailer`.*every group of `orders`/);
  }
  assert.equal(await redis.run('XLEN', 'orders'), 2);
  await bury(redis, ['user_id', 'ann', 'message', 'm'], { group: 'tocsin' });
  assert.doesNotMatch((await done('dead-letters', 'redrive', '--all')).stdout, /every group/);
});

test('two operators at once redrive each dead letter once, also while new ones come', async (t) => {
  const { redis, json, tocsin } = await start(t);
  const count = 1500;
  await redis.run('XADD', 'jobs', '*', 'n', 'first');
  await Promise.all(Array.from({ length: count }, (_, n) => bury(redis, ['n', n], { stream: 'jobs' })));
  const third = await Redis.connect(t, redis.socket.remotePort);
  let busy = true;
  const writing = (async () => { while (busy) await bury(third, ['late', '1'], { stream: 'jobs' }); })();
  const answers = await Promise.all([tocsin('dead-letters', 'redrive', 'jobs', '--filter', 'n~', '--json'),
                                     tocsin('dead-letters', 'redrive', 'jobs', '--filter', 'n~', '--json')]);
  busy = false;
  await writing;
  for (const answer of answers) assert.equal(answer.code, 0, answer.stderr);
  const lines = answers.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line)));
  assert.equal(lines.length, count);
  assert.equal(new Set(lines.map((line) => line.id)).size, count);
  const values = (await redis.run('XRANGE', 'jobs', '-', '+')).map(([, fields]) => fields[1]);
  assert.equal(values.length, count + 1);
  assert.equal(new Set(values).size, count + 1);
  const left = await json('dead-letters', 'list', 'jobs', '--count', '1000000');
  assert.ok(left.every((letter) => letter.fields.late === '1'));
});

test('a server that is killed during a redrive has each entry once: redriven, or still to be', async (t) => {
  const { server, redis, port, tocsin, done } = await start(t);
  const count = 10_000;
  await redis.run('XADD', 'jobs', '*', 'n', 'first');
  await Promise.all(Array.from({ length: count }, (_, n) => bury(redis, ['n', n], { stream: 'jobs' })));
  const interrupted = tocsin('dead-letters', 'redrive', 'jobs', '--all');
  while (await redis.run('XLEN', 'jobs') < 1000);
  redis.socket.on('error', () => {});
  await server.kill();
  const answer = await interrupted;
  if (answer.code !== 0) assert.match(answer.stderr, /connection failed/);
  await server.launch();
  await done('dead-letters', 'redrive', 'jobs', '--all');
  const again = await Redis.connect(t, port);
  assert.equal(await again.run('XLEN', 'jobs:dead'), 0);
  const values = (await again.run('XRANGE', 'jobs', '-', '+')).map(([, fields]) => fields[1]);
  assert.equal(values.length, count + 1);
  assert.equal(new Set(values).size, count + 1);
});

test('what the stream refuses within the transaction is put back among the dead letters', async (t) => {
  const { redis, tocsin } = await start(t);
  const last = '18446744073709551615-18446744073709551615';
  await redis.run('XADD', 'full', last, 'the', 'last');
  const buried = await bury(redis, ['n', '1', 'n', '2'], { stream: 'full' });
  const before = (await redis.run('XRANGE', 'full:dead', '-', '+'))[0][1];
  const refused = await tocsin('dead-letters', 'redrive', 'full', '--all');
  assert.equal(refused.code, 1);
  assert.match(refused.stdout, /^0 redriven/);
  const [[id, fields], ...more] = await redis.run('XRANGE', 'full:dead', '-', '+');
  assert.match(refused.stderr, new RegExp(`${buried} is a dead letter again, as ${id}`));
  assert.deepEqual(fields, before);
  assert.equal(more.length, 0);
  assert.equal(await redis.run('XLEN', 'full'), 1);
});

test('dead letters that are too large for one reply', async (t) => {
  const { redis, done } = await start(t);
  await redis.run('XADD', 'big', '*', 'n', 'first');
  const value = Buffer.alloc(2 << 20, 'x');
  for (let n = 0; n < 40; ++n) await bury(redis, ['n', n, 'value', value], { stream: 'big' });
  const listed = await done('dead-letters', 'list', 'big');
  assert.equal(listed.stdout.split('\n').filter((line) => line.includes('value=xxx')).length, 40);
  assert.ok(listed.stdout.length < 40_000);
  assert.match((await done('dead-letters', 'redrive', 'big', '--all')).stdout, /^40 redriven/);
  assert.deepEqual([await redis.run('XLEN', 'big'), await redis.run('XLEN', 'big:dead')], [41, 0]);
});

test('drop takes what was chosen, and says what it would take', async (t) => {
  const { redis, tocsin, done, json } = await start(t);
  await redis.run('XADD', 'jobs', '1-1', 'a', 'b');
  for (let n = 1; n <= 250; ++n) await bury(redis, ['n', n % 2 ? 'odd' : 'even'], { stream: 'jobs', id: `${n}-0` });
  const recent = await bury(redis, ['n', 'odd'], { stream: 'jobs' });
  for (const action of ['drop', 'redrive']) {
    const unchosen = await tocsin('dead-letters', action, 'jobs');
    assert.equal(unchosen.code, 2);
    for (const word of ['--id', '--filter', '--all', '--dry-run']) assert.ok(unchosen.stderr.includes(word), unchosen.stderr);
  }
  assert.match((await done('dead-letters', 'drop', 'jobs', '--filter', 'n=odd', '--dry-run')).stdout, /would drop 126/);
  assert.equal(await redis.run('XLEN', 'jobs:dead'), 251);
  assert.match((await done('dead-letters', 'drop', 'jobs', '--filter', 'n=odd', '--older-than', '1d')).stdout, /125 dropped/);
  assert.equal(await redis.run('XLEN', 'jobs:dead'), 126);
  const half = await tocsin('dead-letters', 'drop', 'jobs', '--id', `2-0,02-0`, '--id', '1-0');
  assert.equal(half.code, 1);
  assert.match(half.stdout, /1 dropped/);
  assert.match(half.stderr, /1 of the ids/);
  assert.deepEqual((await json('dead-letters', 'list', 'jobs', '--newer-than', '1d')).map((letter) => letter.id), [recent]);
  const some = await done('dead-letters', 'list', 'jobs', '--count', '3', '--json');
  assert.equal(some.stdout.trim().split('\n').length, 3);
  assert.match(some.stderr, /more/);
  assert.match((await done('dead-letters', 'drop', 'jobs', '--all')).stdout, /125 dropped/);
  assert.equal(await redis.run('XLEN', 'jobs:dead'), 0);
  assert.equal(await redis.run('XLEN', 'jobs'), 1);
});

test('what a dead consumer left is seen and handed over', async (t) => {
  const { redis, tocsin, done, json } = await start(t);
  const ids = [];
  for (let n = 0; n < 5; ++n) ids.push(await redis.run('XADD', 'jobs', '*', 'n', n));
  await redis.run('XGROUP', 'CREATE', 'jobs', 'mailer', 0);
  await redis.run('XREADGROUP', 'GROUP', 'mailer', 'dead', 'COUNT', 4, 'STREAMS', 'jobs', '>');
  await redis.run('XCLAIM', 'jobs', 'mailer', 'dead', 0, ids[0], ids[1], ids[2], 'IDLE', 600000, 'JUSTID');

  const group = (await json('groups', 'jobs'))[0];
  assert.deepEqual([group.group, group.pending, group.lag, group.consumers.length], ['mailer', 4, 1, 1]);
  assert.ok(group.oldest_pending_idle_ms >= 600000);
  assert.match((await done('groups', 'jobs')).stdout, /mailer[^]*\n {2}dead/);
  const stream = (await json('streams', 'jobs'))[0];
  assert.deepEqual([stream.stream, stream.length, stream.groups, stream.last_id], ['jobs', 5, 1, ids[4]]);
  assert.equal(stream.group_details[0].group, 'mailer');

  assert.deepEqual((await json('pending', 'jobs', 'mailer')).map((entry) => entry.id), ids.slice(0, 4));
  assert.deepEqual((await json('pending', 'jobs', 'mailer', '--idle', '5m')).map((entry) => entry.id), ids.slice(0, 3));
  assert.deepEqual(await json('pending', 'jobs', 'mailer', '--consumer', 'alive'), []);
  const two = await done('pending', 'jobs', 'mailer', '--count', '2');
  assert.equal(two.stdout.trim().split('\n').length, 3);
  assert.match(two.stderr, /more/);

  await redis.run('XDEL', 'jobs', ids[1]);
  const claimed = await done('claim', 'jobs', 'mailer', 'alive', '--idle', '5m', '--json');
  assert.deepEqual(claimed.stdout.trim().split('\n').map((line) => JSON.parse(line)).sort((a, b) => (a.id < b.id ? -1 : 1)), [
    { id: ids[0], result: 'claimed' }, { id: ids[1], result: 'deleted' }, { id: ids[2], result: 'claimed' }]);
  assert.match(claimed.stderr, /2 claimed for `alive`, 1 found deleted/);
  assert.match(claimed.stderr, /no consumer of the group before/);
  const history = await redis.run('XREADGROUP', 'GROUP', 'mailer', 'alive', 'STREAMS', 'jobs', 0);
  assert.deepEqual(history[0][1].map(([id]) => id), [ids[0], ids[2]]);

  await redis.run('XREADGROUP', 'GROUP', 'mailer', 'dead', 'STREAMS', 'jobs', '>');
  await redis.run('XDEL', 'jobs', ids[4]);
  const byId = await tocsin('claim', 'jobs', 'mailer', 'alive', '--id', ids[3], '--id', `${ids[4]},9-9`, '--json');
  assert.equal(byId.code, 1);
  assert.match(byId.stderr, /1 of the ids are not pending/);
  assert.deepEqual(Object.fromEntries(byId.stdout.trim().split('\n').map((line) => Object.values(JSON.parse(line)))),
    { [ids[3]]: 'claimed', [ids[4]]: 'deleted', '9-9': 'not_pending' });
  const owners = (await json('pending', 'jobs', 'mailer')).map((entry) => [entry.consumer, entry.deliveries]);
  assert.deepEqual(owners, [['alive', 2], ['alive', 2], ['alive', 1]]);  // reading them counts, the hand-over does not
});

test('trim keeps what a group still needs, and says which; forced, it does not', async (t) => {
  const { redis, done, json, tocsin } = await start(t);
  for (let n = 1; n <= 10; ++n) await redis.run('XADD', 'audit', `${n}-0`, 'n', n);
  await redis.run('XGROUP', 'CREATE', 'audit', 'reader', 0);
  await redis.run('XREADGROUP', 'GROUP', 'reader', 'c', 'COUNT', 5, 'STREAMS', 'audit', '>');
  await redis.run('XACK', 'audit', 'reader', '1-0', '2-0', '3-0');

  const nodes = await done('trim', 'audit', '--max-length', '2');
  assert.match(nodes.stdout, /^0 removed, 10 left/);
  assert.match(nodes.stderr, /--exact/);
  const safe = await done('trim', 'audit', '--max-length', '2', '--exact');
  assert.match(safe.stdout, /^3 removed, 7 left/);
  assert.match(safe.stderr, /`reader` \(2 pending, 5 unread\).*--force/);
  assert.match((await done('trim', 'audit', '--older-than', '1d', '--exact')).stderr, /reader/);
  assert.deepEqual((await redis.run('XRANGE', 'audit', '-', '+')).map(([id]) => id), ['4-0', '5-0', '6-0', '7-0', '8-0', '9-0', '10-0']);
  const forced = await done('trim', 'audit', '--min-id', '9', '--exact', '--force');
  assert.match(forced.stdout, /^5 removed, 2 left/);
  assert.equal(forced.stderr, '');
  assert.deepEqual(await json('trim', 'audit', '--older-than', '1d', '--exact', '--force'), [{ stream: 'audit', removed: 2, left: 0 }]);

  for (const args of [['audit'], ['audit', '--max-length', '1', '--min-id', '2'], ['audit', '--max-length', '-1'], ['audit', '--min-id', 'x'],
                      ['audit', '--older-than', 'x'], ['--max-length', '1'], []]) {
    assert.equal((await tocsin('trim', ...args)).code, 2, args.join(' '));
  }
});

test('a stream of more than a node, and hundreds of streams', async (t) => {
  const { redis, done, json } = await start(t);
  for (let n = 0; n < 25; ++n) await Promise.all(Array.from({ length: 100 }, () => redis.run('XADD', 'long', '*', 'n', n)));
  const [trimmed] = await json('trim', 'long', '--max-length', '1000');
  assert.ok(trimmed.removed > 1000 && trimmed.left >= 1000, JSON.stringify(trimmed));
  assert.equal(trimmed.removed + trimmed.left, 2500);
  await Promise.all(Array.from({ length: 500 }, (_, n) => redis.run('XADD', `s${String(n).padStart(3, '0')}`, '*', 'n', n)));
  const names = (await json('streams')).map((stream) => stream.stream).filter((name) => /^s\d+$/.test(name));
  assert.equal(new Set(names).size, 500);
  assert.equal(names.length, 500);
  const rows = (await done('streams')).stdout.split('\n').map((line) => line.split(' ')[0]).filter((name) => /^s\d+$/.test(name));
  assert.deepEqual(rows, [...rows].sort());
  assert.equal(rows.length, 500);
});

test('every failure says how to mend it', async (t) => {
  const { server, port, tocsin } = await start(t);
  const failure = async (args, variables, pattern, code = 1) => {
    const answer = await command(args, { variables });
    assert.equal(answer.code, code, `tocsin ${args.join(' ')}: ${answer.stdout}${answer.stderr}`);
    assert.match(answer.stderr, pattern);
    for (const secret of [API_KEY, PUBLISH_ONLY_KEY, 'hidden']) assert.equal(answer.stderr.includes(secret), false, answer.stderr);
  };
  const at = { TOCSIN_REDIS: `redis://127.0.0.1:${port}` };
  const nobody = await sparePort();
  await failure(['streams'], { TOCSIN_REDIS: `redis://127.0.0.1:${nobody}` }, /refused.*tocsin serve.*--redis/);
  await failure(['streams', '--redis-listen', ''], {}, /redis_listen.*--redis/);
  await failure(['streams'], { TOCSIN_REDIS: `redis://127.0.0.1:${server.port}`, TOCSIN_API_KEY: API_KEY }, /Redis protocol.*redis_listen/);
  await failure(['streams'], { ...at, TOCSIN_DATA_DIR: '/nowhere' }, /asks for a password.*TOCSIN_API_KEY.*--data-dir/);
  await failure(['streams'], { ...at, TOCSIN_API_KEY: 'hidden' }, /TOCSIN_API_KEY.*api_keys.*--data-dir/);
  await failure(['streams', '--api-key', 'hidden'], at, /--api-key/);
  await failure(['streams', '--redis', `redis://:hidden@127.0.0.1:${port}`], {}, /the address/);
  await failure(['streams', '--redis', 'redis://hidden@h'], {}, /--redis: redis:\/\//, 2);
  await failure(['streams'], { TOCSIN_REDIS: 'http://h' }, /TOCSIN_REDIS: redis:\/\//, 2);
  const publisher = { ...at, TOCSIN_API_KEY: PUBLISH_ONLY_KEY };
  for (const [args, scopes] of [[['streams'], 'read'], [['groups', STREAM], 'read'], [['pending', STREAM, 'g'], 'consume'],
                                [['claim', STREAM, 'g', 'c', '--idle', '1s'], 'consume'], [['trim', STREAM, '--max-length', '1'], 'read\\+admin'],
                                [['dead-letters', 'list'], 'read'], [['dead-letters', 'drop', '--all'], 'read\\+admin'],
                                [['dead-letters', 'redrive', '--all'], 'read\\+publish\\+admin']]) {
    await failure(args, publisher, new RegExp(`scopes ${scopes},.*api_keys`));
  }
  const key = { ...at, TOCSIN_API_KEY: API_KEY };
  for (const args of [['streams', 'no-such'], ['groups', 'no-such'], ['trim', 'no-such', '--max-length', '1'], ['dead-letters', 'list', 'no-such'],
                      ['pending', 'no-such', 'g'], ['claim', 'no-such', 'g', 'c', '--idle', '1s'], ['pending', STREAM, 'no-such']]) {
    await failure(args, key, /no-such.*tocsin streams/);
  }
  for (const args of [['groups'], ['pending', STREAM], ['claim', STREAM, 'g'], ['claim', STREAM, 'g', 'c'], ['claim', STREAM, 'g', 'c', '--id', 'x'],
                      ['claim', STREAM, 'g', 'c', '--id', '1-1', '--idle', '1s'], ['pending', STREAM, 'g', '--idle', 'x'], ['pending', STREAM, 'g', '--count', '0'],
                      ['dead-letters'], ['dead-letters', 'purge'], ['dead-letters', 'list', '--filter', 'x'], ['dead-letters', 'list', DEAD],
                      ['dead-letters', 'redrive', '--all', '--id', '1-1'], ['dead-letters', 'redrive', '--all', '--set', 'x']]) {
    assert.equal((await tocsin(...args)).code, 2, args.join(' '));
  }
});

test('the generated key of the data directory is found, and a server without passwords asks for none', async (t) => {
  const own = await start(t, { api_keys: undefined, redis_auth: 'off' });
  const where = ['--redis-listen', `127.0.0.1:${own.port}`, '--data-dir', own.server.dataDir];
  assert.equal((await command(['streams', ...where])).code, 0);
  assert.equal((await own.tocsin('streams')).code, 0);  // with a key that it does not know
  const port = await sparePort();
  const server = await Server.start(t, { settings: { api_keys: undefined, redis_listen: `127.0.0.1:${port}` } });
  const answer = await command(['streams', '--json'], { variables: { TOCSIN_REDIS_LISTEN: `127.0.0.1:${port}`, TOCSIN_DATA_DIR: server.dataDir } });
  assert.equal(answer.code, 0, answer.stderr);
});
