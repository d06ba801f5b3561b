// The demo inbox. This file is the wiring: credentials -> client -> inbox -> view, and the user's clicks back.

import { TocsinClient } from './tocsin-client.js';
import { Inbox, isUnread } from './inbox.js';
import { ListView } from './view.js';
import { Bell } from './bell.js';
import { Toasts } from './toasts.js';
import { Trace } from './trace.js';
import { PublishForm, curlFor } from './publish.js';
import * as credentials from './credentials.js';
import { $, copy, say } from './dom.js';

const PAGE = 30,
  EMPTY_PAGES = 8,
  TICK_MS = 15_000,
  ARRIVING_MS = 1_500;
const NEEDS_OTHER_TOKEN = new Set([4001, 4003, 4300, 4301]);

const inbox = new Inbox();
const view = new ListView({ act });
const bell = new Bell({ onPress: toFirstUnread });
const toasts = new Toasts({ onOpen: openFromToast });
const trace = new Trace();
const form = new PublishForm({ onTraffic: (dir, name, content) => trace.add(dir, name, content) });

let me = {}; // {user, token, key, dev}
let client = null;
let link = { state: 'connecting' };
let filter = 'inbox',
  kept = new Set(); // kept: read while looking at Unread, and shown until one looks elsewhere
let arrived = new Set(),
  loading = null,
  clockAhead = 0,
  drawing = false;

const now = () => Date.now() + clockAhead;

// ---- The connection -------------------------------------------------------------------------------------------------

function enter() {
  client?.close();
  client = null;
  inbox.clear();
  toasts.clear();
  me = credentials.load();
  if (!me.token) return showDoor();
  $('signed-out').hidden = true;
  $('signed-in').hidden = $('who').hidden = $('leave').hidden = false;
  showUser(me.user);
  const mine = (client = new TocsinClient({
    url: new URL('/v1/ws', location.href.replace(/^http/, 'ws')).href,
    user: me.user,
    dev: me.dev,
    getToken: () => me.token,
  }));
  client.on('state', (state) => {
    if (client === mine) showLink(state);
  });
  client.on('frame', ({ dir, frame }) => trace.add(dir, frame.t, frame));
  client.on('counts', (counts) => inbox.setCounts(counts));
  client.on('welcome', ({ frame, resumed }) => {
    if (frame.now) clockAhead = frame.now - Date.now();
    showUser(frame.user);
    if (resumed) return;
    inbox.clear(frame.head);
    loading = null;
    loadPage();
  });
  client.on('items', ({ items }) => {
    const news = inbox.add(items).filter((record) => isUnread(record) && inbox.reaches('inbox', record));
    for (const { nid } of items) form.arrived(nid);
    if (!news.length) return;
    for (const { nid } of news) arrived.add(nid);
    setTimeout(() => {
      for (const { nid } of news) arrived.delete(nid);
    }, ARRIVING_MS);
    bell.ring();
    toasts.announce(news);
  });
  client.on('change', (change) => inbox.apply(change));
  client.connect();
}

function showUser(user) {
  if (!user) return;
  const isFirst = $('who-name').textContent !== user;
  me.user = user;
  $('who-name').textContent = user;
  $('who-initial').textContent = [...user][0].toUpperCase();
  $('who-device').textContent = client?.dev ?? '';
  if (isFirst) form.setUser(user, me.key);
}

function showLink(state) {
  const was = link.state;
  link = state;
  if ((state.state === 'stopped' || state.state === 'token') && NEEDS_OTHER_TOKEN.has(state.code)) {
    return showDoor(`The server refused the token: ${state.msg || 'it is not valid any more'} (${state.code})`);
  }
  drawLink();
  if (state.state === 'waiting' || state.state === 'stopped') {
    trace.add('in', 'close', { summary: `${state.code}${state.msg ? `: ${state.msg}` : ''}`, ...state });
  }
  if (state.state === 'online' && was === 'waiting') say('Connected again');
  if (state.state === 'waiting' && was !== 'connecting') say('Connection lost. Trying again.');
  draw();
}

// Called twice a second while a countdown runs.
function drawLink() {
  const seconds = Math.ceil((link.retryAt - Date.now()) / 1000);
  const words = {
    connecting: 'Connecting',
    online: 'Live',
    closed: 'Closed',
    token: 'No token',
    waiting: link.offline ? 'Offline' : seconds > 0 ? `Retry in ${seconds} s` : 'Connecting',
    stopped: `Stopped (${link.code})`,
  }[link.state];
  const button = $('link-state');
  button.dataset.state = link.state === 'waiting' && link.offline ? 'offline' : link.state;
  button.disabled = link.state !== 'waiting' && link.state !== 'stopped';
  button.title =
    { waiting: `${link.msg ? `${link.msg}. ` : ''}Click to try now`, stopped: `${link.msg ?? ''} Click to try again` }[
      link.state
    ] ?? '';
  if ($('link-text').textContent !== words) $('link-text').textContent = words;
}

function showDoor(why = '') {
  client?.close();
  client = null;
  $('signed-in').hidden = $('who').hidden = $('leave').hidden = true;
  $('signed-out').hidden = false;
  $('door-why').hidden = !why;
  $('door-why').textContent = why;
  $('door-command').textContent = `tocsin token --user ${/^[\w.@-]+$/.test(me.user ?? '') ? me.user : 'demo'}`;
  $('link-state').dataset.state = 'closed';
  $('link-state').disabled = true;
  $('link-text').textContent = 'Not connected';
  bell.show(0, { live: false });
  $('door-token').focus();
}

// ---- The list -------------------------------------------------------------------------------------------------------

// The next page of what is being looked at. A page may be short or empty and still not be the last.
async function loadPage() {
  if (loading || !client) return;
  const wanted = filter,
    era = inbox.era;
  const mine = (loading = {});
  draw();
  try {
    for (let i = 0, found = 0; i < EMPTY_PAGES && found === 0; ++i) {
      const { before, complete } = inbox.window(wanted);
      if (complete) break;
      const askedAt = inbox.tick;
      const reply = await client.list({ filter: wanted, before, limit: PAGE });
      if (inbox.era !== era) return;
      inbox.addPage(wanted, reply, askedAt);
      found = reply.items.length;
    }
  } catch (error) {
    if (error.code !== 'closed' && error.code !== 'stopped')
      toasts.notice(`The list could not be loaded: ${error.message}`, { tone: 'error' });
  } finally {
    if (loading === mine) loading = null;
    draw();
    if (filter !== wanted && !inbox.window(filter).loaded) loadPage();
  }
}

function draw() {
  bell.show(inbox.unread, { live: link.state === 'online' });
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawNow();
  });
}

function drawNow() {
  if ($('signed-in').hidden) return;
  const records = inbox.view(filter, now(), kept),
    { loaded, complete } = inbox.window(filter);
  view.render(records, { now: now(), arrived });
  const isWaiting = !loaded && records.length === 0;
  $('list').classList.toggle('waiting', isWaiting && link.state !== 'waiting');
  $('empty').hidden = records.length > 0 || (isWaiting && link.state !== 'waiting');
  if (!$('empty').hidden) drawEmpty(loaded);
  $('inbox-note').textContent = inbox.unread > 0 ? `${inbox.unread} unread` : '';
  $('read-all').disabled = inbox.unread === 0;
  $('older').hidden = !loaded || complete;
  $('older').disabled = loading !== null;
  $('older').textContent = loading ? 'Loading' : 'Load older';
}

function drawEmpty(loaded) {
  const [title, text] = !loaded
    ? ['No connection yet', 'The inbox will open by itself as soon as the server answers.']
    : {
        inbox: ['All quiet', 'Nothing here yet. Publish something with the form, or from a shell:'],
        unread: ['All read', 'Nothing is waiting for you.'],
        archived: ['Nothing archived', 'What you archive is kept here, out of the way.'],
      }[filter];
  $('empty-title').textContent = title;
  $('empty-text').textContent = text;
  $('empty-snippet').hidden = !loaded || filter !== 'inbox';
  $('empty-curl').textContent = curlFor({ user_id: me.user ?? '', title: 'Hello', message: 'It rings.' }, me.key);
}

function show(name) {
  if (filter === name) return;
  filter = name;
  kept = new Set();
  for (const button of document.querySelectorAll('[data-filter]'))
    button.setAttribute('aria-pressed', String(button.dataset.filter === name));
  if (!inbox.window(name).loaded) loadPage();
  drawNow();
}

// ---- What the user does ---------------------------------------------------------------------------------------------

// Shown at once, and taken back when the server cannot do it. Without a connection it is sent as soon as there is one.
async function mark(op, nids) {
  if (!client) return;
  if (filter === 'unread' && op === 'read') for (const nid of nids) kept.add(nid);
  const undo = inbox.apply({ op, ids: nids });
  try {
    await client.mark(op, nids);
  } catch (error) {
    undo();
    complain(error);
  }
}

function complain(error) {
  if (error.code !== 'closed') toasts.notice(`That did not work: ${error.message}`, { tone: 'error' });
}

function act(what, record) {
  const { nid } = record,
    wasUnread = isUnread(record);
  if (what === 'open') {
    if (wasUnread) mark('read', [nid]);
  } else if (what === 'toggle') mark(wasUnread ? 'read' : 'unread', [nid]);
  else if (what === 'delete') {
    mark('delete', [nid]);
    say('Deleted');
  } else if (what === 'restore') restore(nid, false);
  else if (what === 'archive') {
    kept.delete(nid);
    mark('archive', [nid]);
    toasts.notice('Archived', { action: 'Undo', onAction: () => restore(nid, wasUnread) });
  }
}

// Out of the archive the only way is by `unread`, which is what the protocol has.
function restore(nid, asUnread) {
  mark('unread', [nid]);
  if (!asUnread) mark('read', [nid]);
}

async function readAll() {
  const upto = inbox.newest(client.cursor);
  if (!upto) return;
  if (filter === 'unread') for (const { nid } of inbox.view('unread', now(), kept)) kept.add(nid);
  const undo = inbox.apply({ op: 'read', upto });
  $('inbox-title').focus({ preventScroll: true });
  try {
    await client.markUpTo('read', upto);
    say('All read');
  } catch (error) {
    undo();
    complain(error);
  }
}

function toFirstUnread() {
  if ($('signed-in').hidden) return;
  if (inbox.unread === 0) return $('inbox-title').focus();
  const first = inbox.view(filter, now(), kept).find(isUnread);
  if (first) return view.reveal(first.nid);
  show('unread');
}

function openFromToast({ nid }) {
  if (!inbox.view(filter, now(), kept).some((record) => record.nid === nid)) show('inbox');
  drawNow();
  view.reveal(nid);
  const record = inbox.get(nid);
  if (record && isUnread(record)) mark('read', [nid]);
}

function openAnother(dev) {
  open(credentials.linkFor({ ...me, dev }), '_blank', 'noopener');
}

// ---- Start ----------------------------------------------------------------------------------------------------------

inbox.addEventListener('change', draw);
for (const button of document.querySelectorAll('[data-filter]'))
  button.addEventListener('click', () => show(button.dataset.filter));
for (const button of document.querySelectorAll('[data-copy]'))
  button.addEventListener('click', () => copy($(button.dataset.copy).textContent, button));
$('read-all').addEventListener('click', readAll);
$('older').addEventListener('click', loadPage);
$('link-state').addEventListener('click', () => client?.connect());
$('open-tab').addEventListener('click', () => openAnother(me.dev));
$('open-device').addEventListener('click', () => openAnother(`device-${Math.random().toString(36).slice(2, 6)}`));
$('leave').addEventListener('click', () => {
  credentials.forget();
  me = { user: me.user };
  showDoor();
});
$('door-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const pasted = credentials.parsePasted($('door-token').value);
  $('door-error').hidden = pasted !== null;
  $('door-token').toggleAttribute('aria-invalid', pasted === null);
  if (!pasted) {
    $('door-error').textContent =
      $('door-token').value.trim() === ''
        ? 'Paste a token first.'
        : 'This is neither a token (three parts with dots between) nor a link of this server.';
    return $('door-token').focus();
  }
  $('door-token').value = '';
  credentials.save({ ...pasted, key: pasted.key || me.key || '' });
  enter();
});
addEventListener('hashchange', () => {
  if (credentials.parseFragment(location.hash)) enter();
});
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') draw();
});
setInterval(() => {
  if (link.state === 'waiting') drawLink();
}, 500);
setInterval(draw, TICK_MS);

const wide = matchMedia('(min-width: 1000px)');
const unfold = () => {
  for (const fold of document.querySelectorAll('[data-wide-open]')) fold.open = wide.matches;
};
wide.addEventListener('change', unfold);
unfold();
enter();
