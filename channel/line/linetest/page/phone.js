"use strict";

const el = (id) => document.getElementById(id);
let name = "";
let seen = 0;
let turn = 0; // raised when another customer is chosen, so that old polls stop

async function call(method, path, body) {
  const options = { method, headers: {} };
  if (method !== "GET") {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body ?? {});
  }
  const answer = await fetch("/_emulator/" + path, options);
  const out = await answer.json();
  if (!answer.ok) throw new Error(out.message || answer.statusText);
  return out;
}

const attempt = (work) => async (event) => {
  event.preventDefault();
  try {
    el("trouble").textContent = "";
    await work(event);
  } catch (e) {
    el("trouble").textContent = e.message;
  }
};

function show(text, mine, note) {
  const li = document.createElement("li");
  li.className = mine ? "mine" : "theirs";
  li.textContent = text;
  if (note) {
    const small = document.createElement("small");
    small.textContent = note;
    li.append(small);
  }
  el("chat").append(li);
  li.scrollIntoView();
  return li;
}

const mine = () => "users/" + encodeURIComponent(name);

async function say(message, shown) {
  const posted = await call("POST", mine() + "/messages", message);
  const li = show(shown, true);
  const back = document.createElement("button");
  back.type = "button";
  back.textContent = "Unsend";
  back.addEventListener("click", attempt(async () => {
    await call("POST", mine() + "/actions", { action: "unsend", message_id: posted.message_id });
    li.classList.add("gone");
    back.remove();
  }));
  li.append(" ", back);
}

function press(action) {
  switch (action.type) {
    case "message":
      return say({ type: "text", text: action.text }, action.text);
    case "postback":
      if (action.displayText) show(action.displayText, true);
      return call("POST", mine() + "/actions", { action: "postback", data: action.data });
    default:
      show("[" + action.type + "] " + (action.uri || ""), true);
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
  for (const action of actions) {
    const b = document.createElement("button");
    b.type = "button";
    b.textContent = action.label;
    b.addEventListener("click", attempt(() => press(action)));
    el("choices").append(b);
  }
}

async function poll(own) {
  while (own === turn) {
    try {
      const news = await call("GET", mine() + "/received?wait=20&after=" + seen);
      if (own !== turn) return;
      for (const d of news) {
        seen = d.number + 1;
        const from = d.message.sender?.name;
        show(d.text, false, (from ? from + " · " : "") + d.route + (d.chat.startsWith("U") ? "" : " · group"));
        offer(d.message);
      }
    } catch (e) {
      el("trouble").textContent = e.message;
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
}

async function use(who) {
  const user = await call("POST", "users", { name: who });
  name = user.name;
  seen = 0;
  el("standing").textContent = user.standing;
  el("chat").replaceChildren();
  el("choices").replaceChildren();
  poll(++turn);
}

async function stand(action) {
  await call("POST", mine() + "/actions", { action });
  const user = await call("POST", "users", { name });
  el("standing").textContent = user.standing;
}

el("who").addEventListener("submit", attempt(() => use(el("name").value.trim())));
el("follow").addEventListener("click", attempt(() => stand("follow")));
el("unfollow").addEventListener("click", attempt(() => stand("unfollow")));
el("say").addEventListener("submit", attempt(async () => {
  const text = el("text").value;
  if (text.trim() === "") return;
  el("text").value = "";
  await say({ type: "text", text }, text);
}));
el("sticker").addEventListener("click", attempt(() => say({ type: "sticker" }, "[sticker]")));
el("picture").addEventListener("change", attempt(async (event) => {
  const file = event.target.files[0];
  if (!file) return;
  const bytes = new Uint8Array(await file.arrayBuffer());
  let raw = "";
  for (let i = 0; i < bytes.length; i += 8192) raw += String.fromCharCode(...bytes.subarray(i, i + 8192));
  await say({ type: "image", media_type: file.type, data: btoa(raw) }, "[picture] " + file.name);
  event.target.value = "";
}));

use(el("name").value);
