// The tools of the other tests, on their own: these need no server.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import test from 'node:test';
import { browser, JWT_SECRET, page, sparePort, token, until, within } from './harness.mjs';

test('a minted token is a JWT that the secret verifies', () => {
  const [header, body, signature] = token('ann', { topics: ['a'] }).split('.');
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url')), { alg: 'HS256', typ: 'JWT' });
  const claims = JSON.parse(Buffer.from(body, 'base64url'));
  assert.equal(claims.sub, 'ann');
  assert.deepEqual(claims.topics, ['a']);
  assert.equal(signature, createHmac('sha256', JWT_SECRET).update(`${header}.${body}`).digest('base64url'));
});

test('a wait that is in vain says what it waited for', async () => {
  await assert.rejects(within(new Promise(() => {}), 'the bus', 5), /waited 5 ms for the bus/);
  await assert.rejects(until(() => false, 'it rains', 5), /waited 5 ms until it rains/);
  assert.equal(await until(() => 7, 'seven'), 7);
});

test('spare ports differ from each other', async () => {
  assert.notEqual(await sparePort(), await sparePort());
});

test('the browser starts, and page errors are kept', async (t) => {
  const tab = await page(t, await (await browser(t)).newContext(), 'data:text/html,<h1>hello</h1><script>nope()</script>');
  assert.equal(await tab.textContent('h1'), 'hello');
  assert.match(tab.errors.join(), /nope is not defined/);
});
