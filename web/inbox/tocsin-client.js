// TocsinClient: one user's live connection to Tocsin, in plain JavaScript. Speaks the WebSocket protocol `tocsin.v1`.
//
//   const tocsin = new TocsinClient({ url: 'wss://host/v1/ws', user: 'ann', getToken: () => fetchMyToken() });
//   tocsin.on('items', ({ items }) => show(items));       // notifications, in order, each once
//   tocsin.on('change', (change) => apply(change));       // read, archived, deleted ... on another device
//   tocsin.connect();
//   await tocsin.mark('read', [nid]);                     // resolves once it is on the server's disk
//
// What it keeps true:
//  1. Nothing is skipped. Every frame names the cursor it starts from (`prev`) and the one it ends at (`cur`). A frame
//     that does not start where we stand is not applied: the client reconnects and takes up at its own cursor.
//  2. Nothing is shown twice. An item that comes again (an urgent one overtakes the backlog as an early copy and comes
//     again in order) is dropped by its `nid`; the cursor moves all the same.
//  3. What is acked was applied. Listeners run before the cursor moves and the receipt is sent; an ack is cumulative.
//  4. Nothing asked for is lost to a reconnect. Unanswered requests go out again after the next welcome; a mark carries
//     a `mid`, so doing it twice is doing it once.
//  5. A client that fails does not hammer. The close code says what to do; every wait is random (full jitter).
//
// Where the cursor lives, and why not in localStorage. A cursor says how far a *state* has been built from the log.
// Here the state is what this page holds in memory, so the cursor is held beside it and dies with it. A shared, stored
// cursor would be wrong twice: several tabs are one device with several sessions, each at its own position, and would
// overwrite one another's; and the `cur` of a hello counts as an ack, so a fresh page that began at a stored cursor
// would confirm entries that it does not have. Only the device name is stored, per user. Hence:
//  - A fresh page says hello with `dev` and no `cur`. The server goes on at the position that it keeps for the device
//    (the furthest that any of its tabs has come), or at `since` for a device it has never seen.
//  - The page then asks for what it wants to show by `list`. It asks after `welcome`, so the list covers everything up
//    to `welcome.cur` at least; what is newer comes as frames. The two overlap and are merged by `nid`, without a hole.
//  - When the connection of a living page breaks, the next hello carries `epoch` and `cur`, and only what was missed
//    comes.
// (A client that stores its items, say in IndexedDB, stores epoch and cursor in the same transaction and passes them as
// `resume`.)

const ACK_DELAY_MS = 250,
  ACK_ITEMS = 32;
const WELCOME_WAIT_MS = 10_000; // from the attempt to the welcome
const STABLE_MS = 10_000; // a connection that lived so long starts the back-off anew
const BACKOFF_BASE_MS = 500,
  BACKOFF_CAP_MS = 30_000,
  BACKOFF_FLOOR_MS = 5_000;
const SEEN_NIDS = 4_096;

/** What a close code asks for: 'stop', 'backoff', 'reconnect' (at the time the server gave), 'token', or 'retry'. */
export function adviceOf(code) {
  if (code >= 4000 && code < 4100) return 'stop';
  if (code >= 4200 && code < 4300) return 'reconnect';
  if (code >= 4300 && code < 4400) return 'token';
  if (code >= 4100 || code === 1002 || code === 1007 || code === 1008 || code === 1009) return 'backoff';
  return 'retry'; // 1001, 1006, ...: the network, or a restart
}

/** Compares two entry ids `<ms>-<n>` as numbers: negative, 0, positive. (They may exceed 2^53: no Number() here.) */
export function compareIds(a, b) {
  const [aMs, aSeq = '0'] = a.split('@')[0].split('-'),
    [bMs, bSeq = '0'] = b.split('@')[0].split('-');
  return compareDigits(aMs, bMs) || compareDigits(aSeq, bSeq);
}

function compareDigits(a, b) {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** The name of this browser profile as a device of `user`: made once, then kept. */
export function deviceOf(user, storage) {
  const key = `tocsin.dev:${user}`;
  try {
    const dev = storage.getItem(key) ?? `web-${randomName()}`;
    storage.setItem(key, dev);
    return dev;
  } catch {
    return `web-${randomName()}`; // storage is blocked: a device for this visit
  }
}

const randomName = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => (b % 36).toString(36)).join('');

/** An event whose `detail` says what happened. */
class TocsinEvent extends Event {
  constructor(type, detail) {
    super(type);
    this.detail = detail;
  }
}

/** The server's `err` to a request, or the end of the client before an answer. `code`, `message`, `retry`, `doc`. */
export class TocsinError extends Error {
  constructor({ code, msg, retry, doc }) {
    super(msg ?? code);
    Object.assign(this, { code, retry, doc });
  }
}

/**
 * Events (`on(type, listener)`; the listener gets the detail):
 *   state   {state, retryAt?, code?, msg?}   connecting, online, waiting, token (needs one), stopped, closed
 *   welcome {frame, resumed}    resumed: this page's cursor was taken up ('ok'); otherwise build your state from `list`
 *   items   {items, early, more}     change {the `st` frame}     counts {at, unread, unseen, ...}
 *   warn    {what, in_ms}       frame {dir: 'in' | 'out', frame}   every frame, for the curious
 */
export class TocsinClient extends EventTarget {
  #options;
  #socket = null;
  #state = 'closed';
  #token = null;
  #refused = null;
  #epoch = null;
  #cur = null; // null until a welcome: see above
  #seen = new Set(); // nids, oldest first
  #requests = new Map();
  #nextRequest = 1;
  #ack = { items: 0, moved: false, nids: [], timer: null };
  #attempt = 0;
  #welcomedAt = 0;
  #lastFrameAt = 0;
  #silenceMs = 40_000;
  #bye = null;
  #heldUntil = 0;
  #retryTimer = null;
  #watchdog = null;

  /**
   * url        ws:// or wss:// address of /v1/ws
   * getToken   () => token, or a promise of one, or null for "none at hand" (state 'token', until `useToken`)
   * user       whose device name to keep; `dev` names the device instead
   * credit, since, lang   as in the protocol;  resume   {epoch, cur} that belong to a stored state
   * The rest are the doors to the world, for tests: WebSocket, storage, page (online and visibility events), clock.
   */
  constructor({
    url,
    getToken,
    user = '',
    dev,
    credit = 64,
    since,
    lang,
    resume,
    WebSocket = globalThis.WebSocket,
    storage = globalThis.localStorage,
    page = globalThis,
    clock = globalThis,
    now = Date.now,
    random = Math.random,
  }) {
    super();
    this.dev = dev ?? deviceOf(user, storage);
    this.#options = { url, getToken, credit, since, lang, WebSocket, page, clock, now, random };
    if (resume) ({ epoch: this.#epoch, cur: this.#cur } = resume);
  }

  get state() {
    return this.#state;
  }
  get cursor() {
    return this.#cur;
  }
  get epoch() {
    return this.#epoch;
  }

  on(type, listener) {
    this.addEventListener(type, (event) => listener(event.detail));
    return this;
  }

  /** Connects and stays connected. In 'waiting' it tries again now, unless the server asked us to wait. */
  connect() {
    if (this.#state === 'online' || this.#state === 'connecting') return;
    if (this.#state === 'waiting' && this.#options.now() < this.#heldUntil) return;
    const { page } = this.#options;
    page.addEventListener?.('online', this.#wake);
    page.document?.addEventListener('visibilitychange', this.#wake);
    this.#open();
  }

  /** Goes on with a new token: after 'token' or 'stopped', or on the live connection, which stays. */
  useToken(token) {
    this.#token = token;
    if (this.#state === 'online') this.#send({ t: 'auth', i: this.#nextRequest++, tok: token });
    else this.connect();
  }

  /** Says good-bye; open requests fail. `connect` starts again, from the cursor. */
  close() {
    const { page } = this.#options;
    page.removeEventListener?.('online', this.#wake);
    page.document?.removeEventListener('visibilitychange', this.#wake);
    this.#flushAck();
    this.#drop(1000);
    this.#end('closed');
  }

  /** Marks notifications: op is read, unread, seen, archive or delete. Resolves with {counts} once it is durable. */
  mark(op, nids) {
    return this.#request({ t: 'mark', op, ids: nids, mid: randomName() });
  }

  /** The same for everything up to and with log entry `upto`: by default all that this client has seen. */
  markUpTo(op, upto = this.#cur) {
    return this.#request({ t: 'mark', op, upto, ch: '', mid: randomName() });
  }

  /** One page of the inbox, newest first: {items, before?}. Pass `before` on for the next page; none: the end. */
  list({ before, limit, filter } = {}) {
    return this.#request({ t: 'list', before, limit, filter });
  }

  // ---- Connecting -------------------------------------------------------------------------------------------------

  async #open() {
    const { url, getToken, WebSocket, now } = this.#options;
    this.#clearTimers();
    this.#setState('connecting');
    const token = this.#token ?? (await Promise.resolve(getToken?.()).catch(() => null));
    if (this.#state !== 'connecting' || this.#socket) return; // closed, or opened anew, in the meantime
    if (!token || token === this.#refused)
      return this.#setState('token', { code: this.#bye?.code, msg: this.#bye?.msg });
    this.#token = token;
    this.#bye = null;
    this.#heldUntil = this.#welcomedAt = 0;
    this.#lastFrameAt = now();
    const socket = (this.#socket = new WebSocket(url, 'tocsin.v1'));
    const mine = (handler) => (event) => {
      if (socket === this.#socket) handler(event);
    };
    socket.onopen = mine(() => this.#sayHello());
    socket.onmessage = mine((event) => this.#receive(event.data));
    socket.onclose = mine((event) => this.#closed(event.code, event.reason));
    this.#watch(WELCOME_WAIT_MS);
  }

  #sayHello() {
    const { credit, since, lang } = this.#options;
    const position = this.#cur === null ? { since } : { epoch: this.#epoch, cur: this.#cur };
    this.#send({ t: 'hello', tok: this.#token, dev: this.dev, ...position, lang, credit });
  }

  #closed(code, reason) {
    const { now, random, page } = this.#options;
    const bye = { code: this.#bye?.code ?? code, msg: this.#bye?.msg ?? reason, after_ms: this.#bye?.after_ms };
    this.#bye = bye;
    this.#drop();
    const advice = adviceOf(bye.code);
    if (advice === 'stop') return this.#end('stopped', bye);
    if (advice === 'token') {
      // ask for another; the one that was refused will not do
      this.#refused = this.#token;
      this.#token = null;
      return this.#open();
    }
    if (this.#welcomedAt && now() - this.#welcomedAt > STABLE_MS) this.#attempt = 0;
    const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** this.#attempt++);
    let wait = random() * ceiling;
    if (advice === 'backoff') wait += BACKOFF_FLOOR_MS;
    if (bye.after_ms !== undefined) wait = bye.after_ms; // jittered by the server, which knows how many we are
    if (advice !== 'retry') this.#heldUntil = now() + wait;
    this.#retryTimer = this.#after(wait, () => this.#open());
    const offline = page.navigator?.onLine === false;
    this.#setState('waiting', { retryAt: now() + wait, offline, code: bye.code, msg: bye.msg });
  }

  // The network is back, or the page is looked at again. A laptop that slept has a dead socket and was not told.
  #wake = () => {
    const { page, now } = this.#options;
    if (page.document?.visibilityState === 'hidden' || page.navigator?.onLine === false) return;
    if (this.#state === 'waiting') this.connect();
    else if (this.#state === 'online' && now() - this.#lastFrameAt > this.#silenceMs) this.#reconnect('silent');
  };

  #reconnect(why) {
    this.#drop(4000, why);
    this.#closed(1006, why);
  }

  // The server pings; silence for longer than that means that the connection is dead, however open it looks.
  #watch(ms) {
    this.#options.clock.clearTimeout(this.#watchdog);
    this.#watchdog = this.#after(ms, () => this.#reconnect('silent'));
  }

  // ---- Receiving --------------------------------------------------------------------------------------------------

  #receive(text) {
    this.#lastFrameAt = this.#options.now();
    if (this.#welcomedAt) this.#watch(this.#silenceMs);
    const socket = this.#socket;
    for (const line of text.split('\n')) {
      if (line === '') continue;
      let frame;
      try {
        frame = JSON.parse(line);
      } catch {
        return this.#reconnect('not JSON');
      }
      this.#emit('frame', { dir: 'in', frame });
      this.#handlers[frame.t]?.(frame); // unknown types are ignored, and unknown fields too
      if (socket !== this.#socket) return;
    }
  }

  #handlers = {
    welcome: (frame) => {
      const { now } = this.#options;
      const resumed = frame.resume === 'ok' && this.#cur !== null;
      if (!resumed) this.#seen.clear();
      this.#epoch = frame.epoch;
      this.#cur = frame.cur;
      this.#welcomedAt = now();
      if (frame.ping) this.#silenceMs = frame.ping * 1600; // seconds; a late ping is not a dead server
      this.#watch(this.#silenceMs);
      for (const { frame: request } of this.#requests.values()) this.#send(request); // before listeners ask for more
      this.#setState('online');
      this.#emit('welcome', { frame, resumed });
      if (frame.counts) this.#emit('counts', frame.counts);
    },
    n: (frame) => {
      if (frame.ch) return; // a topic: this client follows none
      const early = frame.prev === null;
      if (!early && frame.prev !== this.#cur) return this.#reconnect('prev');
      const items = frame.items.filter(({ nid }) => this.#isNew(nid));
      if (items.length) this.#emit('items', { items, early, more: frame.more === true });
      if (early) this.#ack.nids.push(...frame.items.map(({ nid }) => nid));
      else this.#advance(frame.cur);
      this.#ack.items += frame.items.length;
      this.#scheduleAck();
    },
    st: (frame) => {
      if (frame.ch) return;
      if (frame.prev !== this.#cur) return this.#reconnect('prev');
      this.#emit('change', frame);
      this.#advance(frame.cur);
      if (frame.counts) this.#emit('counts', frame.counts);
      this.#scheduleAck();
    },
    ok: (frame) => this.#answer(frame, (request) => request.resolve(frame)),
    err: (frame) => this.#answer(frame, (request) => request.reject(new TocsinError(frame))),
    ping: (frame) => this.#send({ t: 'pong', ts: frame.ts }),
    warn: (frame) => {
      this.#emit('warn', frame);
      if (frame.what === 'token_expiring') this.#renewToken();
    },
    bye: (frame) => {
      this.#bye = frame;
    }, // the close that follows acts on it
  };

  #isNew(nid) {
    if (this.#seen.has(nid)) return false;
    this.#seen.add(nid);
    if (this.#seen.size > SEEN_NIDS) this.#seen.delete(this.#seen.values().next().value);
    return true;
  }

  #advance(cur) {
    this.#cur = cur;
    this.#ack.moved = true;
  }

  async #renewToken() {
    const token = await Promise.resolve(this.#options.getToken?.()).catch(() => null);
    if (token && token !== this.#token) this.useToken(token);
  }

  // ---- Sending ----------------------------------------------------------------------------------------------------

  #send(frame) {
    if (this.#socket?.readyState !== 1) return;
    const text = JSON.stringify(frame); // leaves out what is undefined
    this.#socket.send(text);
    this.#emit('frame', { dir: 'out', frame: { ...JSON.parse(text), ...(frame.tok && { tok: '(not shown)' }) } });
  }

  // A receipt gives credit back to the server, so it may not wait for long; nor is one needed for every item.
  #scheduleAck() {
    if (this.#ack.items >= ACK_ITEMS) this.#flushAck();
    else this.#ack.timer ??= this.#after(ACK_DELAY_MS, () => this.#flushAck());
  }

  #flushAck() {
    const { moved, nids, timer } = this.#ack;
    this.#options.clock.clearTimeout(timer);
    if (moved || nids.length)
      this.#send({ t: 'ack', cur: moved ? this.#cur : undefined, nids: nids.length ? nids : undefined });
    this.#ack = { items: 0, moved: false, nids: [], timer: null };
  }

  #request(frame) {
    if (this.#state === 'stopped' || this.#state === 'closed')
      return Promise.reject(new TocsinError({ code: this.#state }));
    const request = { t: frame.t, i: this.#nextRequest++, ...frame };
    return new Promise((resolve, reject) => {
      this.#requests.set(request.i, { frame: request, resolve, reject });
      if (this.#state === 'online') this.#send(request);
    });
  }

  #answer(frame, settle) {
    const request = this.#requests.get(frame.i);
    if (!request) return; // an auth, or the second answer to a repeated request
    this.#requests.delete(frame.i);
    settle(request);
    if (frame.counts) this.#emit('counts', frame.counts);
  }

  // ---- Ending -----------------------------------------------------------------------------------------------------

  // Lets go of the socket; its late events are nobody's. Acks that were not sent ride on the next hello's cursor.
  #drop(code, reason) {
    const socket = this.#socket;
    this.#socket = null;
    this.#clearTimers();
    this.#ack = { items: 0, moved: false, nids: [], timer: null };
    if (code !== undefined) socket?.close(code, reason);
  }

  #end(state, bye = {}) {
    for (const { reject } of this.#requests.values()) reject(new TocsinError({ code: state, msg: bye.msg }));
    this.#requests.clear();
    if (state === 'stopped') this.#token = null;
    this.#setState(state, { code: bye.code, msg: bye.msg });
  }

  #clearTimers() {
    for (const timer of [this.#retryTimer, this.#watchdog, this.#ack.timer]) this.#options.clock.clearTimeout(timer);
    this.#ack.timer = null;
  }

  #after(ms, run) {
    return this.#options.clock.setTimeout(run, ms);
  }

  #setState(state, detail = {}) {
    this.#state = state;
    this.#emit('state', { state, ...detail });
  }

  #emit(type, detail) {
    this.dispatchEvent(new TocsinEvent(type, detail));
  }
}
