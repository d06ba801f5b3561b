// node-redis: publish, a consumer group, a blocking consumer, a pipeline. Prints what it published.
import assert from 'node:assert/strict';
import { createClient } from 'redis';

const user = process.env.TOCSIN_TEST_USER;
const client = createClient({
  RESP: Number(process.env.TOCSIN_REDIS_PROTOCOL ?? 3),
  password: process.env.TOCSIN_REDIS_PASSWORD,
  socket: { port: Number(process.env.TOCSIN_REDIS_PORT), reconnectStrategy: false },
});
client.on('error', (error) => { throw error; });
await client.connect();
assert.equal(await client.ping(), 'PONG');
const stream = 'notifications_stream';
await client.xGroupCreate(stream, 'node', '$', { MKSTREAM: true });
const id = await client.xAdd(stream, '*', { user_id: user, message: 'from node-redis', priority: 'high' });

// The entries of the one stream asked for, however this protocol version gives them.
const entriesOf = (reply) => (Array.isArray(reply) ? reply[0].messages : Object.values(reply)[0]);
const from = { key: stream, id: '>' };
const read = entriesOf(await client.xReadGroup('node', 'worker-1', from, { COUNT: 10 }));
assert.equal(read.length, 1);
assert.equal(read[0].id, id);
assert.deepEqual({ ...read[0].message }, { user_id: user, message: 'from node-redis', priority: 'high' });
assert.equal((await client.xPending(stream, 'node')).pending, 1);
assert.equal(await client.xAck(stream, 'node', id), 1);

const consumer = client.duplicate();
consumer.on('error', (error) => { throw error; });
await consumer.connect();
const waiting = consumer.xReadGroup('node', 'worker-2', from, { BLOCK: 0 });
while (!(await client.info('clients')).includes('blocked_clients:1\r\n'));
const later = await client.xAdd(stream, '*', { user_id: user, message: 'for the one who waits' });
assert.equal(entriesOf(await waiting)[0].id, later);
assert.equal(await consumer.xReadGroup('node', 'worker-2', from, { BLOCK: 20 }), null);

const ids = await Promise.all(Array.from({ length: 1000 }, (_, i) => client.xAdd('work', '*', { i: `${i}` })));
assert.equal(new Set(ids).size, 1000);
assert.equal(await client.xLen('work'), 1000);
const [length, added] = await client.multi().xLen('work').xAdd('work', '*', { last: 'one' }).exec();
assert.equal(length, 1000);
assert.ok(added.includes('-'));
assert.equal((await client.xInfoStream('work')).length, 1001);
await assert.rejects(client.xGroupCreate(stream, 'node', '$'), /^\w*Error: BUSYGROUP/);
consumer.destroy();
await client.close();
console.log(id, later);
