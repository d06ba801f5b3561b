// A client that stops reading costs a bounded amount of memory and nobody else's time; later it gets everything.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Device, Server } from './harness.mjs';

const READERS = 20, ITEMS = 1000, BYTES = 15_000;

test('20 stopped readers of 15 MB each: memory stays bounded, others are served, all catch up', async (t) => {
  const server = await Server.start(t);
  const slow = [];
  for (let i = 0; i < READERS; ++i) slow.push(await Device.connect(t, server, 'ann', { dev: `slow-${i}`, credit: 1024 }));
  for (const device of slow) device.socket.pause();
  const before = server.rss;
  const nids = [];
  for (let from = 0; from < ITEMS; from += 50) {
    nids.push(...await server.publish(Array.from({ length: 50 }, () => ({ user_id: 'ann', message: 'm'.repeat(BYTES) }))));
  }
  const other = await Device.connect(t, server, 'bob', { dev: 'phone' });
  const [nid] = await server.publish({ user_id: 'bob', message: 'quick' });
  assert.deepEqual((await other.received(1)).map((item) => item.nid), [nid]);
  const grown = server.rss - before;
  t.diagnostic(`memory grew by ${grown.toFixed(0)} MiB; unbounded it would be ${(READERS * ITEMS * BYTES / 2 ** 20).toFixed(0)} MiB`);
  assert.ok(grown < 150, `memory grew by ${grown} MiB`);

  for (const device of slow) device.socket.resume();
  for (const device of slow) {
    const items = await device.drain(ITEMS);
    assert.deepEqual(items.map((item) => item.nid), nids);
    device.socket.terminate();
  }
});
