// The harness of the end-to-end tests: the real binary on spare loopback ports with a data directory of its own, real
// clients, a real browser. Tests import from here and from nowhere else.
//
// 1. Every server, client and browser that a test makes ends with the test: pass its `t`.
// 2. Nothing sleeps: a test waits for a line, a frame, or a condition, and each wait has a limit that names what was
//    awaited and shows what came instead.
// 3. Runs under Node 18 and later.

import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const BINARY = process.env.TOCSIN_BINARY ?? path.join(ROOT, 'build/release/tocsin');
export const WAIT_MS = Number(process.env.TOCSIN_E2E_WAIT_MS ?? 20_000);

// Fixed, so that a test can mint tokens and restart the server: they open nothing but a server under test.
export const API_KEY = 'e2e-key-4f1c7a';
export const PUBLISH_ONLY_KEY = 'e2e-publish-9b22d1';
export const JWT_SECRET = 'an-end-to-end-secret-of-more-than-32-bytes';

// Rejects after WAIT_MS with `what()`, unless `promise` settles before.
export function within(promise, what, ms = WAIT_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${typeof what === 'function' ? what() : what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Resolves with the first truthy value of `probe()`, asked every 20 ms.
export async function until(probe, what, ms = WAIT_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms} ms until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function sparePort() {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const base64url = (value) => Buffer.from(value).toString('base64url');

// An HS256 token. `claims` override the usual ones (sub, exp in an hour).
export function token(user, claims = {}, { secret = JWT_SECRET, header = { alg: 'HS256', typ: 'JWT' } } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const body = { sub: user, iat: now, exp: now + 3600, ...claims };
  const signed = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(body))}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

// ---- the server ------------------------------------------------------------------------------------------------------

export class Server {
  // `settings`: as in the configuration, {allowed_origins: '...'}; undefined: the default. `wrap`: a command to run the
  // binary under; it has to become the binary (exec).
  static async start(t, { settings = {}, wrap = [], dataDir } = {}) {
    const server = new Server();
    server.wrap = wrap;
    server.ownsData = !dataDir;
    server.dataDir = dataDir ?? mkdtempSync(path.join(tmpdir(), 'tocsin-e2e-'));
    server.port = await sparePort();
    server.settings = {
      listen: `127.0.0.1:${server.port}`,
      redis_listen: '',
      data_dir: server.dataDir,
      api_keys: `all:${API_KEY},publisher:${PUBLISH_ONLY_KEY}:publish`,
      jwt_hs256_secret: JWT_SECRET,
      ...settings,
    };
    t.after(() => server.discard());
    await server.launch();
    return server;
  }

  get url() { return `http://127.0.0.1:${this.port}`; }
  get pid() { return this.child.pid; }
  // Resident memory now, in MiB.
  get rss() { return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]) / 1024; }
  get running() { return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null; }

  // Starts it on the same ports and data; resolves when it has said `ready`.
  async launch() {
    const env = { ...process.env };
    for (const name of Object.keys(env)) if (name.startsWith('TOCSIN_')) delete env[name];
    for (const [name, value] of Object.entries(this.settings)) {
      if (value !== undefined) env[`TOCSIN_${name.toUpperCase()}`] = String(value);
    }
    const [command, ...args] = [...this.wrap, BINARY, 'serve'];
    this.stdout = '';
    this.stderr = '';
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    this.exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    child.stderr.on('data', (chunk) => { this.stderr += chunk; });
    const ready = new Promise((resolve, reject) => {
      child.stdout.on('data', (chunk) => {
        this.stdout += chunk;
        const line = /^ready .*$/m.exec(this.stdout);
        if (line) resolve(line[0]);
      });
      child.once('error', reject);
      this.exited.then(({ code, signal }) => reject(new Error(
        `the server ended (code ${code}, signal ${signal}) before it was ready\n${this.stderr.slice(-2000)}`)));
    });
    ready.catch(() => {});
    this.ready = await within(ready, () => `the ready line; stderr so far:\n${this.stderr.slice(-2000)}`);
    return this;
  }

  // As an operator ends it; resolves with {code, signal}.
  stop() {
    this.child.kill('SIGTERM');
    return within(this.exited, () => `the server to drain\n${this.stderr.slice(-2000)}`, 40_000);
  }

  // As a crash ends it.
  kill() {
    this.child.kill('SIGKILL');
    return within(this.exited, 'the killed server to end');
  }

  async restart() {
    await this.kill();
    return this.launch();
  }

  // A sanitizer build is ended by SIGTERM, so that it can report what it found; a report fails the test.
  async discard() {
    const sanitized = process.env.TOCSIN_E2E_SANITIZED === '1';
    if (this.running) await (sanitized ? this.stop() : this.kill());
    const report = /(WARNING: ThreadSanitizer|ERROR: \w+Sanitizer|runtime error:)[^]*/.exec(this.stderr);
    if (this.ownsData) rmSync(this.dataDir, { recursive: true, force: true });
    if (report) throw new Error(report[0].slice(0, 4000));
  }

  // One HTTP request; resolves with {status, headers, text, json}.
  async request(method, target, { body, headers = {}, key, user } = {}) {
    const sent = { ...headers };
    if (key) sent['x-api-key'] = key;
    if (user) sent.authorization = `Bearer ${token(user)}`;
    if (body !== undefined && !sent['content-type']) sent['content-type'] = 'application/json';
    const payload = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const response = await within(fetch(this.url + target, { method, headers: sent, body: payload }),
      `the answer to ${method} ${target}`);
    const text = await response.text();
    let json;
    try { json = JSON.parse(text); } catch { /* not JSON: `json` stays undefined */ }
    return { status: response.status, headers: response.headers, text, json };
  }

  // Publishes one, or an array; resolves with the nids in request order, throws unless 202.
  async publish(body, { key = API_KEY, headers } = {}) {
    const answer = await this.request('POST', '/v1/notifications', { body, key, headers });
    if (answer.status !== 202) throw new Error(`publish: ${answer.status} ${answer.text}`);
    return answer.json.items.map((item) => item.nid);
  }
}

// Runs the binary with `args` to its end; resolves with {code, stdout, stderr}. `variables`: its TOCSIN_* variables.
export async function command(args, { variables = {}, input = '', cwd } = {}) {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (name.startsWith('TOCSIN_')) delete env[name];
  const child = spawn(BINARY, args, { env: { ...env, ...variables }, cwd });
  let stdout = '', stderr = '';
  child.stdout.on('data', (chunk) => { stdout += chunk; });
  child.stderr.on('data', (chunk) => { stderr += chunk; });
  child.stdin.on('error', () => {});  // a command that does not read its input may end before it came
  child.stdin.end(input);
  const [code] = await within(once(child, 'close'), () => `\`tocsin ${args.join(' ')}\` to end: ${stdout}${stderr}`);
  return { code, stdout, stderr };
}

// ---- the WebSocket client --------------------------------------------------------------------------------------------

// A device as the protocol wants it: applies a frame only where `prev` is its cursor. Keeps all frames.
export class Device {
  // Connects, says hello, waits for welcome. `hello` is merged into the frame; `hello: null` says nothing.
  static async connect(t, server, user, hello = {}, { headers = {}, protocols = ['tocsin.v1'] } = {}) {
    const device = new Device();
    device.frames = [];
    device.items = [];
    device.waiters = new Set();
    device.socket = new WebSocket(`ws://127.0.0.1:${server.port}/v1/ws`, protocols, { headers });
    t.after(() => device.socket.terminate());
    device.closed = new Promise((resolve) => {
      device.socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    device.socket.on('error', (error) => { device.error = error; });
    device.socket.on('message', (message) => {
      for (const line of message.toString().split('\n')) if (line.trim() !== '') device.#take(JSON.parse(line));
    });
    device.closed.then(() => device.#wake());
    await within(once(device.socket, 'open'), 'the WebSocket to open');
    if (hello !== null) {
      device.send({ t: 'hello', tok: token(user), ...hello });
      device.welcome = await device.frame('welcome');
    }
    return device;
  }

  send(...frames) { this.socket.send(frames.map((frame) => JSON.stringify(frame)).join('\n')); }

  #take(frame) {
    this.frames.push(frame);
    if (frame.t === 'welcome') {
      this.epoch = frame.epoch;
      this.cur = frame.cur;
    } else if ((frame.t === 'n' || frame.t === 'st') && frame.prev !== null && frame.ch === undefined) {
      if (frame.prev !== this.cur) this.broken ??= `prev ${frame.prev} where the cursor is ${this.cur}`;
      this.cur = frame.cur;
      if (frame.t === 'n') this.items.push(...frame.items);
    } else if (frame.t === 'ping') {
      this.send({ t: 'pong', ts: frame.ts });
    }
    this.#wake();
  }

  #wake() { for (const waiter of this.waiters) waiter(); }

  // Resolves with the first truthy value of `probe()`, asked now and after every frame; rejects when the socket closes.
  wait(probe, what) {
    let waiter;
    const done = new Promise((resolve, reject) => {
      waiter = () => {
        if (this.broken) return reject(new Error(this.broken));
        const value = probe();
        if (value) return resolve(value);
        if (this.socket.readyState === WebSocket.CLOSED) reject(new Error(`closed while waiting for ${what}`));
      };
      this.waiters.add(waiter);
      waiter();
    });
    return within(done, () => `${typeof what === 'function' ? what() : what}; the last frames: ${JSON.stringify(this.frames.slice(-3)).slice(-1500)}`)
      .finally(() => this.waiters.delete(waiter));
  }

  // The first frame of that type that has not been taken yet (and meets `match`), now or later.
  async frame(type, match = () => true) {
    const found = await this.wait(() => this.frames.find((f) => f.t === type && !f.taken && match(f)), `frame ${type}`);
    found.taken = true;
    return found;
  }

  // Resolves with all items so far, once there are `count`.
  async received(count) {
    await this.wait(() => this.items.length >= count, () => `${count} items (${this.items.length} came)`);
    return this.items;
  }

  ack(cur = this.cur) { this.send({ t: 'ack', cur }); }

  // Sends a frame with an `i` of its own; resolves with the `ok` or `err` that answers it.
  ask(frame) {
    const i = (this.lastI = (this.lastI ?? 0) + 1);
    this.send({ i, ...frame });
    return this.wait(() => this.frames.find((f) => (f.t === 'ok' || f.t === 'err') && f.i === i), `the answer to ${frame.t}`);
  }

  // Acks whatever comes until `count` items are here; resolves with them.
  async drain(count) {
    while (this.items.length < count) {
      const before = this.items.length;
      this.ack();
      await this.wait(() => this.items.length > before, `item ${before + 1} of ${count}`);
    }
    this.ack();
    return this.items;
  }

  async close() {
    this.socket.close(1000);
    return within(this.closed, 'the WebSocket to close');
  }
}

// ---- the browser -----------------------------------------------------------------------------------------------------

const CHROMIUM = [process.env.TOCSIN_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  .find((file) => file && existsSync(file));

// A headless Chromium that ends with the test. No sandbox: CI runs as root, on pages of our own.
export async function browser(t) {
  if (!CHROMIUM) throw new Error('there is no chromium: ./dev test installs it, or set TOCSIN_CHROMIUM');
  const { chromium } = await import('playwright-core');
  const instance = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
  t.after(() => instance.close());
  return instance;
}

// A page that fails the test on an uncaught error, and keeps its console and the addresses it asked for.
export async function page(t, context, address) {
  const tab = await context.newPage();
  tab.consoleLines = [];
  tab.errors = [];
  tab.asked = [];
  tab.on('console', (message) => tab.consoleLines.push(message.text()));
  tab.on('pageerror', (error) => tab.errors.push(String(error)));
  tab.on('request', (request) => tab.asked.push(request.url()));
  tab.setDefaultTimeout(WAIT_MS);
  if (address) await tab.goto(address);
  return tab;
}
