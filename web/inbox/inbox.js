// Inbox: what a page knows of a user's notifications. No sockets and no DOM: frames go in, a sorted view comes out.
//
//  1. A notification is one record, by `nid`, however it came: by `list`, live, as an early copy, or again.
//  2. Whoever knows last is right. A list page is a picture of the moment the server took it, and may cross live frames
//     and the user's own clicks on its way: records touched since it was asked for keep their newer state.
//  3. A view ends where its list pages end. Older entries may arrive (a device that was away gets all it missed, oldest
//     first); they are kept, and show up when their page is loaded.
//  4. The unread count is the server's, moved by what came after it (`counts.at`), so it is right beyond the loaded
//     pages.
//  5. A fresh page is told of the past twice: by the list, taken after the welcome, and by the backlog. State changes
//     up to the head of that welcome are in the list already; replayed over it they would undo newer ones for a moment.

import { compareIds } from './tocsin-client.js';

const RANK = { unread: 0, seen: 1, read: 2, archived: 3 };
const FILTERS = {
  inbox: (record) => record.state !== 'archived',
  unread: (record) => isUnread(record),
  archived: (record) => record.state === 'archived',
};

export const isUnread = (record) => RANK[record.state] < RANK.read;

/** The state after `op`: read, unread, seen or archive (delete and expire leave none). */
function stateAfter(op, state) {
  if (op === 'unread') return RANK[state] > RANK.seen ? 'seen' : state;
  const reached = op === 'archive' ? 'archived' : op;
  return RANK[reached] > RANK[state] ? reached : state;
}

// Where in the log a record stands; an early copy has no id yet, and its time comes close.
const position = (record) => record.id ?? String(record.ts);

/** Newest first: the order of the log, which is the order of list pages too. */
function byAge(a, b) {
  return compareIds(position(b), position(a)) || compareIds(b.nid, a.nid);
}

export class Inbox extends EventTarget {
  #records = new Map(); // nid -> record
  #gone = new Map(); // nid -> tick of its deletion
  #windows = new Map(); // filter -> {oldest, before, complete}
  #tick = 0;
  #era = 0;
  #counts = null; // {at, unread}
  #base = null; // log id: everything up to it is in what we are told (5)

  /** An event 'change' follows every change; one listener renders. */
  #changed() {
    this.dispatchEvent(new Event('change'));
  }

  get unread() {
    return this.#counts?.unread ?? [...this.#records.values()].filter(isUnread).length;
  }

  get(nid) {
    return this.#records.get(nid);
  }

  /** Records of `filter` (inbox, unread, archived), newest first. `kept`: nids shown though they no longer match. */
  view(filter, now = Date.now(), kept = new Set()) {
    return [...this.#records.values()]
      .filter((record) => FILTERS[filter](record) || kept.has(record.nid))
      .filter((record) => !(record.exp <= now) && this.reaches(filter, record))
      .sort(byAge);
  }

  /** How far `filter` is loaded: {loaded, before, complete}. */
  window(filter) {
    return this.#windows.get(filter) ?? { loaded: false, oldest: null, before: undefined, complete: false };
  }

  /** Starts over, at a welcome that named `head`: the page is fresh, the log another one, or there is a gap. */
  clear(head = null) {
    this.#records.clear();
    this.#gone.clear();
    this.#windows.clear();
    this.#counts = null;
    this.#base = head;
    this.#era++;
    this.#tick++;
    this.#changed();
  }

  /** Whether `record` is within the loaded part of `filter`. */
  reaches(filter, record) {
    const { loaded, oldest, complete } = this.window(filter);
    return loaded && (complete || !oldest || byAge(record, oldest) <= 0);
  }

  /** The furthest log id known: what "everything so far" means. `cursor` is where the client stands. */
  newest(cursor) {
    let newest = this.#base ?? cursor;
    for (const id of [cursor, ...[...this.#records.values()].map((record) => record.id)]) {
      if (id && (!newest || compareIds(id, newest) > 0)) newest = id;
    }
    return newest;
  }

  /** To be taken before a list request is sent, and handed to `addPage` with the reply. */
  get tick() {
    return this.#tick;
  }

  /** Changes with `clear`: a page that was asked for before it belongs to nothing any more. */
  get era() {
    return this.#era;
  }

  /** A page of `filter`: the reply {items, before?} to a list that was asked for at `askedAt`, newest first. */
  addPage(filter, { items, before }, askedAt) {
    for (const item of items) {
      const known = this.#records.get(item.nid);
      if (this.#gone.get(item.nid) > askedAt || known?.touched > askedAt) continue;
      this.#put(item, known);
    }
    const last = items.length ? this.#record(items[items.length - 1]) : this.window(filter).oldest;
    this.#windows.set(filter, { loaded: true, oldest: last, before, complete: before === undefined });
    this.#changed();
  }

  /** Notifications that came as frames. Returns those that were not known before. */
  add(items) {
    this.#tick++;
    const added = [];
    for (const item of items) {
      if (this.#gone.has(item.nid) || item.state === 'deleted') continue;
      const known = this.#records.get(item.nid);
      const record = this.#put(known ? { ...item, state: known.state } : item, known);
      if (!known) added.push(record);
      const isNewer = this.#isNewer(position(record));
      if (!known && isNewer && isUnread(record)) this.#count(+1);
      for (const nid of item.replaces ?? []) {
        if (this.#remove(nid) && isNewer) this.#count(-1);
      }
    }
    this.#changed();
    return added;
  }

  /** A state change, as in an `st` frame: {id?, op, ids | upto, item?}. Returns a function that takes it back. */
  apply({ id, op, ids, upto, item }) {
    if (id && this.#base && compareIds(id, this.#base) <= 0) return () => {};
    const at = ++this.#tick,
      counts = this.#counts && { ...this.#counts };
    const old = this.#covered(ids, upto).map((record) => ({ ...record }));
    const isNewer = id === undefined || this.#isNewer(id);
    if (isNewer && upto && op !== 'seen' && op !== 'unread') this.#countAfter(upto);
    for (const { nid } of old) {
      const record = this.#records.get(nid),
        was = isUnread(record);
      if (op === 'delete' || op === 'expire') this.#remove(nid);
      else if (op === 'update') this.#put(item, record);
      else this.#records.set(nid, { ...record, state: stateAfter(op, record.state), touched: at });
      const is = this.#records.has(nid) && isUnread(this.#records.get(nid));
      if (isNewer && !upto) this.#count(is - was);
    }
    this.#changed();
    return () => this.#takeBack(old, at, counts);
  }

  /** Counts as the server states them; older ones than we have are dropped. */
  setCounts(counts) {
    if (this.#counts?.at && counts.at && compareIds(counts.at, this.#counts.at) < 0) return;
    this.#counts = { at: counts.at, unread: counts.unread };
    this.#changed();
  }

  #takeBack(old, at, counts) {
    for (const record of old) {
      const now = this.#records.get(record.nid);
      if (now ? now.touched > at : this.#gone.get(record.nid) > at) continue; // it has moved on since
      this.#gone.delete(record.nid);
      this.#records.set(record.nid, { ...record, touched: ++this.#tick });
    }
    if (counts && this.#counts?.at === counts.at) this.#counts = counts;
    this.#changed();
  }

  #covered(ids, upto) {
    if (ids) return ids.map((nid) => this.#records.get(nid)).filter(Boolean);
    return [...this.#records.values()].filter((record) => compareIds(position(record), upto) <= 0);
  }

  // Whether the counts we were given do not yet include the log entry `id`.
  #isNewer(id) {
    return this.#counts !== null && (!this.#counts.at || compareIds(id, this.#counts.at) > 0);
  }

  // Everything up to `upto` was read, also what is not loaded here.
  #countAfter(upto) {
    if (!this.#counts?.at || compareIds(upto, this.#counts.at) < 0) return;
    this.#counts.unread = [...this.#records.values()].filter(
      (it) => isUnread(it) && compareIds(position(it), upto) > 0,
    ).length;
  }

  #count(step) {
    if (this.#counts) this.#counts.unread = Math.max(0, this.#counts.unread + step);
  }

  #put(item, known) {
    const record = { ...known, ...this.#record(item), touched: this.#tick };
    this.#records.set(record.nid, record);
    this.#gone.delete(record.nid);
    return record;
  }

  #record(item) {
    const ts = Number(item.ts ?? item.nid.split('-')[0]);
    return { ...item, ts, prio: item.prio ?? 'normal', state: item.state in RANK ? item.state : 'unread' };
  }

  // Returns whether an unread record went.
  #remove(nid) {
    const record = this.#records.get(nid);
    if (!record) return false;
    this.#records.delete(nid);
    this.#gone.set(nid, this.#tick);
    return isUnread(record);
  }
}
