"use strict";

const el = (id) => document.getElementById(id);

// make builds an element; children are nodes or words.
function make(tag, kind, ...children) {
  const e = document.createElement(tag);
  if (kind) e.className = kind;
  e.append(...children);
  return e;
}

// phone is the customer who is on the page, null while another is being chosen.
// What belongs to one customer hangs on the object, so that work that goes on
// for a former one touches nothing of the next.
let phone = null;

// ---- Calls of the emulator ----

class Missing extends Error {}

let started = ""; // which start of the emulator answered last

async function call(method, path, body, signal) {
  const options = { method, headers: {}, signal };
  if (method !== "GET") {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body ?? {});
  }
  const answer = await fetch("/_emulator/" + path, options);
  const out = await answer.json();
  started = answer.headers.get("Emulator-Start");
  if (answer.status === 404) throw new Missing(out.message || answer.statusText);
  if (!answer.ok) throw new Error(out.message || answer.statusText);
  return out;
}

// own calls for a customer. An emulator that was started again has forgotten
// everybody: then the customer is made anew, with the same name, and the call
// is repeated. What the page shows of before stays.
async function own(p, method, path, body, signal) {
  const at = () => "users/" + encodeURIComponent(p.name) + (path instanceof Function ? path() : path);
  try {
    const out = await call(method, at(), body, signal);
    if (started === p.started || method !== "GET") return out;
  } catch (e) {
    if (!(e instanceof Missing) || p.gone.signal.aborted) throw e;
  }
  await call("POST", "users", { name: p.name }, p.gone.signal);
  if (started !== p.started) Object.assign(p, { started, since: 0, state: "", shown: new Map() });
  return call(method, at(), body, signal);
}

// attempt runs what a press asks for and says what went wrong with it.
const attempt = (work) => async (event) => {
  event.preventDefault();
  try {
    trouble("", "");
    await work(event);
  } catch (e) {
    if (e.name !== "AbortError") trouble(e.message, "");
  }
};

function trouble(text, of) {
  el("trouble").textContent = text;
  el("trouble").dataset.of = of;
}

// ---- What a message looks like ----

function picture(address, words) {
  const img = make("img", "picture");
  img.src = address;
  img.alt = words;
  img.addEventListener("load", () => {
    img.dataset.loaded = "yes";
    down();
  });
  img.addEventListener("error", () => img.replaceWith(words));
  return img;
}

// sticker draws a face of the emulator's own: the same one for the same sticker.
function sticker(pack, id) {
  const svg = el("faces").content.firstElementChild.cloneNode(true);
  const n = Number(String(id).slice(-6)) || 0;
  svg.setAttribute("class", "sticker c" + ((n >> 1) % 4) + " eyes" + ((n >> 2) % 4) + " mouth" + [1, 0, 3, 0, 2, 1, 0, 1][n % 8]);
  svg.setAttribute("aria-label", "Sticker " + pack + "/" + id);
  return svg;
}

function place(m) {
  const pin = el("place").querySelector("svg").cloneNode(true);
  const words = [m.title, m.address].filter(Boolean).join("\n") || "A place";
  return make("div", "pin", pin, make("span", "", words + "\n" + m.latitude + ", " + m.longitude));
}

// linked makes addresses in a text pressable.
function linked(text) {
  return text.split(/(https?:\/\/[^\s]+)/).map((piece, i) => {
    if (i % 2 === 0) return piece;
    const a = make("a", "", piece);
    a.href = piece;
    a.target = "_blank";
    a.rel = "noopener noreferrer";
    return a;
  });
}

// body is what a message shows. choose makes the button of its next choice.
function body(m, text, choose) {
  switch (m.type) {
    case "image":
      return [picture(m.previewImageUrl || m.originalContentUrl, text)];
    case "video":
      return [make("div", "film", make("span", "away", text))];
    case "sticker":
      return [sticker(m.packageId, m.stickerId)];
    case "location":
      return [place(m)];
    case "file":
      return [make("div", "file", m.fileName || text)];
    case "template":
      return [template(m.template, text, choose)];
    case "flex": {
      const card = make("div", "card");
      flex(m.contents, card, choose);
      return [card];
    }
  }
  return linked(text);
}

function template(t, text, choose) {
  const card = (c) => {
    const box = make("div", "card");
    if (c.thumbnailImageUrl || c.imageUrl) box.append(picture(c.thumbnailImageUrl || c.imageUrl, c.title || "picture"));
    if (c.title) box.append(make("b", "", c.title));
    if (c.text) box.append(c.text);
    for (const a of [...(c.actions ?? []), ...(c.action ? [c.action] : [])]) box.append(choose(a));
    return box;
  };
  if (!t.columns) return card(t);
  return make("div", "cards", ...t.columns.map(card));
}

// flex shows the words and pictures of a flex message in order, without its
// layout, and what can be pressed in it.
function flex(part, card, choose) {
  if (Array.isArray(part)) for (const one of part) flex(one, card, choose);
  if (part === null || typeof part !== "object" || Array.isArray(part)) return;
  if (part.action) card.append(choose({ ...part.action, label: part.action.label || part.text || part.type }));
  else if (part.type === "text") card.append(make("span", part.weight === "bold" ? "bold" : "", part.text ?? ""));
  else if (part.type === "image") card.append(picture(part.url, "picture"));
  for (const key of ["header", "hero", "body", "footer", "contents"]) flex(part[key], card, choose);
}

function clock(at) {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function mine(p, e) {
  if (e.kind === "note") return make("li", "note", e.text);
  const bubble = make("div", "bubble");
  const meta = make("span", "meta", make("span", "read"), make("span", "", clock(e.at)));
  const li = make("li", "mine", bubble, meta);
  if (e.unsent) {
    li.classList.add("gone");
    bubble.append(e.text === "[" + e.kind + "]" ? "A message that was taken back" : e.text);
    return li;
  }
  const m = { type: e.kind, ...Object(e.message) };
  if (e.kind === "image") m.previewImageUrl = "/_emulator/users/" + encodeURIComponent(p.name) + "/sent/" + e.id + "/content";
  bubble.append(...body(m, e.text, () => ""));
  if (e.id) {
    const back = make("button", "", "Unsend");
    back.type = "button";
    back.addEventListener("click", attempt(() => own(p, "POST", "/actions", { action: "unsend", message_id: e.id })));
    meta.prepend(back);
  }
  return li;
}

function theirs(p, d) {
  const m = d.message;
  let n = 0; // choices are numbered in the order in which they show
  const choose = (action) => {
    const at = n++;
    const b = make("button", "", action.label || action.type);
    b.type = "button";
    b.addEventListener("click", attempt(() => press(p, d.id, at, action)));
    return b;
  };
  const bubble = make("div", "bubble" + (m.type === "template" || m.type === "flex" ? " wide" : ""));
  bubble.append(...body(m, d.text, choose));
  const from = m.sender?.name || p.account;
  const how = d.chat === p.id || !d.chat ? d.route : "in a group";
  const li = make("li", "theirs", bubble, make("span", "face", [...from][0] ?? ""), make("small", "from", from),
    make("span", "meta", make("span", "", how), make("span", "", clock(d.at))));
  const quick = (m.quickReply?.items ?? []).map((item) => choose(item.action));
  return [li, quick];
}

// ---- The chat ----

function down() {
  const m = document.querySelector("main");
  m.scrollTop = m.scrollHeight;
}

// show puts an entry into the chat, in the place of what it was before.
function show(p, entry) {
  const at = entry.mine?.at ?? entry.theirs.at;
  const [li, quick] = entry.mine ? [mine(p, entry.mine), []] : theirs(p, entry.theirs);
  li.dataset.at = Date.parse(at);
  const before = p.shown.get(entry.order);
  p.shown.set(entry.order, li);
  if (before) {
    before.replaceWith(li);
    return;
  }
  const day = new Date(at).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
  if (day !== p.day) el("chat").append(make("li", "day", day));
  p.day = day;
  el("chat").append(li);
  el("choices").replaceChildren(...quick); // those under the newest message alone
}

// apply shows what a poll brought.
function apply(p, view) {
  const u = view.user;
  Object.assign(p, { since: view.last, state: view.state, standing: u.standing, account: u.account, id: u.id });
  el("writing")?.remove();
  for (const entry of view.entries) show(p, entry);
  const read = Date.parse(u.read_up_to ?? 0) || 0;
  for (const li of document.querySelectorAll("li.mine:not(.gone)")) {
    li.querySelector(".read").textContent = li.dataset.at <= read ? "Read" : "";
  }
  if (Date.parse(u.loading_until ?? 0) > Date.now()) {
    const li = make("li", "theirs", make("div", "bubble", "•••"));
    li.id = "writing";
    el("chat").append(li);
    setTimeout(() => li.remove(), Date.parse(u.loading_until) - Date.now());
  }
  able();
  if (view.entries.length > 0 || el("writing")) down();
}

// able lets write whoever may: nobody while customers change, nobody blocked.
function able() {
  const on = phone !== null && (phone.standing === "friend" || phone.standing === "stranger");
  for (const field of document.querySelectorAll("#say button, #say input, #choices button, .card button, #stickers button")) field.disabled = !on;
  el("text").disabled = phone === null;
  el("text").placeholder = phone?.standing === "blocked" ? "Blocked: add the account again" : "Write as the customer";
  el("say").classList.toggle("off", !on);
  el("say").dataset.customer = phone?.name ?? ""; // whose words these are
  document.body.classList.toggle("blocked", phone?.standing === "blocked");
  el("standing").textContent = phone?.standing ?? "";
  el("follow").hidden = phone === null || phone.standing === "friend";
  el("unfollow").hidden = phone === null || phone.standing === "blocked";
  const account = phone?.account || "LINE emulator";
  el("account").textContent = account;
  el("face").textContent = [...account][0];
}

// follow shows what comes to a customer's phone until another is chosen.
async function follow(p) {
  const path = () => "/phone?wait=20&since=" + p.since + "&state=" + encodeURIComponent(p.state);
  while (!p.gone.signal.aborted) {
    try {
      const view = await own(p, "GET", path, undefined, p.gone.signal);
      if (p.gone.signal.aborted) return;
      apply(p, view);
      if (el("trouble").dataset.of === "poll") trouble("", "");
    } catch (e) {
      if (p.gone.signal.aborted) return;
      trouble(e.message + "; trying again", "poll");
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

let using = null;

// use gives the phone to a customer. What waited for news of the former one
// ends, and nobody can write until the chat of the next is there.
async function use(name) {
  phone?.gone.abort();
  using?.abort();
  phone = null;
  able();
  const typed = el("name").value;
  const p = { name, since: 0, state: "", standing: "", shown: new Map(), gone: new AbortController() };
  using = p.gone;
  p.name = (await call("POST", "users", { name }, p.gone.signal)).name;
  p.started = started;
  const view = await call("GET", "users/" + encodeURIComponent(p.name) + "/phone", undefined, p.gone.signal);
  const all = await call("GET", "users", undefined, p.gone.signal);
  if (p.gone.signal.aborted) return;
  el("chat").replaceChildren();
  el("choices").replaceChildren();
  el("everybody").replaceChildren(...all.map((u) => Object.assign(make("option"), { value: u.name })));
  if (el("name").value === typed) el("name").value = p.name; // else somebody writes the next one already
  try {
    sessionStorage.setItem("customer", p.name); // for the next load of this tab
  } catch { /* a browser that keeps nothing begins with the first customer again */ }
  phone = p;
  apply(p, view);
  follow(p);
}

// ---- What the customer does ----

const say = (p, message) => own(p, "POST", "/messages", message);

const pressed = (p, id, n, more) => own(p, "POST", "/press", { message_id: id, choice: n, ...more });

// ask opens a dialog with fields and gives what was filled in, or null.
function ask(title, fields) {
  el("asked").textContent = title;
  el("fields").replaceChildren(...fields.map((f) => {
    const input = Object.assign(make("input"), { name: f.name, type: f.type ?? "text", value: f.value ?? "", required: true });
    for (const key of ["min", "max", "step"]) if (f[key]) input[key] = f[key];
    return make("label", "", f.label, input);
  }));
  const dialog = el("ask");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue !== "ok" ? null :
    Object.fromEntries([...el("fields").querySelectorAll("input")].map((i) => [i.name, i.value]))), { once: true }));
}

async function askPlace() {
  const at = await ask("Send a place", [
    { name: "title", label: "Title", value: "Seoul City Hall" }, { name: "address", label: "Address", value: "110 Sejong-daero, Jung-gu, Seoul" },
    { name: "latitude", label: "Latitude", type: "number", value: "37.566295", min: "-90", max: "90", step: "any" },
    { name: "longitude", label: "Longitude", type: "number", value: "126.977945", min: "-180", max: "180", step: "any" },
  ]);
  return at && { ...at, type: "location", latitude: Number(at.latitude), longitude: Number(at.longitude) };
}

// press does what LINE does with an action.
async function press(p, id, n, action) {
  switch (action.type) {
    case "datetimepicker": {
      const type = action.mode === "datetime" ? "datetime-local" : action.mode;
      const picked = await ask(action.label, [{ name: "picked", label: "", type, value: action.initial || action.min, min: action.min, max: action.max }]);
      return picked && pressed(p, id, n, picked);
    }
    case "location": {
      const sends = await askPlace();
      return sends && pressed(p, id, n, { sends });
    }
    case "camera":
    case "cameraRoll":
      p.pressing = { id, n };
      el("picture").click();
      return null;
    case "clipboard":
      await navigator.clipboard?.writeText(action.clipboardText).catch(() => {}); // the emulator notes it all the same
      break;
    case "uri":
      if (/^https?:/.test(action.uri)) window.open(action.uri, "_blank", "noopener,noreferrer");
  }
  return pressed(p, id, n);
}

async function stand(action) {
  await own(phone, "POST", "/actions", { action });
}

el("who").addEventListener("submit", attempt(() => use(el("name").value.trim())));
el("follow").addEventListener("click", attempt(() => stand("follow")));
el("unfollow").addEventListener("click", attempt(() => stand("unfollow")));
el("say").addEventListener("submit", attempt(async () => {
  const p = phone;
  const text = el("text").value;
  if (p === null || text.trim() === "" || el("say").classList.contains("off")) return;
  el("send").disabled = true; // a second press would say it twice
  try {
    await say(p, { type: "text", text });
    if (el("text").value === text) el("text").value = ""; // it stays until it is said
  } finally {
    able();
  }
}));
el("place").addEventListener("click", attempt(async () => {
  const p = phone;
  const at = await askPlace();
  if (at && p === phone) await say(p, at);
}));
el("sticker").addEventListener("click", () => {
  el("stickers").hidden = !el("stickers").hidden;
  el("sticker").setAttribute("aria-expanded", String(!el("stickers").hidden));
  down();
});
for (let id = 1988; id < 2004; id++) {
  const b = make("button", "", sticker("446", id));
  b.type = "button";
  b.addEventListener("click", attempt(async () => {
    await say(phone, { type: "sticker", package: "446", sticker: String(id) });
    el("sticker").click();
  }));
  el("stickers").append(b);
}
el("picture").addEventListener("cancel", () => { if (phone) phone.pressing = null; });
el("picture").addEventListener("change", attempt(async (event) => {
  const p = phone;
  const file = event.target.files[0];
  if (!file || p === null) return;
  const bytes = new Uint8Array(await file.arrayBuffer());
  let raw = "";
  for (let i = 0; i < bytes.length; i += 8192) raw += String.fromCharCode(...bytes.subarray(i, i + 8192));
  const sends = { type: "image", media_type: file.type, data: btoa(raw) };
  const choice = p.pressing;
  p.pressing = null;
  await (choice ? pressed(p, choice.id, choice.n, { sends }) : say(p, sends));
  event.target.value = "";
}));

let first = el("name").value;
try {
  first = sessionStorage.getItem("customer") || first;
} catch { /* as above */ }
use(first).catch((e) => trouble(e.message, ""));
