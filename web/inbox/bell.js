// The bell: one number, shown on the button, in the title and on the favicon, and a swing when something new comes.

import { $ } from './dom.js';

const BODY = 'M12 3a6 6 0 0 0-6 6c0 5-2 6.6-2 7.5h16c0-.9-2-2.5-2-7.5a6 6 0 0 0-6-6z';
const CLAPPER = 'M9.8 19.7a2.3 2.3 0 0 0 4.4 0';

const RING_AGAIN_MS = 300,
  FAVICON_MS = 100; // a burst is drawn once: encoding a picture takes milliseconds

const short = (count) => (count > 99 ? '99+' : String(count));

export class Bell {
  #shown = -1;
  #faviconTimer = null;
  #rangAt = -Infinity;
  #button = $('bell');
  #badge = $('badge');

  constructor({ onPress }) {
    this.#button.addEventListener('click', onPress);
    this.#button.addEventListener('animationend', (event) => {
      if (event.target.classList.contains('bell-body')) this.#button.classList.remove('ringing');
    });
  }

  show(count, { live }) {
    this.#button.classList.toggle('asleep', !live);
    if (count === this.#shown) return;
    this.#shown = count;
    this.#badge.hidden = count === 0;
    this.#badge.textContent = short(count);
    this.#button.classList.toggle('has-unread', count > 0);
    const words =
      count === 0 ? 'No unread notifications' : count === 1 ? '1 unread notification' : `${count} unread notifications`;
    this.#button.setAttribute('aria-label', words);
    document.title = `${count > 0 ? `(${short(count)}) ` : ''}Inbox · Tocsin`;
    this.#faviconTimer ??= setTimeout(() => {
      this.#faviconTimer = null;
      drawFavicon(this.#shown);
    }, FAVICON_MS);
  }

  ring() {
    if (performance.now() - this.#rangAt < RING_AGAIN_MS) return;
    this.#rangAt = performance.now();
    this.#button.classList.remove('ringing');
    void this.#button.offsetWidth; // forgets the running animation, so that it starts anew
    this.#button.classList.add('ringing');
  }
}

function drawFavicon(count) {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 64;
  const pen = canvas.getContext('2d');
  if (!pen) return;
  pen.save();
  pen.scale(64 / 24, 64 / 24);
  pen.lineWidth = 2;
  pen.lineCap = pen.lineJoin = 'round';
  pen.fillStyle = '#f2b440';
  pen.strokeStyle = '#b4690e';
  pen.fill(new Path2D(BODY));
  pen.stroke(new Path2D(BODY));
  pen.stroke(new Path2D(CLAPPER));
  pen.restore();
  if (count > 0) {
    const text = count > 99 ? '99' : String(count),
      width = text.length > 1 ? 44 : 34;
    pen.beginPath();
    (pen.roundRect ?? pen.rect).call(pen, 64 - width, 0, width, 34, 17);
    pen.fillStyle = '#d0342c';
    pen.fill();
    pen.fillStyle = '#fff';
    pen.font = 'bold 28px system-ui, sans-serif';
    pen.textAlign = 'center';
    pen.textBaseline = 'middle';
    pen.fillText(text, 64 - width / 2, 18);
  }
  const link = $('favicon');
  link.type = 'image/png';
  link.href = canvas.toDataURL('image/png');
}
