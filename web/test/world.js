// A world for TocsinClient: a clock that only moves when told, sockets that go nowhere, a page with events.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto; // Node 18 has no global one

export class Clock {
  ms = 1_000_000;
  #timers = new Map();
  #next = 1;
  setTimeout = (run, delay) => {
    this.#timers.set(this.#next, { at: this.ms + delay, run });
    return this.#next++;
  };
  clearTimeout = (id) => {
    this.#timers.delete(id);
  };

  /** Moves on by `ms`, running what becomes due, in order. */
  async pass(ms) {
    const end = this.ms + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.ms = Math.max(this.ms, due[1].at);
      due[1].run();
      await settled();
    }
    this.ms = end;
    await settled();
  }
}

/** Lets promises run. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

class Storage extends Map {
  getItem(key) {
    return this.get(key) ?? null;
  }
  setItem(key, value) {
    this.set(key, value);
  }
}

/** Options for a client, and the ends of what it opens: `sockets`, the newest last. */
export function world(overrides = {}) {
  const clock = new Clock(),
    sockets = [];
  class Socket {
    readyState = 0;
    sent = [];
    closedWith = null;
    constructor(url, protocol) {
      Object.assign(this, { url, protocol });
      sockets.push(this);
    }
    send(text) {
      this.sent.push(...text.split('\n').map((line) => JSON.parse(line)));
    }
    close(code) {
      this.readyState = 3;
      this.closedWith = code;
    }
    // What the server does:
    accept() {
      this.readyState = 1;
      this.onopen({});
    }
    say(...frames) {
      this.onmessage({ data: frames.map((frame) => JSON.stringify(frame)).join('\n') });
    }
    hangUp(code = 1006, reason = '') {
      this.readyState = 3;
      this.onclose({ code, reason });
    }
    take(t) {
      const found = this.sent.filter((frame) => frame.t === t);
      this.sent = this.sent.filter((frame) => frame.t !== t);
      return found;
    }
  }
  const page = new EventTarget();
  page.navigator = { onLine: true };
  page.document = new EventTarget();
  page.document.visibilityState = 'visible';
  const options = {
    url: 'ws://test/v1/ws',
    user: 'ann',
    getToken: () => 'token-1',
    WebSocket: Socket,
    storage: new Storage(),
    page,
    clock,
    now: () => clock.ms,
    random: () => 1,
    ...overrides,
  };
  return {
    clock,
    sockets,
    page,
    options,
    get socket() {
      return sockets.at(-1);
    },
  };
}

export const welcome = (fields = {}) => ({
  t: 'welcome',
  sid: 's',
  user: 'ann',
  epoch: 'e1',
  head: '10-0',
  floor: '0-0',
  cur: '10-0',
  ping: 25,
  ttl: 3600,
  resume: 'fresh',
  ...fields,
});
export const item = (id, fields = {}) => ({
  id,
  nid: id,
  ts: Number(id.split('-')[0]),
  prio: 'normal',
  body: `body ${id}`,
  state: 'unread',
  ...fields,
});
