// The command line as a person and a script meet it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { BINARY, command, Device, Server, within } from './harness.mjs';

const own = { api_keys: undefined, jwt_hs256_secret: undefined };  // what a fresh start generates

test('help teaches, version tells, wrong usage ends with 2 and says why', async () => {
  const help = await command(['--help']);
  assert.equal(help.code, 0);
  for (const word of ['serve', 'publish', 'tail', 'token', 'version']) assert.match(help.stdout, new RegExp(`\\b${word}\\b`));
  for (const word of ['serve', 'publish', 'tail', 'token']) {
    const answer = await command([word, '--help']);
    assert.equal(answer.code, 0);
    assert.match(answer.stdout, /usage: tocsin/);
  }
  assert.match((await command(['version'])).stdout, /^tocsin \d+\.\d+\.\d+/);
  for (const args of [[], ['dance'], ['serve', '--no-such'], ['serve', '--listen', 'nowhere'], ['token']]) {
    const wrong = await command(args);
    assert.equal(wrong.code, 2, `tocsin ${args.join(' ')}: ${wrong.stdout}`);
    assert.notEqual(wrong.stderr, '');
  }
});

test('a start that cannot be is explained, and ends with 1', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'tocsin-cli-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const squatter = net.createServer().listen(0, '127.0.0.1');
  t.after(() => squatter.close());
  await once(squatter, 'listening');
  const { port } = squatter.address();
  const taken = await command(['serve', '--listen', `127.0.0.1:${port}`, '--data-dir', path.join(dir, 'a'), '--redis-listen', '']);
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, new RegExp(`${port}`));

  const short = await command(['serve', '--data-dir', path.join(dir, 'b')], { variables: { TOCSIN_JWT_HS256_SECRET: 'short' } });
  assert.equal(short.code, 1);
  assert.match(short.stderr, /32/);
  assert.equal(short.stderr.includes('short'), false, 'a secret is never printed');

  const server = await Server.start(t);
  const second = await command(['serve', '--listen', '127.0.0.1:0', '--redis-listen', '', '--data-dir', server.dataDir]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /lock|another|in use|running/i);
});

test('the keys of a first start lie in the data directory, readable by their owner only, and last', async (t) => {
  const server = await Server.start(t, { settings: own });
  const read = (name) => {
    const file = path.join(server.dataDir, name);
    assert.equal(statSync(file).mode & 0o777, 0o600, name);
    return readFileSync(file, 'utf8');
  };
  const before = [read('api-key'), read('jwt-secret')];
  assert.equal(statSync(server.dataDir).mode & 0o077, 0);
  await server.restart();
  assert.deepEqual([read('api-key'), read('jwt-secret')], before);
});

test('publish, token and tail need nothing but the data directory', async (t) => {
  const server = await Server.start(t, { settings: own });
  const where = ['--server', server.url, '--data-dir', server.dataDir];
  const one = await command(['publish', ...where, '--user', 'ann', '--title', 'Build', '--priority', 'high', 'Tests failed']);
  assert.equal(one.code, 0, one.stderr);
  assert.match(one.stdout, /^\d+-\d+\n$/);
  const many = await command(['publish', ...where], { input: '{"user_id":"ann","message":"b"}\n{"user_id":"ann","message":"c"}\n' });
  assert.equal(many.code, 0, many.stderr);
  const nids = [one.stdout.trim(), ...many.stdout.trim().split('\n')];
  assert.equal(nids.length, 3);

  const minted = await command(['token', '--user', 'ann', '--data-dir', server.dataDir]);
  assert.equal(minted.code, 0, minted.stderr);
  const device = await Device.connect(t, server, 'ann', { tok: minted.stdout.trim() });
  assert.deepEqual((await device.received(3)).map((item) => item.nid), nids);

  const tail = await command(['tail', ...where, '--user', 'ann', '--json', '--count', '3']);
  assert.equal(tail.code, 0, tail.stderr);
  const lines = tail.stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(lines.map((line) => line.nid), nids);
  assert.equal(lines[0].title, 'Build');

  const bad = await command(['publish', ...where, '--api-key', 'wrong', '--user', 'ann', 'x']);
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /401/);
});

test('tail prints what comes, goes on after a crash of the server, and ends on SIGINT', async (t) => {
  const server = await Server.start(t, { settings: own });
  const where = ['--server', server.url, '--data-dir', server.dataDir];
  const child = spawn(BINARY, ['tail', ...where, '--user', 'ann', '--device', 'desk', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout.on('data', (chunk) => { out += chunk; });
  const seen = async (text) => {
    while (!out.includes(text)) await within(once(child.stdout, 'data'), () => `${text} in ${out}`);
  };
  await command(['publish', ...where, '--user', 'ann', 'before-the-crash']);
  await seen('before-the-crash');
  await server.restart();
  await command(['publish', ...where, '--user', 'ann', 'after-the-crash']);
  await seen('after-the-crash');
  assert.equal(out.match(/before-the-crash/g).length, 1);
  child.kill('SIGINT');
  const [code] = await within(once(child, 'exit'), 'tail to end');
  assert.equal(code, 0);
});
