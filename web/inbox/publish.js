// The publish form: what a back-end does, from a page. It says how long the answer took and when the bell rang here.

import { el, copy, $ } from './dom.js';
import { shellQuote } from './format.js';

const MOMENTS_KEPT = 256;
const FIELD = /\b(user_id|title|message|priority|url|data)\b/;

export class PublishForm {
  #form = $('publish-form');
  #result = $('publish-result');
  #button = $('publish-button');
  #key = $('p-key');
  #arrivals = new Map(); // nid -> when it arrived here
  #awaited = null; // {nid, sentAt, line}
  #onTraffic;

  /** `onTraffic(dir, name, content)`: a request or an answer, for the trace. */
  constructor({ onTraffic }) {
    this.#onTraffic = onTraffic;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#publish();
    });
    this.#form.addEventListener('input', (event) =>
      this.#clearError(event.target.closest('[data-field]')?.dataset.field),
    );
    this.#form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
    });
    $('publish-curl').addEventListener('click', (event) => {
      const body = this.#read();
      if (body) copy(curlFor(body, this.#key.value), event.currentTarget);
    });
  }

  setUser(user, key) {
    $('p-user').value = user;
    this.#key.value = key ?? '';
    if (!key) $('publish-more').open = true;
  }

  /** A notification arrived on the socket. */
  arrived(nid) {
    this.#arrivals.set(nid, performance.now());
    if (this.#arrivals.size > MOMENTS_KEPT) this.#arrivals.delete(this.#arrivals.keys().next().value);
    this.#showArrival();
  }

  async #publish() {
    const body = this.#read();
    if (!body) return;
    if (!this.#key.value)
      return this.#showError('key', 'A key is needed to publish. The server printed one at its start.');
    this.#button.disabled = true;
    const sentAt = performance.now();
    this.#onTraffic('out', 'POST', { summary: `/v1/notifications: ${body.title || body.message}`, ...body });
    let response,
      answer = {};
    try {
      response = await fetch('/v1/notifications', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': this.#key.value },
        body: JSON.stringify(body),
      });
      answer = await response.json().catch(() => ({}));
    } catch {
      this.#showFailure(
        'No answer',
        'The server could not be reached. It may have the notification or not: look at the list first.',
      );
      return;
    } finally {
      this.#button.disabled = false;
    }
    const took = performance.now() - sentAt;
    this.#onTraffic('in', response.status, {
      summary: response.ok
        ? `on disk (${answer.durability}), nid ${answer.items?.[0]?.nid}`
        : (answer.detail ?? answer.title ?? ''),
      ...answer,
    });
    if (response.ok) this.#showAccepted(answer, sentAt, took);
    else this.#showProblem(response, answer);
  }

  // The request's body, or null after an error was shown.
  #read() {
    this.#clearErrors();
    const fields = new FormData(this.#form),
      body = {};
    for (const name of ['user_id', 'title', 'message', 'url']) {
      const value = fields.get(name).trim();
      if (value || name === 'user_id' || name === 'message') body[name] = value;
    }
    body.priority = fields.get('priority');
    const text = fields.get('data').trim();
    if (text) {
      try {
        body.data = JSON.parse(text);
      } catch (error) {
        return this.#showError('data', `Not JSON: ${error.message}`);
      }
    }
    return body;
  }

  #showAccepted({ items, durability }, sentAt, took) {
    const nid = items?.[0]?.nid,
      arrival = el('span', { class: 'soft' });
    this.#result.className = 'result good';
    this.#result.replaceChildren(
      el('p', {}, el('b', {}, '202 Accepted'), ` in ${milliseconds(took)}. `, arrival),
      el(
        'dl',
        {},
        el('dt', {}, 'nid'),
        el('dd', { class: 'mono' }, nid),
        el('dt', {}, 'durability'),
        el('dd', { class: 'mono' }, durability ?? ''),
      ),
    );
    this.#result.hidden = false;
    this.#awaited = { nid, sentAt, line: arrival };
    this.#showArrival();
    $('p-message').select();
  }

  #showArrival() {
    const at = this.#arrivals.get(this.#awaited?.nid);
    if (at === undefined) return;
    this.#awaited.line.textContent = `Rang here after ${milliseconds(at - this.#awaited.sentAt)}.`;
    this.#awaited = null;
  }

  // RFC 9457: {title, status, detail}. The field at fault has a member of its own, or the detail names it first.
  #showProblem(response, problem) {
    const detail = problem.detail ?? problem.title ?? response.statusText;
    const where = String(problem.field ?? problem.pointer ?? '');
    const name = response.status === 401 || response.status === 403 ? 'key' : (where || detail).match(FIELD)?.[0];
    if (name && response.status < 500) return this.#showError(name, detail);
    this.#showFailure(`${response.status} ${problem.title ?? response.statusText}`, detail);
  }

  #showFailure(title, detail) {
    this.#result.className = 'result bad';
    this.#result.replaceChildren(el('p', {}, el('b', {}, title)), el('p', {}, detail));
    this.#result.hidden = false;
  }

  #showError(name, text) {
    const field = this.#form.querySelector(`[data-field="${CSS.escape(name)}"]`),
      message = $(`e-${name}`);
    const input = field.querySelector('input, textarea');
    if (field.closest('details.more')) $('publish-more').open = true;
    message.textContent = text;
    message.hidden = false;
    input.setAttribute('aria-invalid', 'true');
    input.focus();
    return null;
  }

  #clearError(name) {
    if (!name) return;
    $(`e-${name}`).hidden = true;
    for (const input of this.#form.querySelectorAll(`[data-field="${CSS.escape(name)}"] [aria-invalid]`))
      input.removeAttribute('aria-invalid');
  }

  #clearErrors() {
    this.#result.hidden = true;
    for (const field of this.#form.querySelectorAll('[data-field]')) this.#clearError(field.dataset.field);
  }
}

const milliseconds = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`);

export function curlFor(body, key) {
  return (
    `curl -sS ${location.origin}/v1/notifications -H ${shellQuote(`x-api-key: ${key || 'YOUR_KEY'}`)} ` +
    `-H 'content-type: application/json' -d ${shellQuote(JSON.stringify(body))}`
  );
}
