// Who is this tab? The link that the server prints carries the answer in its fragment, which browsers send to nobody:
// #user=demo&token=...&key=...&dev=... It is moved to the tab's sessionStorage and leaves the address bar at once.

const KEY = 'tocsin.credentials';

/** {user, token, key, dev} of this tab; `token` is missing when there is none. */
export function load() {
  const fromLink = parseFragment(location.hash);
  if (fromLink) {
    save(fromLink);
    history.replaceState(null, '', location.pathname + location.search);
    return fromLink;
  }
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

export function save(credentials) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(credentials));
  } catch {
    /* storage is blocked: until the next reload */
  }
}

export function forget() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    /* nothing was kept */
  }
}

/** The credentials in a fragment, or null when it holds none. */
export function parseFragment(hash) {
  const fields = new URLSearchParams(hash.replace(/^#/, ''));
  const token = fields.get('token');
  if (!token) return null;
  return {
    user: fields.get('user') ?? userOf(token) ?? '',
    token,
    key: fields.get('key') ?? '',
    dev: fields.get('dev') ?? undefined,
  };
}

/** What somebody pasted: a printed link, or a bare token. Null when it is neither. */
export function parsePasted(text) {
  const trimmed = text.trim();
  const hash = trimmed.indexOf('#');
  if (hash >= 0) return parseFragment(trimmed.slice(hash));
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(trimmed)) return null;
  return { user: userOf(trimmed) ?? '', token: trimmed, key: '', dev: undefined };
}

/** The user a token names, unchecked: for the eye until the server's welcome says it. */
export function userOf(token) {
  try {
    const base64 = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))));
    return typeof claims.sub === 'string' ? claims.sub : null;
  } catch {
    return null;
  }
}

/** A link that opens the same inbox, as device `dev` when given. */
export function linkFor({ user, token, key, dev }) {
  const fields = new URLSearchParams({ user, token, ...(key && { key }), ...(dev && { dev }) });
  return `${location.origin}${location.pathname}#${fields}`;
}
