// The list: records in, elements out. Elements are kept by nid and patched, so that focus, selection and what somebody
// has unfolded survive. A keyboard walks it with the arrows (or j and k): e archives, u turns read and unread, Del
// deletes.

import { el, icon, $ } from './dom.js';
import { safeLink, safeImage, dayName, ago, fullTime } from './format.js';
import { isUnread } from './inbox.js';

const LONG_TEXT = 320,
  LONG_LINES = 6;
const GLYPH = { low: 'low', normal: 'bell', high: 'high', critical: 'critical' };
const TAG = { high: 'High', critical: 'Critical' };
const KEYS = { e: 'archive', u: 'toggle', Delete: 'delete', '#': 'delete' };

export class ListView {
  #root = $('list');
  #rows = new Map(); // nid -> {node, content, record, patch}
  #days = new Map(); // heading -> section
  #act;

  /** `act(what, record)`: what is open, toggle, archive, restore or delete. */
  constructor({ act }) {
    this.#act = act;
    this.#root.addEventListener('keydown', (event) => this.#onKey(event));
  }

  /** Shows `records`, newest first; `arrived`: nids that come in live and may be seen to. */
  render(records, { now, arrived = new Set() }) {
    const days = new Map();
    for (const record of records) {
      const name = dayName(record.ts, now);
      if (!days.has(name)) days.set(name, []);
      days.get(name).push(this.#row(record, now, arrived.has(record.nid)));
    }
    const focused = this.#focusedRow();
    const wanted = new Set(records.map((record) => record.nid));
    const refuge = focused && !wanted.has(focused) ? this.#neighbour(focused, wanted) : null;
    place(
      this.#root,
      [...days].map(([name, nodes]) => {
        const section = this.#day(name);
        place(section.lastElementChild, nodes);
        return section;
      }),
    );
    for (const nid of this.#rows.keys()) if (!wanted.has(nid)) this.#rows.delete(nid);
    for (const name of this.#days.keys()) if (!days.has(name)) this.#days.delete(name);
    if (focused && !wanted.has(focused))
      (refuge ? this.#handle(refuge) : $('inbox-title')).focus({ preventScroll: true });
    this.#root.setAttribute('aria-busy', 'false');
  }

  /** Brings an item into sight and the focus to it. */
  reveal(nid) {
    const row = this.#rows.get(nid);
    if (!row) return;
    row.node.scrollIntoView({ block: 'center' });
    this.#handle(nid).focus({ preventScroll: true });
  }

  #day(name) {
    if (!this.#days.has(name)) {
      this.#days.set(
        name,
        el('section', { class: 'day', 'aria-label': name }, el('h2', {}, name), el('ul', { role: 'list' })),
      );
    }
    return this.#days.get(name);
  }

  #row(record, now, isArriving) {
    const content = JSON.stringify([
      record.title,
      record.body,
      record.url,
      record.icon,
      record.actions,
      record.data,
      record.prio,
      record.lang,
    ]);
    let row = this.#rows.get(record.nid);
    if (!row || row.content !== content) {
      const isFocused = row?.node.contains(document.activeElement);
      const made = this.#build(record);
      row?.node.replaceWith(made.node);
      row = { ...made, content };
      this.#rows.set(record.nid, row);
      if (isFocused) this.#handle(record.nid).focus({ preventScroll: true });
      if (isArriving) row.node.classList.add('arriving');
    }
    row.record = record;
    row.patch(record, now);
    return row.node;
  }

  #build(record) {
    const { nid, lang } = record;
    const text = { dir: 'auto', lang: lang || undefined };
    const act = (what) => this.#act(what, this.#rows.get(nid)?.record ?? record);
    const href = safeLink(record.url, location.href);
    const name = record.title || record.body || 'Notification';
    const mark = el('span', { class: 'heard' });
    const handle = href
      ? el(
          'a',
          {
            class: 'handle',
            href,
            target: '_blank',
            rel: 'noopener noreferrer',
            onclick: () => act('open'),
            onauxclick: () => act('open'),
          },
          name,
          mark,
        )
      : el('button', { class: 'handle', type: 'button', onclick: () => act('open') }, name, mark);
    const time = el('time', { datetime: new Date(record.ts).toISOString(), title: fullTime(record.ts) });
    const toggle = tool('toggle'),
      archive = tool('archive'),
      remove = tool('delete', 'trash', 'Delete');
    const node = el(
      'li',
      { class: `item prio-${record.prio}`, 'data-nid': nid },
      el('span', { class: 'dot', 'aria-hidden': true }),
      glyph(record),
      el(
        'div',
        { class: 'item-text' },
        el(
          'h3',
          text,
          handle,
          TAG[record.prio] && el('span', { class: 'tag' }, TAG[record.prio]),
          href && new URL(href).origin !== location.origin && icon('out'),
        ),
        record.title && record.body && longText(record.body, text),
        actionRow(record.actions, act),
        unfolded(record.data),
      ),
      el('div', { class: 'item-end' }, time, el('div', { class: 'tools' }, toggle, archive, remove)),
    );
    node.addEventListener('click', (event) => {
      if (event.target.closest('a, button, summary, pre') || String(getSelection()) !== '') return;
      href ? handle.click() : act('open');
    });
    node.addEventListener('animationend', ({ animationName }) => {
      if (animationName === 'glow') node.classList.remove('arriving');
    });

    function tool(what, name, label) {
      const button = el('button', { type: 'button', class: 'quiet icon-only', onclick: () => act(button.dataset.act) });
      button.dataset.act = what;
      if (name) face(button, name, label);
      return button;
    }
    function face(button, glyphName, label, what = button.dataset.act) {
      if (button.title === label) return;
      button.dataset.act = what;
      button.title = label;
      button.setAttribute('aria-label', `${label}: ${name.slice(0, 80)}`);
      button.replaceChildren(icon(glyphName));
    }
    const patch = (current, now) => {
      const unread = isUnread(current),
        archived = current.state === 'archived';
      node.classList.toggle('unread', unread);
      mark.textContent = unread ? ' (unread)' : '';
      time.textContent = ago(current.ts, now);
      toggle.hidden = archived;
      unread ? face(toggle, 'check', 'Mark as read') : face(toggle, 'dot', 'Mark as unread');
      archived
        ? face(archive, 'restore', 'Move to the inbox', 'restore')
        : face(archive, 'archive', 'Archive', 'archive');
    };
    return { node, patch };
  }

  #handle(nid) {
    return this.#rows.get(nid).node.querySelector('.handle');
  }

  #focusedRow() {
    return document.activeElement?.closest?.('.item')?.dataset.nid ?? null;
  }

  // The nearest item that stays: below first, then above.
  #neighbour(nid, wanted) {
    const all = [...this.#root.querySelectorAll('.item')].map((node) => node.dataset.nid),
      at = all.indexOf(nid);
    return (
      all.slice(at + 1).find((it) => wanted.has(it)) ??
      all
        .slice(0, at)
        .reverse()
        .find((it) => wanted.has(it)) ??
      null
    );
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('pre, input, textarea')) return;
    const handles = [...this.#root.querySelectorAll('.handle')];
    const at = handles.indexOf(event.target.closest('.item')?.querySelector('.handle'));
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (step) handles[Math.min(handles.length - 1, Math.max(0, at + step))]?.focus();
    else if (event.key === 'Home' || event.key === 'End') handles.at(event.key === 'Home' ? 0 : -1)?.focus();
    else if (KEYS[event.key] && at >= 0) {
      const { record } = this.#rows.get(this.#focusedRow());
      const what = KEYS[event.key];
      this.#act(what === 'archive' && record.state === 'archived' ? 'restore' : what, record);
    } else return;
    event.preventDefault();
  }
}

// Makes `nodes` the children of `parent`. What goes is taken out first: what stays in order is then not moved, and so
// keeps its focus.
function place(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const node of nodes) {
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
}

function glyph({ icon: address, prio }) {
  const drawn = () => el('span', { class: 'glyph', 'aria-hidden': true }, icon(GLYPH[prio] ?? 'bell'));
  const src = safeImage(address, location.href);
  if (!src) return drawn();
  const image = el('img', {
    class: 'glyph',
    src,
    alt: '',
    loading: 'lazy',
    decoding: 'async',
    width: '36',
    height: '36',
  });
  image.addEventListener('error', () => image.replaceWith(drawn()), { once: true });
  return image;
}

function longText(body, attributes) {
  const text = el('p', { ...attributes, class: 'body' }, body);
  if (body.length <= LONG_TEXT && body.split('\n').length <= LONG_LINES) return text;
  text.classList.add('clamped');
  const more = el(
    'button',
    {
      type: 'button',
      class: 'quiet more-text',
      'aria-expanded': 'false',
      onclick: () => {
        const isOpen = !text.classList.toggle('clamped');
        more.setAttribute('aria-expanded', String(isOpen));
        more.textContent = isOpen ? 'Show less' : 'Show more';
      },
    },
    'Show more',
  );
  return el('div', {}, text, more);
}

function actionRow(actions, act) {
  const links = (actions ?? [])
    .map(({ title, url }) => [title, safeLink(url, location.href)])
    .filter(([, href]) => href);
  if (!links.length) return null;
  return el(
    'div',
    { class: 'actions' },
    ...links.map(([title, href], i) =>
      el(
        'a',
        {
          class: i === 0 ? 'button first' : 'button',
          href,
          target: '_blank',
          rel: 'noopener noreferrer',
          dir: 'auto',
          onclick: () => act('open'),
        },
        title,
      ),
    ),
  );
}

function unfolded(data) {
  if (data === undefined || data === null) return null;
  return el(
    'details',
    { class: 'data' },
    el('summary', {}, 'Data'),
    el('pre', { tabindex: '0' }, JSON.stringify(data, null, 2)),
  );
}
