"use strict";

const el = (id) => document.getElementById(id);

// phone is the customer who is on the page, null while another is being chosen.
// What belongs to one customer hangs on the object, so that work that goes on
// for a former one touches nothing of the next.
let phone = null;

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
  const user = await call("POST", "users", { name: p.name }, p.gone.signal);
  Object.assign(p, { started, seen: 0, standing: user.standing });
  if (p === phone) able();
  return call(method, at(), body, signal);
}

const attempt = (work) => async (event) => {
  event.preventDefault();
  try {
    el("trouble").textContent = "";
    await work(event);
  } catch (e) {
    if (e.name !== "AbortError") el("trouble").textContent = e.message;
  }
};

function bubble(entry) {
  const li = document.createElement("li");
  li.className = entry.mine ? "mine" : "theirs";
  if (entry.picture) {
    const img = document.createElement("img");
    img.src = entry.picture;
    img.alt = entry.text;
    img.addEventListener("load", () => {
      img.dataset.loaded = "yes";
      li.scrollIntoView();
    });
    img.addEventListener("error", () => img.replaceWith(entry.text));
    li.append(img);
  } else {
    li.textContent = entry.text;
  }
  return li;
}

function note(li, text) {
  const small = document.createElement("small");
  small.textContent = text;
  li.append(small);
}

function add(li) {
  el("chat").append(li);
  li.scrollIntoView();
}

// showOwn shows what the customer sent, with a button that takes it back.
function showOwn(p, entry) {
  const li = bubble({ ...entry, mine: true, picture: entry.kind === "image" && !entry.unsent ? "/_emulator/users/" + encodeURIComponent(p.name) + "/sent/" + entry.id + "/content" : "" });
  if (entry.unsent) li.classList.add("gone");
  else {
    const back = document.createElement("button");
    back.type = "button";
    back.textContent = "Unsend";
    back.addEventListener("click", attempt(async () => {
      await own(p, "POST", "/actions", { action: "unsend", message_id: entry.id });
      li.classList.add("gone");
      back.remove();
    }));
    li.append(" ", back);
  }
  add(li);
}

function showTheirs(d) {
  const m = d.message;
  const li = bubble({ text: d.text, picture: m.type === "image" ? m.previewImageUrl || m.originalContentUrl : "" });
  const from = m.sender?.name;
  note(li, (from ? from + " · " : "") + d.route + (d.chat.startsWith("U") ? "" : " · group"));
  add(li);
  offer(m);
}

async function say(p, message, shown) {
  const posted = await own(p, "POST", "/messages", message);
  if (p === phone) showOwn(p, { id: posted.message_id, kind: message.type, text: shown });
}

function press(p, action) {
  switch (action.type) {
    case "message":
      return say(p, { type: "text", text: action.text }, action.text);
    case "postback":
      if (action.displayText) add(bubble({ mine: true, text: action.displayText }));
      return own(p, "POST", "/actions", { action: "postback", data: action.data });
    default:
      add(bubble({ mine: true, text: "[" + action.type + "] " + (action.uri || "") }));
      return Promise.resolve();
  }
}

function offer(message) {
  el("choices").replaceChildren();
  const actions = (message.quickReply?.items ?? []).map((i) => i.action);
  const t = message.template;
  if (t) {
    actions.push(...(t.actions ?? []));
    for (const column of t.columns ?? []) actions.push(...(column.actions ?? []));
  }
  const p = phone;
  for (const action of actions) {
    const b = document.createElement("button");
    b.type = "button";
    b.textContent = action.label;
    b.addEventListener("click", attempt(() => press(p, action)));
    el("choices").append(b);
  }
  able();
}

// able lets write whoever may: nobody while customers change, nobody blocked.
function able() {
  const on = phone !== null && (phone.standing === "friend" || phone.standing === "stranger");
  for (const field of document.querySelectorAll("#say button, #say input, #choices button")) field.disabled = !on;
  el("text").disabled = phone === null;
  el("text").placeholder = phone?.standing === "blocked" ? "Blocked: add the account again to write" : "Write as the customer";
  el("say").classList.toggle("off", !on);
  el("say").dataset.customer = phone?.name ?? ""; // whose words these are
  el("standing").textContent = phone?.standing ?? "";
  el("follow").disabled = phone === null;
  el("unfollow").disabled = phone === null || phone.standing === "blocked";
}

// follow shows what comes to a customer's phone until another is chosen.
async function follow(p) {
  while (!p.gone.signal.aborted) {
    try {
      const news = await own(p, "GET", () => "/received?wait=20&after=" + p.seen, undefined, p.gone.signal);
      if (p.gone.signal.aborted) return;
      for (const d of news) {
        p.seen = d.number + 1;
        showTheirs(d);
      }
      if (el("trouble").dataset.of === "poll") trouble("", "");
    } catch (e) {
      if (p.gone.signal.aborted) return;
      trouble(e.message + "; trying again", "poll");
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

function trouble(text, of) {
  el("trouble").textContent = text;
  el("trouble").dataset.of = of;
}

// use gives the phone to a customer. What waited for news of the former one
// ends, and nobody can write until the chat of the next is there.
async function use(name) {
  phone?.gone.abort();
  phone = null;
  able();
  const p = { name, seen: 0, standing: "", gone: new AbortController() };
  using?.abort();
  using = p.gone;
  const user = await call("POST", "users", { name }, p.gone.signal);
  p.name = user.name;
  p.standing = user.standing;
  p.started = started;
  const sent = await call("GET", "users/" + encodeURIComponent(p.name) + "/sent", undefined, p.gone.signal);
  const received = await call("GET", "users/" + encodeURIComponent(p.name) + "/received", undefined, p.gone.signal);
  if (p.gone.signal.aborted) return;
  el("chat").replaceChildren();
  el("choices").replaceChildren();
  el("name").value = p.name;
  try {
    sessionStorage.setItem("customer", p.name); // for the next load of this tab
  } catch { /* a browser that keeps nothing begins with the first customer again */ }
  phone = p;
  const all = [...sent.map((e) => ({ at: Date.parse(e.at), mine: e })), ...received.map((d) => ({ at: Date.parse(d.at), theirs: d }))];
  for (const e of all.sort((a, b) => a.at - b.at)) {
    if (e.mine) showOwn(p, e.mine);
    else {
      p.seen = e.theirs.number + 1;
      showTheirs(e.theirs);
    }
  }
  able();
  follow(p);
}

let using = null;

async function stand(action) {
  const p = phone;
  await own(p, "POST", "/actions", { action });
  const user = await call("POST", "users", { name: p.name });
  p.standing = user.standing;
  able();
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
    await say(p, { type: "text", text }, text);
    if (el("text").value === text) el("text").value = ""; // it stays until it is said
  } finally {
    able();
  }
}));
el("sticker").addEventListener("click", attempt(() => say(phone, { type: "sticker" }, "[sticker]")));
el("picture").addEventListener("change", attempt(async (event) => {
  const p = phone;
  const file = event.target.files[0];
  if (!file || p === null) return;
  const bytes = new Uint8Array(await file.arrayBuffer());
  let raw = "";
  for (let i = 0; i < bytes.length; i += 8192) raw += String.fromCharCode(...bytes.subarray(i, i + 8192));
  await say(p, { type: "image", media_type: file.type, data: btoa(raw) }, "[picture] " + file.name);
  event.target.value = "";
}));

let first = el("name").value;
try {
  first = sessionStorage.getItem("customer") || first;
} catch { /* as above */ }
use(first).catch((e) => trouble(e.message, ""));
