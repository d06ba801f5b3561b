// What publishers send is shown, never trusted: addresses are checked here, and text becomes text nodes only (dom.js).

/** The address when a click may lead there: http, https, or a path of this origin. Otherwise null. */
export function safeLink(text, base) {
  const url = parse(text, base);
  return url && (url.protocol === 'https:' || url.protocol === 'http:') ? url.href : null;
}

/** The address when it may be loaded as an image: this origin, or an embedded picture. Others would tell a third party
 *  who reads what and when, and the page's policy refuses them anyway. */
export function safeImage(text, base) {
  if (typeof text === 'string' && /^data:image\/(png|jpeg|gif|webp|svg\+xml)[;,]/i.test(text)) return text;
  const url = parse(text, base);
  return url && url.origin === new URL(base).origin ? url.href : null;
}

// A link without scheme must be a path: "example.com" is neither, and would quietly lead to this server.
function parse(text, base) {
  if (typeof text !== 'string' || !/^(https?:\/\/|\/(?![/\\]))/i.test(text)) return null;
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}

const DAY = 86_400_000;
const clockTime = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat('en-GB', { weekday: 'long' });
const dayOfYear = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'long' });
const dayOfAnyYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });
const whole = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'medium' });

const midnight = (ms) => new Date(ms).setHours(0, 0, 0, 0);

/** A day as a heading: Today, Yesterday, Monday, Tue 3 June, 3 June 2024. */
export function dayName(ms, now) {
  const days = Math.round((midnight(now) - midnight(ms)) / DAY); // rounded: a day of summer time has 23 or 25 hours
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days < 7) return weekday.format(ms);
  return (new Date(ms).getFullYear() === new Date(now).getFullYear() ? dayOfYear : dayOfAnyYear).format(ms);
}

/** A moment beside an item: now, 4 min, 2 h, 14:05. The heading above it names the day. */
export function ago(ms, now) {
  const minutes = Math.floor((now - ms) / 60_000);
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes} min`;
  if (midnight(ms) === midnight(now) && minutes < 6 * 60) return `${Math.floor(minutes / 60)} h`;
  return clockTime.format(ms);
}

export const fullTime = (ms) => whole.format(ms);

/** A text in single quotes for a POSIX shell. */
export const shellQuote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
