// How the widget speaks with the server: PROTOCOL.md, and what a browser adds to
// it: one stream for all tabs, and words that survive a reload until they are
// sent.

export const randomKey = () => {
  const b = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...b)).replace(/[+/=]/g, (c) => ({ "+": "-", "/": "_" })[c] || "");
};

const wait = (ms, signal) =>
  new Promise((done) => {
    const t = setTimeout(done, ms);
    signal?.addEventListener("abort", () => (clearTimeout(t), done()), { once: true });
  });

// Refused is an answer that is no success. What may be repeated says so.
export class Refused extends Error {
  constructor(status, code, after) {
    super(code);
    Object.assign(this, { status, code, after });
  }
  get again() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

// store keeps text in the browser, or in the page where that is switched off.
const memory = new Map();
const store = {
  get(k) {
    try {
      return JSON.parse(localStorage.getItem(k));
    } catch {
      return memory.get(k) ?? null;
    }
  },
  set(k, v) {
    try {
      if (v === null) localStorage.removeItem(k);
      else localStorage.setItem(k, JSON.stringify(v));
    } catch {
      memory.set(k, v);
    }
  },
};

const deadAfter = 45_000;

export class Net extends EventTarget {
  constructor(base, account, lang) {
    super();
    this.lang = encodeURIComponent(lang);
    this.url = `${base}v1/${encodeURIComponent(account)}`;
    this.name = `sangdam:${account}`;
    this.page = randomKey();
    this.token = store.get(this.name)?.token || null;
    this.place = null; // {conversation, seq} of the last message known
    this.state = null;
    this.available = null;
    this.connected = true;
    this.leading = false;
    this.gone = false;
    this.tabs = "BroadcastChannel" in window ? new BroadcastChannel(this.name) : null;
    this.tabs?.addEventListener("message", (e) => this.fromTab(e.data));
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  // ---- requests

  async ask(method, path, body, more = {}) {
    const headers = { ...more.headers };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (method === "POST" && !more.raw) headers["Content-Type"] = "application/json";
    let r;
    try {
      r = await fetch(this.url + path, {
        method,
        headers,
        body: body === undefined ? undefined : more.raw ? body : JSON.stringify(body),
        keepalive: more.keepalive,
        signal: more.signal,
        credentials: "omit",
        cache: "no-store",
        referrerPolicy: "no-referrer",
      });
    } catch {
      throw new Refused(0, "network");
    }
    if (r.ok) return more.stream ? r : r.status === 204 ? null : more.blob ? r.blob() : r.json();
    const said = await r.json().catch(() => ({}));
    if (r.status === 401 && this.token) this.forget();
    throw new Refused(r.status, said.error || "internal", Number(r.headers.get("Retry-After")) || 0);
  }

  // insist repeats until there is an answer: keys make that harmless.
  async insist(method, path, body, more) {
    for (let n = 0; ; n++) {
      try {
        return await this.ask(method, path, body, more);
      } catch (e) {
        if (!(e instanceof Refused) || !e.again || n >= 9) throw e;
        if (e.status === 429) this.tell("rate");
        const pause = Math.max(e.after * 1000, Math.min(30_000, 500 * 2 ** n)) * (0.75 + Math.random() / 2);
        await Promise.race([wait(pause), new Promise((ok) => window.addEventListener("online", ok, { once: true }))]);
      }
    }
  }

  config() {
    return this.ask("GET", `?lang=${this.lang}`);
  }

  async begin(consent, identity) {
    const body = {};
    if (consent) body.consent = consent;
    if (identity) body.identity = identity;
    const s = await this.insist("POST", `/session?lang=${this.lang}`, body);
    const same = this.token === s.token;
    this.token = s.token;
    store.set(this.name, { token: s.token });
    this.setState(s.state);
    if (!same) this.share({ type: "session", token: s.token });
    return s;
  }

  // forget is the end of a session: its token is worth nothing, or the customer
  // logged out and the next person at this browser is another.
  forget(tellOthers = true) {
    this.token = null;
    this.place = null;
    this.state = null;
    store.set(this.name, null);
    store.set(`${this.name}:outbox`, null);
    store.set(`${this.name}:seen`, null);
    this.cut?.abort();
    if (tellOthers) this.share({ type: "session", token: null });
    this.tell("session", null);
  }

  // ---- what was said

  async history() {
    for (let more = true; more; ) {
      const at = this.place ? `?conversation=${encodeURIComponent(this.place.conversation)}&after=${this.place.seq}` : "";
      const page = await this.insist("GET", `/messages${at}`);
      page.messages.forEach((m) => this.took(m));
      more = page.more;
    }
  }

  // took keeps the place and passes the message on; what was taken before is not
  // passed on again.
  took(m) {
    const p = this.place;
    if (p && p.conversation === m.conversation && m.seq <= p.seq) return;
    this.place = { conversation: m.conversation, seq: m.seq };
    this.tell("message", m);
  }

  outbox() {
    return store.get(`${this.name}:outbox`) || [];
  }

  // say keeps the words until the server has them.
  say(entry) {
    store.set(`${this.name}:outbox`, [...this.outbox().filter((e) => e.key !== entry.key), entry]);
    this.queue = (this.queue || Promise.resolve()).then(() => this.sendOne(entry));
    return this.queue;
  }

  async sendOne(entry) {
    const { at, ...body } = entry;
    body.entry = location.origin + location.pathname;
    try {
      const m = await this.insist("POST", `/messages?lang=${this.lang}`, body);
      this.drop(entry.key);
      this.tell("sent", m);
      this.share({ type: "sent", message: m });
    } catch (e) {
      if (e instanceof Refused && !e.again) this.drop(entry.key);
      this.tell("unsent", { key: entry.key, code: e.code, again: e.again !== false, entry });
    }
  }

  drop(key) {
    const left = this.outbox().filter((e) => e.key !== key);
    store.set(`${this.name}:outbox`, left.length ? left : null);
  }

  upload(f) {
    return this.insist("POST", "/files", f, { raw: true, headers: { "X-File-Name": encodeURIComponent(f.name || "file"), "Content-Type": "application/octet-stream" } });
  }

  file(id) {
    return this.insist("GET", `/files/${encodeURIComponent(id)}`, undefined, { blob: true });
  }

  get seen() {
    return store.get(`${this.name}:seen`) || { conversation: "", seq: 0 };
  }

  saw(conversation, seq) {
    const was = this.seen;
    if (was.conversation === conversation && was.seq >= seq) return;
    store.set(`${this.name}:seen`, { conversation, seq });
    this.share({ type: "seen" });
    this.ask("POST", "/read", { conversation, seq }).catch(() => {}); // the next one says it as well
  }

  writes() {
    const now = Date.now();
    if (now - (this.wrote || 0) < 3000 || !this.state?.open) return;
    this.wrote = now;
    this.ask("POST", "/typing", {}).catch(() => {}); // worth nothing a moment later
  }

  leaves() {
    if (this.token && this.leading) this.ask("POST", "/leave", { page: this.page }, { keepalive: true }).catch(() => {}); // the page goes
  }

  // ---- the stream

  // connect follows the events: the tab that holds the lock does, the others hear
  // from it.
  connect() {
    if (this.connecting) return;
    this.connecting = true;
    const lead = async () => {
      this.leading = true;
      await this.follow();
      this.leading = false;
    };
    this.stop = new AbortController();
    const done = () => {
      this.connecting = false;
      this.leading = false;
    };
    if (navigator.locks) navigator.locks.request(this.name, { signal: this.stop.signal }, lead).then(done, done);
    else lead().then(done, done);
    this.share({ type: "hello" });
  }

  disconnect() {
    this.stop?.abort();
    this.gone = true;
    this.renew();
  }

  async follow() {
    this.gone = false;
    for (let n = 0; !this.gone; ) {
      this.cut = new AbortController();
      const was = this.token;
      try {
        await this.read(() => (n = 0));
      } catch (e) {
        if (e instanceof Refused && !e.again && e.status !== 401) break; // refused for good
      }
      if (this.gone) break;
      if (this.token === was) {
        n++;
        this.link(n < 2); // a server that ends a stream in order is back at once
        await Promise.race([wait(Math.min(15_000, 400 * 2 ** n) * (0.5 + Math.random())), this.woken()]);
      }
    }
  }

  woken() {
    return new Promise((ok) => {
      window.addEventListener("online", ok, { once: true });
      this.cut.signal.addEventListener("abort", ok, { once: true });
      this.wake = ok;
    });
  }

  // renew takes the stream up under another token.
  renew() {
    this.cut?.abort();
    this.wake?.();
  }

  link(ok) {
    if (ok === this.connected) return;
    this.connected = ok;
    this.tell("link", ok);
    if (this.leading) this.share({ type: "link", ok });
  }

  async read(alive) {
    const at = this.token && this.place ? `&conversation=${encodeURIComponent(this.place.conversation)}&after=${this.place.seq}` : "";
    const cut = this.cut;
    let heard = Date.now();
    const watch = setInterval(() => Date.now() - heard > deadAfter && cut.abort(), 5000);
    try {
      const r = await this.ask("GET", `/events?page=${this.page}${at}`, undefined, { stream: true, signal: cut.signal, headers: { Accept: "text/event-stream" } });
      this.link(true);
      const text = r.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ; ) {
        const { value, done } = await text.read();
        if (done) return;
        heard = Date.now();
        alive();
        const parts = (rest + value).split("\n\n");
        rest = parts.pop();
        parts.forEach((p) => this.event(p));
      }
    } finally {
      clearInterval(watch);
      cut.abort();
    }
  }

  event(block) {
    let name = "";
    let data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("event: ")) name = line.slice(7);
      if (line.startsWith("data: ")) data += line.slice(6);
    }
    if (!name) return;
    const e = { type: name, data: JSON.parse(data) };
    this.heard(e);
    this.share(e);
  }

  heard({ type, data }) {
    if (type === "message") this.took(data);
    else if (type === "state") this.setState(data);
    else if (type === "available") this.tell("available", (this.available = data));
    else if (type === "typing") this.tell("typing");
  }

  setState(s) {
    this.state = s;
    this.tell("state", s);
  }

  // ---- other tabs

  share(e) {
    this.tabs?.postMessage(e);
  }

  fromTab(e) {
    if (e.type === "hello") {
      if (!this.leading) return;
      if (this.state) this.share({ type: "state", data: this.state });
      if (this.available) this.share({ type: "available", data: this.available });
      this.share({ type: "link", ok: this.connected });
    } else if (e.type === "session") {
      if (e.token === this.token) return;
      if (!e.token) return this.forget(false);
      this.token = e.token;
      this.place = null;
      this.renew();
      this.tell("session", e.token);
    } else if (e.type === "sent") this.tell("sent", e.message);
    else if (e.type === "seen") this.tell("seen");
    else if (e.type === "link") {
      if (!this.leading) this.link(e.ok);
    } else this.heard(e);
  }
}
