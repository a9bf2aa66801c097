import { el, icon, link, linked, safeHref, save, size } from "./dom.js";

// Thread shows the messages. It is told of messages in any order and as often as
// one likes; each stands once, where it came first.
export class Thread {
  constructor({ t, lang, fetchFile, onChoice, onRetry }) {
    Object.assign(this, { t, lang, fetchFile, onChoice, onRetry });
    this.log = el("div", { class: "log", role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": t("conversation"), tabindex: "0" });
    this.byID = new Map();
    this.byKey = new Map();
    this.items = []; // in order: {m, node, seq}
    this.below = 0;
    this.time = new Intl.DateTimeFormat(lang, { hour: "numeric", minute: "2-digit" });
    this.date = new Intl.DateTimeFormat(lang, { dateStyle: "medium" });
    this.stick = true; // the end stays in view while the customer is there
    this.log.addEventListener("scroll", () => {
      this.stick = this.atEnd;
      if (this.stick) this.onRead?.();
    });
    const keep = () => this.stick && this.toEnd();
    new ResizeObserver(keep).observe(this.log);
    new MutationObserver(keep).observe(this.log, { childList: true, subtree: true });
  }

  get atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.log;
    return scrollHeight - scrollTop - clientHeight < 48;
  }

  toEnd() {
    this.stick = true;
    this.log.scrollTop = this.log.scrollHeight;
    this.below = 0;
  }

  clear() {
    this.log.replaceChildren();
    this.byID.clear();
    this.byKey.clear();
    this.items = [];
    this.below = 0;
  }

  intro(text) {
    if (text) this.log.prepend(el("p", { class: "intro" }, text));
  }

  // pending shows words that the server does not have yet.
  pending(entry, file) {
    if (this.byKey.has(entry.key)) return;
    this.place({ key: entry.key, mine: true, at: entry.at, text: entry.text || "", kind: "text", file, waiting: true });
  }

  failed(key, why) {
    const item = this.byKey.get(key);
    if (!item || item.m.id) return;
    item.m.bad = why || this.t("failed");
    this.draw(item);
  }

  retrying(key) {
    const item = this.byKey.get(key);
    if (!item) return;
    item.m.bad = null;
    this.draw(item);
  }

  // put shows a message of the server's.
  put(m) {
    const item = this.byID.get(m.id) || (m.key && this.byKey.get(m.key));
    if (!item) return this.place(m);
    const moves = !item.m.id;
    if (item.m.id && item.m.conversation === m.conversation && item.m.seq > m.seq) return item;
    item.m = { ...m, first: item.m.id ? item.m.first : m.seq };
    this.byID.set(m.id, item);
    if (moves) this.settle(item);
    this.draw(item);
    return item;
  }

  place(m) {
    const stay = !this.stick && !m.mine;
    const item = { m: { ...m, first: m.seq }, node: el("div") };
    if (m.id) this.byID.set(m.id, item);
    if (m.key) this.byKey.set(m.key, item);
    this.items.push(item);
    this.log.append(item.node);
    if (m.id) this.settle(item);
    this.draw(item);
    if (stay) this.below++;
    else this.toEnd();
    return item;
  }

  // settle puts a message of the server's before those that are still on their
  // way, and before what has a later number.
  settle(item) {
    const after = (o) => o !== item && (!o.m.id || (o.m.conversation === item.m.conversation && o.m.first > item.m.first));
    this.items.splice(this.items.indexOf(item), 1);
    let at = this.items.length;
    while (at > 0 && after(this.items[at - 1])) at--;
    this.items.splice(at, 0, item);
    const next = this.items[at + 1];
    this.log.insertBefore(item.node, next ? next.node : null);
    if (next) this.draw(next);
  }

  // marks redraws what stands under one's own last words.
  read(seq) {
    this.readTo = seq;
    this.items.forEach((i) => i.m.mine && this.meta(i));
  }

  dayOf(at) {
    const d = new Date(at);
    const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(d).setHours(0, 0, 0, 0)) / 86_400_000);
    return days === 0 ? this.t("today") : days === 1 ? this.t("yesterday") : this.date.format(d);
  }

  draw(item) {
    const { m, node } = item;
    const before = this.items[this.items.indexOf(item) - 1]?.m;
    const day = this.dayOf(m.at);
    const newDay = !before || this.dayOf(before.at) !== day;
    const first = newDay || before.mine !== m.mine || (before.author || "") !== (m.author || "") || Date.parse(m.at) - Date.parse(before.at) > 300_000;
    item.metaNode = el("div", { class: "meta" });
    const body = el("div", { class: `m ${m.mine ? "mine" : ""} ${first ? "first" : ""} ${m.id ? "" : m.bad ? "failed" : "pending"}` });
    body.append(el("span", { class: "who" }, m.mine ? this.t("you") : m.author || this.t("somebody")), ...this.content(m), item.metaNode);
    node.replaceChildren(...(newDay ? [el("div", { class: "day", role: "separator" }, day)] : []), body);
    node.className = "item";
    node.style.display = "contents";
    item.first = first;
    this.meta(item);
    const previous = this.items[this.items.indexOf(item) - 1];
    if (previous) this.meta(previous);
  }

  meta(item) {
    const { m, metaNode } = item;
    if (!metaNode) return; // it is drawn in a moment
    const next = this.items[this.items.indexOf(item) + 1]?.m;
    const parts = [];
    if (m.bad) {
      parts.push(el("span", { class: "bad" }, m.bad), el("button", { type: "button", onclick: () => this.onRetry(m.key) }, this.t("retry")));
    } else if (!m.id) parts.push(this.t("sending"));
    else {
      const isLast = !next || next.mine !== m.mine || Date.parse(next.at) - Date.parse(m.at) > 60_000;
      const lastRead = m.mine && m.seq <= (this.readTo || 0) && !this.items.slice(this.items.indexOf(item) + 1).some((o) => o.m.mine && o.m.id && o.m.seq <= this.readTo);
      if (isLast) parts.push(el("time", { datetime: m.at }, this.time.format(new Date(m.at))));
      if (lastRead) parts.push(el("span", {}, this.t("read")));
    }
    metaNode.replaceChildren(...parts);
    metaNode.className = `meta ${parts.length ? "" : "off"}`;
  }

  content(m) {
    if (m.unsent) return [el("div", { class: "bubble gone" }, this.t("unsent"))];
    const out = [];
    if (m.file) out.push(...this.file(m));
    if (m.text && m.kind !== "card") out.push(el("div", { class: "bubble" }, linked(m.text)));
    if (m.place) out.push(el("div", { class: "bubble" }, [m.place.title, m.place.address].filter(Boolean).join("\n") || `${m.place.latitude}, ${m.place.longitude}`));
    (m.cards || []).forEach((c, n) => out.push(el("div", { class: "card" }, c.title && el("b", {}, c.title), c.text && el("p", {}, c.text), this.choices(m, c.choices, n))));
    if (!out.length) out.push(el("div", { class: "bubble" }, m.text || "…"));
    const under = this.choices(m, m.choices);
    return under ? [...out, under] : out;
  }

  choices(m, list, card) {
    if (!list?.length || m.mine) return null;
    const one = (c, index) => {
      const href = c.uri && safeHref(c.uri);
      if (c.uri) return href ? link(href, { class: "choice" }, c.label) : null;
      const press = () => {
        this.onChoice(card === undefined ? { message: m.id, index } : { message: m.id, card, index }, c.label);
        row.querySelectorAll("button").forEach((b) => (b.disabled = true));
      };
      return el("button", { type: "button", class: "choice", onclick: press }, c.label);
    };
    const row = el("div", { class: "choices" }, ...list.map(one));
    return row;
  }

  file(m) {
    const f = m.file;
    const name = f.name || "file";
    if (f.refused) return [el("div", { class: "bubble gone" }, this.t("noFiles"))];
    if (f.link) return [el("div", { class: "bubble" }, linked(f.link))];
    const get = async () => save(await this.fetchFile(m.id), name);
    if (m.kind === "image" && m.id) return [this.picture(m, name, get)];
    const label = el("span", {}, el("b", {}, name), el("small", {}, f.size ? size(f.size, this.lang) : ""));
    return [el("div", { class: "bubble" }, el("button", { type: "button", class: "file", disabled: !m.id, "aria-label": this.t("download", { name }), onclick: () => get().catch(() => {}) }, icon("file"), label))];
  }

  // picture draws the file on a canvas: an image of a blob would need leave of the
  // page's content security policy.
  picture(m, name, get) {
    const box = el("button", { type: "button", class: "picture", "aria-label": this.t("picture", { name }), onclick: () => get().catch(() => {}) });
    const show = async () => {
      const all = await createImageBitmap(await this.fetchFile(m.id));
      const scale = Math.min(1, 440 / all.width, 320 / all.height);
      const canvas = el("canvas", { width: String(Math.max(1, Math.round(all.width * scale))), height: String(Math.max(1, Math.round(all.height * scale))) });
      canvas.getContext("2d").drawImage(all, 0, 0, canvas.width, canvas.height);
      all.close();
      box.replaceChildren(canvas);
    };
    show().catch(() => box.replaceChildren(icon("file"), name));
    return box;
  }
}
