// Toasts: what came in while somebody looks at the page. At most three; a burst is one toast with a number.

import { el, icon, say, $ } from './dom.js';

const SHOWN = 3,
  STAY_MS = 6_000,
  GATHER_MS = 120;

export class Toasts {
  #box = $('toasts');
  #waiting = [];
  #timer = null;
  #burst = null; // {toast, count}: it counts on while it is shown
  #onOpen;

  /** `onOpen(record)`: somebody clicked a toast. */
  constructor({ onOpen }) {
    this.#onOpen = onOpen;
  }

  announce(records) {
    this.#waiting.push(...records);
    this.#timer ??= setTimeout(() => this.#show(), GATHER_MS);
  }

  /** Says something of the page itself, with an optional way back. */
  notice(text, { action, onAction, tone = 'plain' } = {}) {
    say(text, { urgent: tone === 'error' });
    const toast = this.#add(el('div', { class: `toast notice ${tone}` }, el('p', { class: 'toast-title' }, text)));
    if (action) {
      const button = el(
        'button',
        {
          type: 'button',
          class: 'quiet',
          onclick: () => {
            this.#remove(toast);
            onAction();
          },
        },
        action,
      );
      toast.append(button);
    }
    toast.append(this.#closeButton(toast));
  }

  clear() {
    this.#box.replaceChildren();
  }

  #show() {
    const records = this.#waiting;
    this.#waiting = [];
    this.#timer = null;
    const urgent = records.some(({ prio }) => prio === 'critical');
    if (records.length > SHOWN) say(`${records.length} new notifications`, { urgent });
    else
      say(
        records
          .map(
            ({ title, body, prio }) =>
              `${prio === 'critical' ? 'Critical. ' : ''}${title ? `${title}. ` : ''}${body ?? ''}`,
          )
          .join(' '),
        { urgent },
      );
    if (document.visibilityState === 'hidden') return; // the badge says it
    if (records.length > SHOWN) {
      const newest = records[records.length - 1],
        isGoingOn = this.#burst?.toast.isConnected;
      const count = records.length + (isGoingOn ? this.#burst.count : 0);
      if (isGoingOn) this.#burst.toast.remove();
      const toast = this.#toast(newest, `${count} new notifications`, `Latest: ${newest.title || newest.body}`);
      this.#burst = { toast: this.#add(toast), count };
    } else {
      for (const record of records)
        this.#add(this.#toast(record, record.title || record.body, record.title ? record.body : ''));
    }
  }

  #toast(record, title, text) {
    const toast = el(
      'div',
      { class: `toast prio-${record.prio}`, 'data-stay': record.prio === 'critical' },
      el('span', { class: 'glyph' }, icon(record.prio === 'normal' ? 'bell' : record.prio)),
      el(
        'button',
        {
          type: 'button',
          class: 'toast-open',
          onclick: () => {
            this.#remove(toast);
            this.#onOpen(record);
          },
        },
        el('span', { class: 'toast-title', dir: 'auto' }, title),
        text && el('span', { class: 'toast-text', dir: 'auto' }, text),
      ),
    );
    toast.append(this.#closeButton(toast));
    return toast;
  }

  #closeButton(toast) {
    return el(
      'button',
      { type: 'button', class: 'quiet icon-only', 'aria-label': 'Dismiss', onclick: () => this.#remove(toast) },
      icon('close'),
    );
  }

  // Goes by itself, but not from under a pointer or the focus; a critical one waits to be dismissed.
  #add(toast) {
    this.#box.prepend(toast);
    while (this.#box.children.length > SHOWN) this.#box.lastElementChild.remove();
    if (toast.dataset.stay !== undefined) return toast;
    const leave = () => {
      if (toast.matches(':hover, :focus-within')) setTimeout(leave, 1_000);
      else this.#remove(toast);
    };
    setTimeout(leave, STAY_MS);
    return toast;
  }

  #remove(toast) {
    if (!toast.isConnected || toast.classList.contains('leaving')) return;
    toast.classList.add('leaving');
    setTimeout(() => toast.remove(), matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : 180);
  }
}
