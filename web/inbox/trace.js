// "What just happened": the frames on the wire with one line each that says what they mean. Newest first.

import { el, $ } from './dom.js';

const KEPT = 200;

const MEANING = {
  hello: (f) =>
    f.cur === undefined
      ? 'who we are; the server knows where this device stands'
      : `who we are; we have all up to ${f.cur}`,
  welcome: (f) =>
    ({
      ok: 'taken up where we were',
      fresh: 'a device it had not seen: everything follows',
      gap: 'some of it was trimmed: what is left follows',
      reset: 'another log: start over',
    })[f.resume] ?? f.resume,
  n: (f) => {
    const count = f.items?.length ?? 0;
    if (f.prev === null) return `${count} urgent, ahead of the backlog`;
    if (count === 0) return 'nothing for us here; the cursor moves on';
    return count === 1 ? f.items[0].title || f.items[0].body : `${count} notifications`;
  },
  st: (f) => `${f.op}: ${f.ids ? many(f.ids.length) : `all up to ${f.upto}`}${f.by ? `, by ${f.by}` : ''}`,
  ack: (f) => `received: ${f.cur ? `all up to ${f.cur}` : many(f.nids.length)}`,
  mark: (f) => `${f.op}: ${f.ids ? many(f.ids.length) : 'everything so far'}`,
  list: (f) => `${f.before ? 'the next page' : 'the first page'}: ${f.filter ?? 'inbox'}`,
  auth: () => 'a new token, same connection',
  ok: (f) =>
    f.items ? `${many(f.items.length)}${f.before ? ', and there are more' : ', and that is all'}` : 'done, and on disk',
  err: (f) => f.msg ?? f.code,
  ping: () => 'still there?',
  pong: () => 'still here',
  warn: (f) => `${f.what}${f.in_ms ? ` in ${Math.round(f.in_ms / 1000)} s` : ''}`,
  bye: (f) => `${f.code}: ${f.msg ?? ''}`,
};

const many = (count) => (count === 1 ? 'one item' : `${count} items`);

export class Trace {
  #list = $('trace');
  #count = 0;

  /** `name` is the frame's type, or what else the line shall be called. */
  add(dir, name, content) {
    const at = new Date();
    const time = `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
    const meaning = (MEANING[name] ?? ((f) => f.summary ?? ''))(content);
    const { summary, ...body } = content;
    const row = el(
      'details',
      {},
      el(
        'summary',
        {},
        el('span', { class: 'way', 'aria-label': dir === 'in' ? 'received' : 'sent' }, dir === 'in' ? '↓' : '↑'),
        el('span', { class: 'what' }, String(name)),
        el('span', { class: 'meaning', dir: 'auto' }, meaning),
        el('time', {}, time),
      ),
    );
    row.addEventListener('toggle', () => {
      // written out when somebody looks
      if (row.open && row.children.length === 1)
        row.append(el('pre', { tabindex: '0' }, JSON.stringify(body, null, 2)));
    });
    this.#list.prepend(el('li', { class: `${dir} t-${name}` }, row));
    while (this.#list.children.length > KEPT) this.#list.lastElementChild.remove();
    $('trace-count').textContent = `${++this.#count} ${this.#count === 1 ? 'frame' : 'frames'} so far`;
  }
}
