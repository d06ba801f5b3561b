// What the page promises without being run: nothing from elsewhere, nothing inline, nothing missing; links are checked.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { ago, dayName, safeImage, safeLink, shellQuote } from '../inbox/format.js';
import { parseFragment, parsePasted } from '../inbox/credentials.js';

const FOLDER = fileURLToPath(new URL('../inbox/', import.meta.url));
const files = Object.fromEntries(readdirSync(FOLDER).map((name) => [name, readFileSync(join(FOLDER, name), 'utf8')]));
const scripts = Object.entries(files).filter(([name]) => name.endsWith('.js'));
const html = files['index.html'];

test('no inline script or style, no handler attribute, nothing from another host', () => {
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)/);
  assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=|javascript:/i);
  assert.doesNotMatch(html.replace(/placeholder="[^"]*"/g, ''), /https?:\/\//);
  assert.doesNotMatch(files['inbox.css'], /https?:|@import|url\(/);
  for (const [name, text] of scripts) {
    assert.doesNotMatch(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.style\b|setAttribute\('style/,
      name,
    );
  }
});

test('what is referred to is there', () => {
  for (const [, address] of html.matchAll(/(?:src|href)="([^"#]+)"/g))
    assert.ok(existsSync(join(FOLDER, address)), address);
  for (const [name, text] of scripts) {
    for (const [, address] of text.matchAll(/from '\.\/([^']+)'/g)) assert.ok(files[address], `${name}: ${address}`);
    for (const [, id] of text.matchAll(/\$\('([^']+)'\)/g))
      assert.match(html, new RegExp(`id="${id}"`), `${name}: ${id}`);
  }
  for (const [, id] of html.matchAll(/(?:for|aria-labelledby|data-copy)="([^"]+)"/g))
    assert.match(html, new RegExp(`id="${id}"`), id);
  for (const [, list] of html.matchAll(/aria-describedby="([^"]+)"/g))
    for (const id of list.split(' ')) assert.match(html, new RegExp(`id="${id}"`), id);
  for (const [, id] of html.matchAll(/href="#(i-[a-z]+)"/g)) assert.match(html, new RegExp(`<symbol id="${id}"`), id);
});

test('a link leads over http, https or to a path of ours', () => {
  const here = 'http://127.0.0.1:8080/';
  assert.equal(safeLink('https://example.com/a?b#c', here), 'https://example.com/a?b#c');
  assert.equal(safeLink('/builds/2', here), 'http://127.0.0.1:8080/builds/2');
  for (const bad of [
    'javascript:alert(1)',
    ' javascript:alert(1)',
    'JAVASCRIPT:alert(1)',
    'data:text/html,x',
    '//evil.test/',
    '/\\evil.test',
    'example.com',
    'java\nscript:alert(1)',
    'https://',
    '',
    undefined,
    null,
    7,
    {},
  ])
    assert.equal(safeLink(bad, here), null, String(bad));
});

test('an image comes from here, or is embedded', () => {
  const here = 'http://127.0.0.1:8080/';
  assert.equal(safeImage('/icon.svg', here), 'http://127.0.0.1:8080/icon.svg');
  assert.equal(safeImage('data:image/png;base64,AAAA', here), 'data:image/png;base64,AAAA');
  for (const bad of [
    'https://elsewhere.test/pixel.gif',
    '//elsewhere.test/x',
    'data:text/html,x',
    'javascript:1',
    undefined,
  ])
    assert.equal(safeImage(bad, here), null, String(bad));
});

test('days and moments', () => {
  const now = new Date(2024, 5, 12, 15, 0).getTime(),
    at = (...date) => new Date(...date).getTime();
  assert.equal(dayName(at(2024, 5, 12, 0, 0), now), 'Today');
  assert.equal(dayName(at(2024, 5, 11, 23, 59), now), 'Yesterday');
  assert.equal(dayName(at(2024, 5, 9, 12), now), 'Sunday');
  assert.match(dayName(at(2024, 4, 1), now), /1 May/);
  assert.match(dayName(at(2023, 4, 1), now), /1 May 2023/);
  assert.equal(ago(now - 59_000, now), 'now');
  assert.equal(ago(now + 5_000, now), 'now');
  assert.equal(ago(now - 4 * 60_000, now), '4 min');
  assert.equal(ago(now - 3 * 3_600_000, now), '3 h');
  assert.equal(ago(at(2024, 5, 11, 9, 5), now), '09:05');
});

test('the printed link and a bare token are understood', () => {
  const token = `h.${Buffer.from('{"sub":"ann"}').toString('base64url')}.s`;
  assert.deepEqual(parseFragment(`#user=demo&token=${token}&key=k%2Bey`), {
    user: 'demo',
    token,
    key: 'k+ey',
    dev: undefined,
  });
  assert.equal(parseFragment('#user=demo'), null);
  assert.equal(parseFragment(''), null);
  assert.equal(parsePasted(`  http://127.0.0.1:8080/#token=${token}&key=k \n`).user, 'ann');
  assert.deepEqual(parsePasted(token), { user: 'ann', token, key: '', dev: undefined });
  assert.equal(parsePasted('hello there'), null);
});

test('a shell gets what was meant', () => {
  assert.equal(shellQuote(`it's`), `'it'\\''s'`);
});
