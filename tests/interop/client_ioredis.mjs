// ioredis: publish, a consumer group, a blocking consumer, a pipeline. Prints what it published.
import assert from 'node:assert/strict';
import Redis from 'ioredis';

const user = process.env.TOCSIN_TEST_USER;
const options = {
  port: Number(process.env.TOCSIN_REDIS_PORT),
  password: process.env.TOCSIN_REDIS_PASSWORD,
  maxRetriesPerRequest: 0,
};
const redis = new Redis(options);
assert.equal(await redis.ping(), 'PONG');
const stream = 'notifications_stream';
await redis.xgroup('CREATE', stream, 'ioredis', '$', 'MKSTREAM');
const id = await redis.xadd(stream, '*', 'user_id', user, 'message', 'from ioredis', 'priority', 'high');

// Of a reply in either protocol version: the entries of one stream.
const entriesOf = (reply) => {
  if (Array.isArray(reply)) return reply[0][1];
  return reply instanceof Map ? [...reply.values()][0] : Object.values(reply)[0];
};
const read = await redis.xreadgroup('GROUP', 'ioredis', 'worker-1', 'COUNT', 10, 'STREAMS', stream, '>');
assert.deepEqual(entriesOf(read)[0], [id, ['user_id', user, 'message', 'from ioredis', 'priority', 'high']]);
assert.equal(await redis.xack(stream, 'ioredis', id), 1);

const consumer = new Redis(options);
const waiting = consumer.xreadgroup('GROUP', 'ioredis', 'worker-2', 'BLOCK', 0, 'STREAMS', stream, '>');
while (!(await redis.info('clients')).includes('blocked_clients:1\r\n'));
const later = await redis.xadd(stream, '*', 'user_id', user, 'message', 'for the one who waits');
assert.equal(entriesOf(await waiting)[0][0], later);
assert.equal(await consumer.xreadgroup('GROUP', 'ioredis', 'worker-2', 'BLOCK', 20, 'STREAMS', stream, '>'), null);

const pipeline = redis.pipeline();
for (let i = 0; i < 1000; ++i) pipeline.xadd('work', '*', 'i', i);
const results = await pipeline.exec();
assert.ok(results.every(([error]) => error === null));
assert.equal(await redis.xlen('work'), 1000);
const [[, length], [, added]] = await redis.multi().xlen('work').xadd('work', '*', 'last', 'one').exec();
assert.equal(length, 1000);
assert.ok(added.includes('-'));
await assert.rejects(redis.xgroup('CREATE', stream, 'ioredis', '$'), /^ReplyError: BUSYGROUP/);
await consumer.quit();
await redis.quit();
console.log(id, later);
