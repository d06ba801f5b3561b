// What a stranger sees: the printed link opens the inbox, the printed curl line rings its bell, two tabs agree.
// With TOCSIN_E2E_SHOTS=FOLDER the screens are kept there, for the eye.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { browser, page, Server, until } from './harness.mjs';

const SHOTS = process.env.TOCSIN_E2E_SHOTS;
async function shot(tab, name) {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await tab.screenshot({ path: path.join(SHOTS, `${name}.png`) });
}

async function demo(t) {
  const server = await Server.start(t, { settings: { demo: 'on', api_keys: undefined, jwt_hs256_secret: undefined } });
  const said = await until(() => /#\S*token=/.test(server.stdout + server.stderr) && server.stdout + server.stderr, 'the link is printed');
  const link = /http:\/\/\S+#\S*token=\S+/.exec(said)[0];
  const curl = /^ *(curl (?:.*\\\n)*.*)$/m.exec(said)?.[1];
  return { server, link, curl };
}
const badge = (tab, text) => tab.locator('#badge', { hasText: new RegExp(`^${text}$`) }).waitFor();
const quiet = (tab) => tab.locator('#bell[aria-label="No unread notifications"]').waitFor();
const live = (tab) => tab.locator('#link-state[data-state=online]').waitFor();

test('the printed curl line makes the bell ring in two tabs, and reading in one quiets both', async (t) => {
  const { server, link, curl } = await demo(t);
  assert.ok(curl, `a curl line was printed:\n${server.stdout}`);
  const context = await (await browser(t)).newContext({ viewport: { width: 1280, height: 800 } });
  const first = await page(t, context, link);
  const second = await page(t, context, link);
  await Promise.all([live(first), live(second)]);
  assert.equal(first.url().includes('token'), false, 'the token leaves the address bar');
  await shot(first, 'empty');

  const { stdout } = await promisify(execFile)('sh', ['-c', curl]);
  assert.match(stdout, /"nid"/);
  await Promise.all([badge(first, '1'), badge(second, '1')]);
  assert.match(await first.title(), /^\(1\) /);
  await shot(first, 'rings');

  await first.locator('#read-all').click();
  await Promise.all([quiet(first), quiet(second)]);
  await shot(second, 'read');
  for (const tab of [first, second]) assert.deepEqual(tab.errors, []);
});

test('the form publishes, and the other tab rings', async (t) => {
  const { link } = await demo(t);
  const context = await (await browser(t)).newContext({ viewport: { width: 1280, height: 800 } });
  const first = await page(t, context, link);
  const second = await page(t, context, link);
  await Promise.all([live(first), live(second)]);
  await first.fill('#p-title', 'Build finished');
  await first.fill('#p-message', '<b>All 214</b> tests are green.');
  await first.click('#publish-button');
  await badge(second, '1');
  await second.getByText('<b>All 214</b> tests are green.').first().waitFor();  // text, never markup
  await shot(second, 'form');
  assert.deepEqual(second.errors, []);
});

test('the server is killed and comes back: the page reconnects by itself and misses nothing', async (t) => {
  const { server, link } = await demo(t);
  const tab = await page(t, await (await browser(t)).newContext(), link);
  await live(tab);
  await server.kill();
  await tab.locator('#link-state[data-state=waiting]').waitFor();
  await shot(tab, 'offline');
  await server.launch();
  const key = /key=([^&\s]+)/.exec(link)[1];
  await server.publish({ user_id: 'demo', message: 'while you were away' }, { key });
  await tab.getByText('while you were away').first().waitFor();
  await badge(tab, '1');
});

test('the page asks nobody but its server, and says so in its policy', async (t) => {
  const { server, link } = await demo(t);
  const tab = await page(t, await (await browser(t)).newContext(), link);
  await live(tab);
  for (const address of tab.asked) {
    assert.ok(address.startsWith(server.url) || address.startsWith('data:') || address.startsWith('blob:'), address);
  }
  const answer = await server.request('GET', '/');
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-security-policy') ?? '', /default-src '(none|self)'/);
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
});

test('a narrow screen shows the inbox whole', async (t) => {
  const { link } = await demo(t);
  const tab = await page(t, await (await browser(t)).newContext({ viewport: { width: 360, height: 740 } }), link);
  await live(tab);
  const [wide, shown] = await tab.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= shown, `${wide} > ${shown}: it scrolls sideways`);
  await shot(tab, 'narrow');
});

test('without the demo there is no page, and a foreign Host gets none either', async (t) => {
  const plain = await Server.start(t);
  assert.equal((await plain.request('GET', '/')).status, 404);
});
