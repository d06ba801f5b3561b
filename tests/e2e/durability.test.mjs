// 202 means synced: seen from outside the process, by its system calls; and what a full disk answers.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { API_KEY, Device, Server, until } from './harness.mjs';

const has = (command, ...args) => spawnSync(command, args).status === 0;

// Under strace with -D the server stays our child. Its calls: 'sync' (completed) and 'answer' (a 202 leaves), in order.
async function traced(t, inject = []) {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'tocsin-trace-')), 'calls');
  t.after(() => rmSync(path.dirname(file), { recursive: true, force: true }));
  const server = await Server.start(t, {
    wrap: ['strace', '-D', '-f', '-s', '20', '-o', file, '-e', 'trace=fdatasync,fsync,write,writev,sendto,sendmsg', ...inject],
  });
  const calls = () => readFileSync(file, 'utf8').split('\n').flatMap((line) => {
    if (/fd?a?t?a?sync(\(\d+\)| resumed>\)) += 0/.test(line)) return ['sync'];
    return /HTTP\/1\.1 202/.test(line) && !/resumed/.test(line) ? ['answer'] : [];
  });
  return { server, calls };
}
const strace = has('strace', '-e', 'trace=none', 'true') ? false : 'strace does not work here';

test('an fsync precedes every 202', { skip: strace }, async (t) => {
  const { server, calls } = await traced(t);
  for (let i = 0; i < 30; ++i) await server.publish({ user_id: 'ann', message: `number ${i}` });
  const seen = await until(() => { const c = calls(); return c.filter((call) => call === 'answer').length === 30 && c; }, '30 answers are traced');
  let syncs = 0;
  for (const call of seen) {
    if (call === 'sync') ++syncs;
    else {
      assert.ok(syncs > 0, 'an answer left before a sync');
      syncs = 0;
    }
  }
});

test('64 publishers share the fsyncs of a slow disk: at least 8 publishes each', { skip: strace }, async (t) => {
  // 10 ms a sync, so that the disk is what they wait for, not this process.
  const { server, calls } = await traced(t, ['-e', 'inject=fdatasync,fsync:delay_enter=10000']);
  await server.publish({ user_id: 'warm', message: 'up' });
  const before = calls().filter((call) => call === 'sync').length;
  await Promise.all(Array.from({ length: 64 }, async (_, i) => {
    for (let n = 0; n < 10; ++n) await server.publish({ user_id: `u${i}`, message: `number ${n}` });
  }));
  const syncs = calls().filter((call) => call === 'sync').length - before;
  t.diagnostic(`640 publishes, ${syncs} syncs`);
  assert.ok(syncs > 0 && 640 / syncs >= 8, `${syncs} syncs`);
});

// A small file system that only the server sees, and that ends with it: once the server keeps its reserve
// (min_free_bytes), once it hits the very end.
const unshare = has('unshare', '--mount', 'true') ? false : 'needs root, for a small file system of its own';

for (const [what, size, reserve] of [['with a reserve', '256m', undefined], ['without a reserve', '64m', 0]]) {
  test(`a full disk, ${what}: 507, nothing of it accepted; reads and acks go on; space again, and it goes on`, { skip: unshare }, async (t) => {
    const dir = mkdtempSync(path.join(tmpdir(), 'tocsin-full-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const server = await Server.start(t, {
      settings: { data_dir: path.join(dir, 'data'), min_free_bytes: reserve },
      wrap: ['unshare', '--mount', 'sh', '-c', `mount -t tmpfs -o size=${size} tmpfs ${dir} && exec "$@"`, 'sh'],
    });
    const inside = (name) => path.join(`/proc/${server.pid}/root`, dir, name);
    const device = await Device.connect(t, server, 'ann', { dev: 'phone', credit: 1024 });
    const accepted = await server.publish([{ user_id: 'ann', message: 'a' }, { user_id: 'ann', message: 'b' }]);
    await device.received(2);

    // What is left, but for a little, goes to a file of somebody else.
    for (let size = 1 << 20; size >= 4096; size /= 2) {
      for (let n = 0; ; ++n) {
        try { writeFileSync(inside(`ballast-${size}-${n}`), Buffer.alloc(size)); } catch { break; }
      }
    }
    const full = await until(async () => {
      const answer = await server.request('POST', '/v1/notifications', {
        key: API_KEY, body: Array.from({ length: 50 }, () => ({ user_id: 'ann', message: 'x'.repeat(16000) })),
      });
      if (answer.status === 202) accepted.push(...answer.json.items.map((item) => item.nid));
      return answer.status !== 202 && answer;
    }, 'a publish is refused');
    assert.equal(full.status, 507, full.text);
    assert.match(full.headers.get('content-type'), /^application\/problem\+json/);
    await device.drain(accepted.length);
    assert.equal((await device.ask({ t: 'list', limit: 1 })).t, 'ok');
    assert.equal((await server.request('GET', '/healthz')).status, 200);

    spawnSync('sh', ['-c', `rm -f ${inside('ballast-')}*`]);
    const nid = await until(async () => {
      const answer = await server.request('POST', '/v1/notifications', { key: API_KEY, body: { user_id: 'ann', message: 'room again' } });
      return answer.status === 202 && answer.json.items[0].nid;
    }, 'publishes are taken again');
    accepted.push(nid);
    await device.drain(accepted.length);
    assert.deepEqual(device.items.map((item) => item.nid), accepted, 'what was accepted, all of it and nothing else');
  });
}
