import { composer } from "./compose.js";
import { el, icon, iconButton, link, safeHref, save, size } from "./dom.js";
import { Net, randomKey } from "./net.js";
import { dress } from "./style.js";
import { speaker } from "./text.js";
import { Thread } from "./thread.js";

// start makes the window and returns what the page may do with it.
export async function start(options) {
  const app = new App(options);
  await app.begin();
  return { open: () => app.open(), close: () => app.close(), toggle: () => (app.isOpen ? app.close() : app.open()), identify: (jwt) => app.identify(jwt), logout: () => app.logout() };
}

class App {
  constructor({ root, host, base, account, lang, chrome, identity, theme }) {
    Object.assign(this, { root, host, lang, chrome, identity, theme });
    this.t = speaker(lang);
    this.net = new Net(base, account, lang);
    this.isOpen = false;
    this.unread = new Set();
    host.lang = lang;
    dress(root);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const dim = () => {
      host.dataset.theme = theme === "dark" || theme === "light" ? theme : dark.matches ? "dark" : "light";
      this.accent();
    };
    dark.addEventListener("change", dim);
    dim();
    this.thread = new Thread({ t: this.t, lang, fetchFile: (id) => this.net.file(id), onChoice: (c, label) => this.say({ choice: c }, label), onRetry: (key) => this.retry(key) });
    this.thread.onRead = () => this.saw();
    this.build();
    this.hear();
  }

  // accent is the brand's colour where it stands on the window's ground: darker
  // or lighter until it can be read there.
  accent() {
    const dark = this.host.dataset.theme === "dark";
    const brand = getComputedStyle(this.host).getPropertyValue("--brand").trim();
    if (!/^#[0-9a-f]{6}$/i.test(brand)) return;
    const ground = this.chrome.luminance(dark ? "#24272d" : "#f4f5f7");
    const contrast = (hex) => {
      const [a, b] = [this.chrome.luminance(hex), ground].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05);
    };
    let rgb = [1, 3, 5].map((i) => parseInt(brand.slice(i, i + 2), 16));
    const hex = () => `#${rgb.map((v) => Math.round(v).toString(16).padStart(2, "0")).join("")}`;
    for (let n = 0; n < 40 && contrast(hex()) < 4.6; n++) rgb = rgb.map((v) => (dark ? v + (255 - v) * 0.08 : v * 0.92));
    this.host.style.setProperty("--accent", hex());
  }

  build() {
    const t = this.t;
    this.title = el("h2", {}, "");
    this.status = el("p", { role: "status" });
    this.menuButton = iconButton("menu", t("menu"), () => this.menu(), { "aria-haspopup": "true", "aria-expanded": "false" });
    const head = el("header", { class: "head" }, el("div", {}, this.title, this.status), this.menuButton, iconButton("close", t("close"), () => this.close()));
    this.body = el("div", { class: "body" });
    this.body.style.cssText = "flex:1;min-height:0;display:flex;flex-direction:column";
    this.window = el("section", { class: "window", role: "dialog", "aria-label": t("conversation"), hidden: true }, head, this.body);
    this.window.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" || e.isComposing) return;
      if (this.menuNode) this.menu(false);
      else this.close();
    });
    this.root.prepend(this.window);
    this.menuButton.hidden = true;
    this.notice = el("div", { class: "notice", role: "status", hidden: true });
    this.alert = el("p", { class: "alert", role: "alert", hidden: true });
    this.line = el("div", { class: "status", role: "status" });
    this.news = el("button", { type: "button", class: "news", hidden: true, onclick: () => (this.thread.toEnd(), this.saw()) });
    this.foot = el("div", { class: "foot" }, this.news, this.line, this.alert);
  }

  hear() {
    const on = (type, fn) => this.net.addEventListener(type, (e) => fn(e.detail));
    on("message", (m) => this.message(m));
    on("sent", (m) => this.thread.put(m));
    on("unsent", (u) => this.unsent(u));
    on("state", () => this.stands());
    on("available", (a) => this.available(a));
    on("typing", () => this.typing());
    on("link", (ok) => this.linked(ok));
    on("seen", () => this.count());
    on("rate", () => this.warn(this.t("tooMany")));
    on("session", (token) => this.session(token));
    window.addEventListener("pagehide", () => this.net.leaves());
    window.addEventListener("pageshow", (e) => e.persisted && this.net.renew());
    document.addEventListener("visibilitychange", () => this.saw());
  }

  // begin goes on with a session that there is; nothing is asked for before.
  async begin() {
    if (!this.net.token && !this.identity) return;
    await this.configure();
    if (await this.resume()) this.net.connect();
  }

  async configure() {
    if (this.config) return;
    this.config = await this.net.config();
    this.chrome.paint(this.config.color);
    this.accent();
    this.title.textContent = this.config.title;
    this.window.setAttribute("aria-label", this.config.title);
    this.available(this.config.available);
  }

  // resume takes an earlier session up and reports whether there is one.
  async resume() {
    if (!this.net.token && !this.identity) return false;
    try {
      await this.net.begin(null, this.identity);
    } catch (e) {
      if (e.code === "consent_required" || e.code === "members_only" || e.status === 401) return false;
      throw e;
    }
    await this.enter();
    return true;
  }

  // enter shows what was said so far and sends what was left unsent.
  async enter() {
    await this.net.history();
    for (const entry of this.net.outbox()) {
      this.thread.pending(entry);
      this.net.say(entry);
    }
    this.entered = true;
    this.count();
  }

  async open() {
    if (this.isOpen) return;
    this.isOpen = true;
    this.window.hidden = false;
    this.host.toggleAttribute("data-open", true);
    this.chrome.expanded(true);
    if (!this.config) this.body.replaceChildren(el("div", { class: "bones", "aria-hidden": "true" }, el("i"), el("i"), el("i")));
    try {
      await this.configure();
      this.net.connect();
      this.show();
    } catch {
      this.body.replaceChildren(this.page("talk", this.t("broken"), "", el("button", { type: "button", class: "do", onclick: () => ((this.isOpen = false), this.open()) }, this.t("retry"))));
    }
    this.focus();
  }

  close() {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.menu(false);
    this.window.hidden = true;
    this.host.toggleAttribute("data-open", false);
    this.chrome.expanded(false);
    this.chrome.focus();
    if (!this.net.token) this.net.disconnect(); // nobody to be told anything
  }

  focus() {
    const first = this.field && this.field.isConnected && this.shown === "chat" ? this.field : this.body.querySelector(".do") || this.body.querySelector("button,a");
    first?.focus({ preventScroll: true });
  }

  // show chooses what the window is about.
  show() {
    if (!this.isOpen || !this.config) return;
    const open = this.net.state?.open;
    this.menuButton.hidden = !this.entered;
    if (this.entered && (open || this.net.state?.conversation || this.thread.items.length)) return this.chat();
    if (this.absent && !this.absentClosed) return this.absence();
    if (this.config.members_only && !this.identity && !this.entered) return this.members();
    if (!this.entered) return this.welcome();
    this.chat();
  }

  swap(name, ...nodes) {
    if (this.shown === name) return;
    const inside = this.window.contains(this.root.activeElement);
    this.shown = name;
    this.body.replaceChildren(...nodes);
    if (this.isOpen && (inside || !this.root.activeElement)) this.focus();
  }

  page(shape, title, text, ...more) {
    return el("div", { class: "center" }, el("div", { class: "big" }, icon(shape)), el("h3", {}, title), text && el("p", {}, text), ...more);
  }

  formLink(cls) {
    const href = this.config.form_url && safeHref(this.config.form_url);
    return href ? link(href, { class: cls }, this.t("form")) : null;
  }

  absence() {
    const form = this.formLink("do");
    this.swap("absence", this.page("moon", this.t("absentTitle"), form ? this.t("absentText") : "", form, el("button", { type: "button", class: "do quiet", onclick: () => this.close() }, this.t("close"))));
  }

  members() {
    const href = this.config.login_url && safeHref(this.config.login_url);
    this.swap("members", this.page("lock", this.t("membersTitle"), this.t("membersText"), href && el("a", { class: "do", href }, this.t("login")), this.formLink("do quiet")));
  }

  welcome() {
    const c = this.config.consent;
    const go = el("button", { type: "button", class: "do", onclick: () => this.agree(go) }, c ? this.t("agree") : this.t("start"));
    if (!c) return this.swap("welcome", this.page("talk", this.config.title, this.config.intro, go));
    const more = c.url && safeHref(c.url);
    this.swap("welcome", this.page("shield", this.t("consentTitle"), "", el("div", { class: "text", tabindex: "0" }, c.text), more && link(more, { class: "link" }, this.t("consentMore")), go, this.alert));
  }

  async agree(button) {
    button.disabled = true;
    this.warn("");
    try {
      await this.net.begin(this.config.consent?.version, this.identity);
      this.thread.clear();
      await this.enter();
      this.net.renew();
      this.net.connect();
      this.show();
      this.focus();
    } catch (e) {
      button.disabled = false;
      if (e.code === "consent_required") {
        this.config = null; // the text has changed while it was read
        this.shown = null;
        await this.configure();
        this.show();
      } else this.warn(this.t(e.status === 429 ? "tooMany" : "broken"));
    }
  }

  chat() {
    if (this.shown !== "chat") {
      const c = composer({
        t: this.t,
        maxText: this.config.max_text,
        files: this.config.files.allowed,
        camera: matchMedia("(pointer: coarse)").matches,
        onText: (text) => this.say({ text }),
        onFiles: (list) => this.sendFiles(list),
        onWrite: () => this.net.writes(),
      });
      this.field = c.field;
      this.compose = c.row;
      this.after = el("div", { class: "after", hidden: true });
      this.foot.append(this.alert, this.compose);
      if (!this.introduced) this.thread.intro(this.config.intro);
      this.introduced = true;
      this.swap("chat", this.notice, this.thread.log, this.foot, this.after);
      this.dropping();
      this.thread.toEnd();
    }
    this.stands();
    this.saw();
  }

  dropping() {
    if (!this.config.files.allowed || this.drops) return;
    this.drops = true;
    const sign = el("div", { class: "drop", hidden: true, "aria-hidden": "true" }, this.t("drop"));
    this.window.append(sign);
    const over = (e) => {
      if (this.shown !== "chat" || ![...(e.dataTransfer?.types || [])].includes("Files")) return;
      e.preventDefault();
      sign.hidden = false;
    };
    this.window.addEventListener("dragover", over);
    this.window.addEventListener("dragleave", (e) => !this.window.contains(e.relatedTarget) && (sign.hidden = true));
    this.window.addEventListener("drop", (e) => {
      over(e);
      sign.hidden = true;
      this.sendFiles([...(e.dataTransfer?.files || [])]);
    });
  }

  // ---- saying something

  say(body, shown) {
    const entry = { key: randomKey(), at: new Date().toISOString(), ...body };
    this.warn("");
    this.thread.pending({ ...entry, text: body.text || shown || "" }, shown && body.file ? { name: shown } : undefined);
    this.thread.toEnd();
    return this.net.say(entry);
  }

  async sendFiles(list) {
    for (const f of list) {
      const max = this.config.files.max_bytes;
      if (f.size > max) {
        this.warn(this.t("tooLarge", { name: f.name, max: size(max, this.lang) }));
        continue;
      }
      this.busy(f.name);
      try {
        const up = await this.net.upload(f);
        await this.say({ file: up.file }, up.name);
      } catch (e) {
        this.warn(e.status === 422 ? this.t("noFiles") : e.status === 413 ? this.t("tooLarge", { name: f.name, max: size(max, this.lang) }) : this.t("fileRefused", { name: f.name }));
      }
      this.busy(null);
    }
  }

  busy(name) {
    this.uploading = name;
    this.say_();
  }

  unsent({ key, code, entry }) {
    this.kept = this.kept || new Map();
    this.kept.set(key, entry);
    this.thread.failed(key);
    if (code === "consent_required") {
      this.config = null;
      this.entered = false;
      this.shown = null;
      this.configure().then(() => this.show());
    }
  }

  retry(key) {
    const entry = this.kept?.get(key);
    if (!entry) return;
    this.thread.retrying(key);
    this.net.say(entry);
  }

  // ---- hearing something

  message(m) {
    const away = !this.thread.stick;
    this.thread.put(m);
    if (!m.mine) {
      clearTimeout(this.typed);
      this.typed = null;
      this.say_();
    }
    if (this.isOpen && away && !m.mine) this.newBelow();
    this.saw();
    this.count();
    if (this.isOpen && this.shown !== "chat" && this.entered) this.show();
  }

  newBelow() {
    const n = this.thread.below;
    this.news.hidden = n === 0;
    this.news.textContent = this.t("newMessages", { n });
  }

  // saw tells the desk what the customer has before the eyes.
  saw() {
    const p = this.net.place;
    if (!this.isOpen || this.shown !== "chat" || document.hidden || !p || !this.thread.stick) return;
    this.thread.below = 0;
    this.news.hidden = true;
    this.net.saw(p.conversation, p.seq);
    this.count();
  }

  // count is what the badge says: what the desk said after what was seen.
  count() {
    if (!this.entered) return;
    const seen = this.net.seen;
    const n = this.thread.items.filter(({ m }) => m.id && !m.mine && !m.unsent && (m.conversation !== seen.conversation || m.first > seen.seq)).length;
    this.chrome.unread(seen.conversation && this.net.place && seen.conversation !== this.net.place.conversation ? this.thread.items.filter(({ m }) => m.id && !m.mine && m.conversation === this.net.place.conversation).length : n);
  }

  typing() {
    clearTimeout(this.typed);
    this.typed = setTimeout(() => {
      this.typed = null;
      this.say_();
    }, 6000);
    this.say_();
  }

  // say_ is the line above the text field.
  say_() {
    const s = this.net.state;
    const parts = [];
    if (!this.net.connected && this.offline) parts.push(this.t("offline"));
    else if (this.uploading) parts.push(`${this.uploading} · ${this.t("sending")}`);
    else if (this.typed) parts.push(el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), this.t("typing", { name: s?.agent || this.t("somebody") }));
    else if (s?.open && s.waiting && !this.absent) parts.push(this.t("waiting"));
    this.line.replaceChildren(...parts);
  }

  linked(ok) {
    clearTimeout(this.cutSince);
    if (ok) this.offline = false;
    else
      this.cutSince = setTimeout(() => {
        this.offline = true;
        this.say_();
      }, 2500);
    this.say_();
  }

  get absent() {
    const a = this.net.available || this.config?.available;
    return Boolean(this.config?.live && a && !(a.open && a.agents));
  }

  available(a) {
    this.net.available = a;
    const here = a.open && a.agents;
    if (!this.absent) this.absentClosed = false;
    this.header(here);
    if (!this.isOpen) return;
    if (this.shown === "chat") this.stands();
    else {
      if (this.shown === "absence" && !this.absent) this.shown = null;
      this.show();
    }
  }

  header(here) {
    const s = this.net.state;
    const text = s?.open && s.agent ? this.t("with", { name: s.agent }) : here ? this.t("online") : this.t("away");
    this.status.replaceChildren(el("span", { class: `dot ${here ? "on" : ""}`, "aria-hidden": "true" }), text);
  }

  // stands shows how the conversation stands.
  stands() {
    const s = this.net.state;
    const a = this.net.available;
    if (a) this.header(a.open && a.agents);
    if (!s) return;
    this.thread.read(s.read);
    if (this.shown !== "chat") return;
    const over = Boolean(s.conversation && !s.open && this.thread.items.every((i) => i.m.id));
    this.compose.hidden = over;
    this.compose.style.display = over ? "none" : "";
    this.endMenu = s.open;
    this.say_();
    this.absentNotice(over);
    this.ending(over, s);
  }

  absentNotice(over) {
    const show = this.absent && !this.absentClosed && !over;
    this.notice.hidden = !show;
    if (!show) return;
    const form = this.formLink("link");
    this.notice.replaceChildren(el("p", {}, this.t("away"), ". ", form), iconButton("close", this.t("dismiss"), () => {
      this.absentClosed = true;
      this.notice.hidden = true;
    }));
  }

  ending(over, s) {
    const key = over ? `${s.conversation}/${s.rated}` : "";
    if (this.endShown === key) return;
    this.endShown = key;
    this.after.hidden = !over;
    this.after.replaceChildren();
    if (!over) return;
    const again = el("button", { type: "button", class: s.rated ? "do" : "do quiet", onclick: () => this.again() }, this.t("again"));
    if (s.rated) this.after.append(el("div", { role: "status" }, el("h3", {}, this.t("ended"))), el("p", { class: "line" }, this.t("rated")), again);
    else this.after.append(el("div", { role: "status" }, el("h3", {}, this.t("ended"))), ...this.rating(), again);
    this.thread.toEnd();
  }

  rating() {
    let score = 0;
    const stars = [];
    const comment = el("textarea", { maxlength: "1000", placeholder: this.t("comment"), "aria-label": this.t("comment"), hidden: true });
    const send = el("button", { type: "button", class: "do", hidden: true }, this.t("rateSend"));
    const pick = (n) => {
      score = n;
      stars.forEach((l, i) => (l.className = i < n ? "on" : ""));
      comment.hidden = send.hidden = false;
    };
    const set = el("fieldset", { class: "stars", "aria-label": this.t("rate") });
    const group = randomKey();
    for (let n = 1; n <= 5; n++) {
      const id = `${group}${n}`;
      const label = el("label", { for: id, title: this.t("rateStars", { n }) }, icon("star"));
      stars.push(label);
      set.append(el("input", { type: "radio", name: group, id, "aria-label": this.t("rateStars", { n }), onchange: () => pick(n) }), label);
    }
    const key = randomKey();
    send.addEventListener("click", async () => {
      send.disabled = true;
      try {
        await this.net.insist("POST", "/rating", { key, score, comment: comment.value.trim() });
      } catch (e) {
        if (e.status !== 409) {
          send.disabled = false;
          return this.warn(this.t("broken"));
        }
      }
      this.net.setState({ ...this.net.state, rated: true });
    });
    return [el("p", { class: "line" }, this.net.state.ask_rating || this.t("rate")), set, comment, send];
  }

  again() {
    if (this.absent) {
      this.shown = null;
      this.absentClosed = false;
      return this.absence();
    }
    this.endShown = "";
    this.after.hidden = true;
    this.compose.hidden = false;
    this.compose.style.display = "";
    this.focus();
  }

  // ---- the menu

  menu(open = !this.menuNode) {
    const old = this.menuNode;
    this.menuNode = null; // before it goes: it tells when it loses the focus
    old?.remove();
    this.menuButton.setAttribute("aria-expanded", String(open));
    if (!open) return;
    const item = (name, fn, cls) => el("button", { type: "button", role: "menuitem", class: cls, onclick: () => (this.menu(false), this.menuButton.focus(), fn()) }, this.t(name));
    this.menuNode = el("div", { class: "menu", role: "menu" }, item("transcript", () => this.transcript()), this.net.state?.open && item("end", () => this.askEnd(), "end"));
    this.menuNode.addEventListener("keydown", (e) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
      if (!step) return;
      e.preventDefault();
      const all = [...this.menuNode.children];
      all[(all.indexOf(this.root.activeElement) + step + all.length) % all.length].focus();
    });
    this.menuNode.addEventListener("focusout", (e) => {
      if (this.menuNode && e.relatedTarget && !this.menuNode.contains(e.relatedTarget) && e.relatedTarget !== this.menuButton) this.menu(false);
    });
    this.window.append(this.menuNode);
    this.menuNode.firstChild.focus();
  }

  askEnd() {
    const back = () => {
      this.endShown = "";
      this.after.hidden = true;
      this.focus();
    };
    const yes = el("button", { type: "button", class: "do", onclick: () => (back(), this.endChat()) }, this.t("endYes"));
    this.after.replaceChildren(el("h3", {}, this.t("endAsk")), el("div", { class: "row" }, el("button", { type: "button", class: "do quiet", onclick: back }, this.t("cancel")), yes));
    this.after.hidden = false;
    this.endShown = "ask";
    yes.focus();
  }

  async endChat() {
    const key = randomKey();
    try {
      await this.net.insist("POST", "/end", { key });
      this.net.setState({ ...this.net.state, open: false, ended_by: "customer" });
    } catch {
      this.warn(this.t("broken"));
    }
  }

  // transcript is made of what the window shows, in the customer's own time.
  transcript() {
    const stamp = new Intl.DateTimeFormat(this.lang, { dateStyle: "short", timeStyle: "short" });
    const lines = this.thread.items.filter(({ m }) => m.id).map(({ m }) => {
      const who = m.mine ? this.t("you") : m.author || this.t("somebody");
      const cards = (m.cards || []).map((c) => [c.title, c.text].filter(Boolean).join(": "));
      const said = m.unsent ? [this.t("unsent")] : [m.text, m.file && `[${m.file.name || m.kind}]`, ...cards, m.place && `[${m.place.title || m.place.address || ""}]`];
      return `[${stamp.format(new Date(m.at))}] ${who}: ${said.filter(Boolean).join(" ")}`;
    });
    const day = new Date().toISOString().slice(0, 10);
    save(new Blob(["\ufeff", [this.config.title, "", ...lines, ""].join("\r\n")], { type: "text/plain;charset=utf-8" }), `${this.config.title}-${day}.txt`.replace(/[\\/:*?"<>|]/g, "_"));
  }

  // ---- who it is

  async identify(jwt) {
    this.identity = jwt;
    await this.configure();
    const was = this.net.token;
    if (!(await this.resume())) return false;
    if (was !== this.net.token) {
      this.net.renew();
      this.shown = null;
    }
    this.net.connect();
    this.show();
    return true;
  }

  logout() {
    this.identity = null;
    this.net.forget();
  }

  // session: this or another tab has begun or lost one.
  async session(token) {
    this.thread.clear();
    this.introduced = false;
    this.entered = false;
    this.shown = null;
    this.chrome.unread(0);
    if (token) await this.enter().catch(() => {});
    this.show();
  }

  warn(text) {
    this.alert.textContent = text;
    this.alert.hidden = !text;
  }
}
