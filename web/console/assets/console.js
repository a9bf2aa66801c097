// The console in the browser: live parts, the composer, offers, keys.
"use strict";
(() => {
  const body = document.body, d = body.dataset, at = (path) => d.prefix + path;
  const $ = (sel, root = document) => root.querySelector(sel), $$ = (sel, root = document) => [...root.querySelectorAll(sel)];
  const skew = new Date(d.now) - Date.now(); // of the server's clock
  const now = () => Date.now() + skew;
  const work = () => $("#work[data-id]");
  const clockNow = () => new Date().toLocaleTimeString(document.documentElement.lang, { hour12: false });
  const store = {
    get: (k, otherwise) => { try { return JSON.parse(localStorage.getItem(`sangdam:${d.agent}:${k}`)) ?? otherwise; } catch { return otherwise; } },
    set: (k, v) => { try { v === null ? localStorage.removeItem(`sangdam:${d.agent}:${k}`) : localStorage.setItem(`sangdam:${d.agent}:${k}`, JSON.stringify(v)); } catch { /* full: what is typed stays in the page */ } },
  };

  // The server shows times in the browser's zone once it knows it.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.includes("sangdam_zone=" + encodeURIComponent(zone))) {
    document.cookie = `sangdam_zone=${encodeURIComponent(zone)}; path=${at("/")}; max-age=31536000; samesite=lax`;
    if (zone !== d.zone && document.cookie.includes("sangdam_zone=")) location.reload();
  }

  // --- Live parts. What changed is read anew from the server, so that nothing
  // is shown twice and nothing is missing, whatever was missed.
  let asOf = d.asof, state = "", sending = 0;
  const dirty = new Set(), running = new Set();
  const least = { work: 80, bar: 80, list: 700, live: 700 }, last = {};

  const parts = {
    bar: () => ({ url: at("/bar"), target: "#bar" }),
    list: () => $("#list") && { url: $("#list").dataset.url, target: "#list" },
    work: () => work() && { url: work().dataset.url, target: "#work" },
    live: () => $("#live") && { url: $("#live").dataset.url, target: "#live" },
  };

  function mark(...names) {
    for (const n of names) dirty.add(n);
    for (const n of names) setTimeout(flush, Math.max(0, (last[n] || 0) + least[n] - Date.now()) + 20);
  }

  async function flush() {
    for (const name of [...dirty]) {
      if (running.has(name) || Date.now() < (last[name] || 0) + least[name] || (name === "work" && sending)) continue;
      const part = parts[name]();
      dirty.delete(name);
      if (!part) continue;
      running.add(name);
      last[name] = Date.now();
      try { await refresh(name, part); } catch { dirty.add(name); }
      running.delete(name);
      if (dirty.has(name)) setTimeout(flush, least[name]);
    }
  }

  async function refresh(name, part) {
    const r = await fetch(part.url, { headers: { "HX-Request": "true", Accept: "text/html" } });
    if (r.status === 404 && name === "work") return location.assign(at("/conversations"));
    if (!r.ok) throw new Error("refused");
    const text = await r.text();
    const target = $(part.target);
    if (!target || (parts[name]() || {}).url !== part.url) return; // the page went on meanwhile
    if (name === "list" && held(text)) return;
    await htmx.swap({ sourceElement: target, target, text, swap: "outerMorph", transition: false });
    asOf = clockNow();
    after(name);
  }

  // held keeps the order of rows while the pointer is on the list: rows are
  // renewed where they stand, and a button says that there is more.
  let waitingList = "";
  function held(text) {
    const list = $("#list");
    if (!$("#rows") || !list.matches(":hover") || matchMedia("(hover: none)").matches) return false;
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const ids = (root) => $$("#rows > li", root).map((li) => li.id).join();
    if (ids(fresh) === ids(document)) return false;
    for (const li of $$("#rows > li")) {
      const other = fresh.getElementById(li.id);
      if (other) { li.replaceChildren(...other.childNodes); li.className = other.className; htmx.process(li); }
    }
    waitingList = text;
    const pill = $("#list-stale");
    pill.textContent = d.tStale;
    pill.hidden = false;
    after("list");
    return true;
  }
  const letGo = () => { if (waitingList) { waitingList = ""; mark("list"); last.list = 0; flush(); } };
  document.addEventListener("mouseout", (e) => { if (e.target.closest && e.target.closest("#list") && !(e.relatedTarget && e.relatedTarget.closest && e.relatedTarget.closest("#list"))) letGo(); });

  function changed(ev) {
    const w = work();
    switch (ev.aggregate) {
      case "conversation": case "item":
        mark("list", "live");
        if (w && w.dataset.id === ev.id) { mark("work"); if (ev.kind === "message" && $("#typing")) $("#typing").textContent = ""; }
        mark("bar");
        break;
      case "typing":
        if (w && w.dataset.id === ev.id) writes(ev);
        break;
      case "agent":
        mark("live");
        if (ev.id === d.agent) mark("bar", "list");
        break;
      case "contact": case "identity":
        mark("list");
        if (w && (w.dataset.contact === ev.id || w.dataset.contact === ev.contact)) mark("work");
        break;
      default:
        mark("list", "live", "bar", "work");
    }
  }

  // Who writes: the customer, or somebody else of the desk. It is worth nothing a
  // few seconds later, and ends with the message.
  let writing = 0;
  function writes(ev) {
    const p = $("#typing");
    if (!p || ev.actor === "agent:" + d.agent) return;
    const name = ev.kind === "customer" ? "" : JSON.parse(p.dataset.names)[(ev.actor || "").replace("agent:", "")];
    if (ev.kind !== "customer" && !name) return;
    p.textContent = name ? p.dataset.agent.replace("%s", name) : p.dataset.customer;
    clearTimeout(writing);
    writing = setTimeout(() => { const now = $("#typing"); if (now) now.textContent = ""; }, 7000);
  }

  function connection(to) {
    const before = state, banner = $("#banner");
    state = to;
    banner.hidden = to === "up";
    if (to === "down") banner.textContent = banner.dataset.down.replace("%s", asOf);
    if (to === "out") { banner.textContent = banner.dataset.out; location.reload(); }
    if (to === "up") {
      mark("bar", "list", "work", "live"); // the page may be older than the stream
      if (before !== "up") deliver();
    }
  }

  window.sangdamStream({ url: at("/events"), alive: at("/alive"), name: "sangdam " + d.agent }, (m) => {
    if (m.state) connection(m.state);
    if (m.reload) mark("bar", "list", "work", "live");
    if (m.change) changed(m.change);
  });

  // --- After a part was put in.
  const titleOf = () => { const w = work(); return (w ? $("h1", w).textContent : document.title.replace(/^\(.*?\)\s*/, "").split(" · ")[0]) + " · " + d.brand; };
  function after(name) {
    if (name === "bar" || name === "all") offers();
    if (name === "work" || name === "all") { current(); compose(); pendingBubbles(); place(); guard(); }
    if (name === "list" || name === "all") { current(); drafts(); }
    // What is asked about the conversation that is open stands below it.
    for (const o of $$("#offers [data-conversation]")) o.hidden = !!work() && o.dataset.conversation === work().dataset.id;
    title(); tick();
  }
  document.addEventListener("htmx:after:swap", (e) => {
    const t = e.detail && e.detail.ctx && e.detail.ctx.target;
    if (t && t.id === "work" || !t) { $(".panes") && $(".panes").classList.toggle("chosen", !!work()); after("work"); }
    if (t && t.id === "list") after("list");
    if (t && t.id === "bar") after("bar");
  });

  function title() {
    const bar = $("#bar"), n = bar ? Number(bar.dataset.offers || 0) + Number(bar.dataset.unread || 0) : 0;
    document.title = (n ? `(${n}) ` : "") + titleOf();
  }
  function current() {
    const w = work();
    for (const a of $$("#rows a")) {
      if (w && a.closest("li").id === "row-" + w.dataset.id) a.setAttribute("aria-current", "true"); else a.removeAttribute("aria-current");
    }
  }

  // --- The thread: it stays at its end unless somebody reads further up.
  let shownThread = "", below = true, seenLines = 0;
  function place() {
    const t = $("#thread"), w = work();
    if (!t || !w) { shownThread = ""; return; }
    const count = $$("#lines .message").length;
    if (shownThread !== w.dataset.id) {
      shownThread = w.dataset.id; seenLines = count; below = true;
      const unread = $("#unread");
      if (unread) { t.scrollTop = Math.max(0, unread.offsetTop - t.offsetTop - 40); below = nearEnd(t); } else t.scrollTop = t.scrollHeight;
    } else if (below) { t.scrollTop = t.scrollHeight; seenLines = count; }
    const fresh = count - seenLines, jump = $("#jump");
    jump.hidden = below || (fresh <= 0 && nearEnd(t));
    jump.lastElementChild.textContent = fresh > 0 ? d.tNew.replace("%d", fresh) : "";
  }
  const nearEnd = (t) => t.scrollHeight - t.scrollTop - t.clientHeight < 60;
  document.addEventListener("scroll", (e) => {
    if (e.target.id !== "thread") return;
    below = nearEnd(e.target);
    if (below) { seenLines = $$("#lines .message").length; $("#jump").hidden = true; }
  }, true);

  // --- The composer: drafts, sending, what could not be sent yet.
  const mode = () => $("#composer") && $("#composer").dataset.mode;
  const draftKey = (id, m) => `draft:${id}:${m}`;
  function compose() {
    const c = $("#composer");
    if (!c) return;
    const can = $("#foot").dataset.can, text = $("#text");
    if (c.dataset.ready === c.dataset.id && !(can === "note" && c.dataset.mode === "answer")) { sync(); return; }
    c.dataset.ready = c.dataset.id;
    setMode(can === "answer" ? store.get("mode:" + c.dataset.id, "answer") : "note", true);
    if (matchMedia("(min-width: 721px)").matches && !document.activeElement.closest("input, textarea, select, [popover]")) text.focus({ preventScroll: true });
  }
  function sync() { // morphing puts the server's words where ours stand
    const c = $("#composer");
    setMode(c.dataset.chosen || c.dataset.mode, false);
  }
  function setMode(m, load) {
    const c = $("#composer"), text = $("#text");
    c.dataset.mode = c.dataset.chosen = m;
    for (const b of $$(".modes button", c)) b.setAttribute("aria-pressed", String(b.dataset.mode === m));
    text.placeholder = m === "note" ? text.dataset.noteHint : text.dataset.answerHint;
    if (load) { text.value = store.get(draftKey(c.dataset.id, m), ""); }
  }
  function drafts() {
    for (const li of $$("#rows > li")) {
      const id = li.id.slice(4), mark = $(".draft-mark", li);
      if (mark) mark.hidden = !(store.get(draftKey(id, "answer"), "") || store.get(draftKey(id, "note"), ""));
    }
  }

  // What was written into a panel and not saved stays there whatever is renewed
  // around it, and nobody leaves it by mistake. That the conversation ended
  // meanwhile is told beside it.
  const unsaved = () => $("form[data-guard][data-dirty]");
  document.addEventListener("input", (e) => {
    const f = e.target.closest("form[data-guard]");
    if (f && !f.dataset.dirty) { f.dataset.dirty = "1"; f.setAttribute("hx-morph-skip", ""); }
  });
  function guard() {
    const f = unsaved(), over = $("#work-head .state-closed, #work-head .state-wrap-up");
    if (f && over) $(".unsaved", f).hidden = false;
  }
  addEventListener("beforeunload", (e) => { if (unsaved() && state !== "out") e.preventDefault(); });
  document.addEventListener("click", (e) => {
    const a = e.target.closest("a[hx-get][hx-target='#work']");
    if (!a || !unsaved()) return;
    if (confirm(d.tUnsaved)) delete unsaved().dataset.dirty; else { e.preventDefault(); e.stopImmediatePropagation(); }
  }, true);
  document.addEventListener("submit", (e) => { // who ends or hands on is warned first
    const asks = e.submitter && e.submitter.value === "ask"; // who asks first stays here
    if (["end", "transfer"].includes(e.target.id) && !asks && unsaved()) { if (confirm(d.tUnsaved)) { delete unsaved().dataset.dirty; } else { e.preventDefault(); e.stopImmediatePropagation(); } }
    if ("guard" in e.target.dataset) { delete e.target.dataset.dirty; e.target.removeAttribute("hx-morph-skip"); }
  }, true);

  // A list is narrowed to what is looked for; what is chosen stays in sight.
  document.addEventListener("input", (e) => {
    const list = e.target.dataset.finds && $(e.target.dataset.finds), words = e.target.value.trim().toLowerCase();
    for (const l of list ? list.children : []) l.hidden = !l.textContent.toLowerCase().includes(words) && !$("input", l).checked;
  });

  let typed = 0;
  document.addEventListener("input", (e) => {
    if (e.target.id !== "text") return;
    const c = $("#composer");
    store.set(draftKey(c.dataset.id, mode()), e.target.value || null);
    drafts(); canned();
    if (mode() === "answer" && e.target.value && Date.now() - typed > 4000 && state === "up") {
      typed = Date.now();
      fetch(c.dataset.typing, { method: "POST" }).catch(() => {});
    }
  });

  // Enter sends. While a syllable or word is being composed it belongs to the
  // input method: Japanese and Chinese confirm with it and nothing is sent; a
  // Korean syllable is completed by it, and then the whole is sent, once.
  const hangul = /^[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]+$/;
  let composed = "", composing = false, wantSend = false, endedAt = 0;
  document.addEventListener("compositionstart", () => { composing = true; composed = ""; });
  document.addEventListener("compositionupdate", (e) => { composed = e.data || composed; });
  document.addEventListener("compositionend", (e) => {
    composing = false; composed = e.data || composed; endedAt = e.timeStamp;
    if (wantSend && e.target.id === "text") { wantSend = false; setTimeout(() => submit(""), 0); }
    wantSend = false;
  });
  document.addEventListener("keydown", (e) => {
    if (e.target.id !== "text" || e.code !== "Enter" && e.code !== "NumpadEnter" && e.key !== "Enter" || e.shiftKey) return;
    if (composing || e.isComposing || e.keyCode === 229) {
      if (!hangul.test(composed)) return; // it confirms
      e.preventDefault();
      if (composing) wantSend = true; // Safari ends the composition before the key
      else if (e.timeStamp - endedAt < 100) setTimeout(() => submit(""), 0);
      return;
    }
    if (e.ctrlKey || e.metaKey || e.altKey) { if (e.altKey) return; }
    e.preventDefault();
    submit("");
  });

  document.addEventListener("keypress", (e) => { if (e.target.id === "text" && e.key === "Enter" && !e.shiftKey) e.preventDefault(); });

  document.addEventListener("submit", (e) => {
    if (e.target.id === "composer") { e.preventDefault(); submit(e.submitter && e.submitter.value === "wait" ? "wait" : ""); }
    if (e.target.matches(".undo")) { e.preventDefault(); undo(e.target); }
    if ("signOut" in e.target.dataset) for (const k of Object.keys(localStorage)) if (k.startsWith(`sangdam:${d.agent}:`)) localStorage.removeItem(k);
    if (e.target.closest("[popover]") && e.target.closest("[popover]").hidePopover && e.target.hasAttribute("hx-post")) e.target.closest("[popover]").hidePopover();
  });

  function submit(then) {
    const c = $("#composer"), text = $("#text"), words = text.value;
    if (!words.trim()) return;
    const m = mode();
    const entry = { key: newKey(), id: c.dataset.id, mode: m, url: m === "note" ? c.dataset.note : c.dataset.answer, text: words, then };
    store.set("outbox", [...store.get("outbox", []), entry]);
    text.value = "";
    store.set(draftKey(entry.id, m), null);
    drafts(); below = true;
    pendingBubbles();
    deliver();
  }

  // An answer that is held comes back into the composer, unless something new
  // stands there already.
  async function undo(form) {
    const words = $(".bubble .text", form.closest(".message"));
    const r = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } }).catch(() => null);
    const text = $("#text"), c = $("#composer");
    if (r && r.ok && words && text && !text.value && mode() === "answer") {
      text.value = words.innerText; store.set(draftKey(c.dataset.id, "answer"), text.value); text.focus(); drafts();
    }
    mark("work", "list");
  }

  const newKey = () => crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2) + Date.now();

  // A file goes up at once and is then sent like a text.
  async function attach(file) {
    const c = $("#composer"), input = $("#attach");
    if (!input || mode() !== "answer") return;
    const entry = { key: newKey(), id: c.dataset.id, mode: "answer", url: c.dataset.answer, text: "", then: "", label: file.name };
    const r = await fetch(`${input.dataset.upload}?${new URLSearchParams({ name: file.name, conversation: c.dataset.id })}`,
      { method: "POST", body: file, headers: { "Idempotency-Key": entry.key, "Content-Type": "application/octet-stream" } }).catch(() => null);
    const up = r && await r.json().catch(() => ({}));
    if (!r || !r.ok) entry.failed = (up && up.error) || d.tFailed;
    else entry.file = { blob: up.media.blob, kind: up.kind, name: up.media.name || "", type: up.media.type || "", size: String(up.media.size || 0) };
    store.set("outbox", [...store.get("outbox", []), entry]);
    pendingBubbles();
    deliver();
  }

  // Files of a comment on a ticket go up at once; what is saved names them.
  async function attachTo(box, file) {
    const chip = $("template", box).content.firstElementChild.cloneNode(true), said = $("small", chip), name = $(".file-name", chip);
    const kept = $$("[name=file]:not([type=checkbox]), [name=file]:checked", box).length + $$(".file-chip.sending", box).length;
    name.textContent = file.name; chip.lastElementChild.ariaLabel += ` ${file.name}`;
    $(".file-chips", box).append(chip);
    const broken = (why) => { chip.classList.add("broken"); said.textContent = why; };
    if (kept >= Number(box.dataset.most)) return broken(box.dataset.tMany);
    if (file.size > Number(box.dataset.each)) return broken(box.dataset.tLarge);
    chip.classList.add("sending"); said.textContent = box.dataset.tGoing;
    const r = await fetch(`${box.dataset.upload}?${new URLSearchParams({ name: file.name })}`,
      { method: "POST", body: file, headers: { "Idempotency-Key": newKey(), "Content-Type": "application/octet-stream" } }).catch(() => null);
    const up = r && await r.json().catch(() => null);
    chip.classList.remove("sending");
    if (!r || !r.ok || !up) return broken((up && up.error) || box.dataset.tFailed);
    const { blob, size } = up.media;
    said.textContent = size < 1024 ? `${size} B` : size < 1048576 ? `${(size / 1024).toFixed(0)} kB` : `${(size / 1048576).toFixed(1)} MB`;
    for (const [key, value] of [["file", blob], [`filename.${blob}`, up.media.name || file.name], [`filesize.${blob}`, size]]) {
      const i = document.createElement("input");
      i.type = "hidden"; i.name = key; i.value = value; chip.append(i);
    }
  }
  document.addEventListener("submit", (e) => { // it is saved with what is up
    const going = $(".file-chip.sending", e.target);
    if (going) { e.preventDefault(); e.stopImmediatePropagation(); going.scrollIntoView({ block: "nearest" }); }
  }, true);
  document.addEventListener("click", (e) => {
    const b = e.target.closest("[data-unattach]");
    if (!b) return;
    const input = $("[type=file]", b.closest("[data-attaching]"));
    b.closest(".file-chip").remove(); input.focus();
  });
  document.addEventListener("paste", (e) => {
    if (e.target.id === "text" && e.clipboardData && e.clipboardData.files.length) { e.preventDefault(); for (const f of e.clipboardData.files) attach(f); }
  });
  document.addEventListener("error", (e) => { // no small picture: the whole one
    const i = e.target;
    if (i.tagName === "IMG" && i.dataset.full && i.getAttribute("src") !== i.dataset.full) i.src = i.dataset.full;
  }, true);

  // Prepared answers: "/" at the beginning lists them.
  let cannedList = [], cannedAt = 0, cannedFor = "";
  async function canned() {
    const c = $("#composer"), t = $("#text"), box = $("#canned");
    const word = /^\/(\S*)$/.exec(t.value);
    if (!word) { box.hidden = true; cannedList = []; return; }
    cannedFor = word[1];
    const r = await fetch(`${c.dataset.canned}?${new URLSearchParams({ q: word[1], conversation: c.dataset.id })}`, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!r || !r.ok || word[1] !== cannedFor) return;
    cannedList = await r.json(); cannedAt = 0;
    showCanned();
  }
  function showCanned() {
    const box = $("#canned");
    box.hidden = !cannedList.length;
    box.replaceChildren(...cannedList.map((x, i) => {
      const b = document.createElement("button"), s = document.createElement("strong"), w = document.createElement("small");
      b.type = "button"; b.setAttribute("role", "option"); b.setAttribute("aria-selected", String(i === cannedAt)); b.dataset.canned = i; b.tabIndex = -1;
      s.textContent = x.title; w.textContent = x.body; b.append(s, w);
      return b;
    }));
  }
  function useCanned(i) {
    const c = $("#composer"), t = $("#text"), name = $("#work-head h1").textContent;
    t.value = cannedList[i].body.replace(/\{\{?\s*customer(\.name)?\s*\}?\}/g, name);
    store.set(draftKey(c.dataset.id, mode()), t.value);
    cannedList = []; $("#canned").hidden = true; t.focus();
  }
  document.addEventListener("keydown", (e) => {
    if (e.target.id !== "text" || !cannedList.length || composing) return;
    const move = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (move) { cannedAt = (cannedAt + move + cannedList.length) % cannedList.length; showCanned(); } else if (e.key === "Enter" || e.key === "Tab") useCanned(cannedAt); else if (e.key === "Escape") { cannedList = []; $("#canned").hidden = true; } else return;
    e.preventDefault(); e.stopImmediatePropagation();
  }, true);

  // deliver sends what waits, in order, one tab at a time. Each message has a
  // key, so that one whose answer was lost is sent again without a double.
  async function deliver() {
    const run = async () => {
      for (let list; (list = store.get("outbox", []).filter((o) => !o.failed)).length;) {
        const o = list[0];
        let r, answer = {};
        sending++;
        try {
          r = await fetch(o.url, { method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams({ text: o.text, key: o.key, then: o.then, ...o.file }), signal: AbortSignal.timeout(15000) });
          answer = await r.json().catch(() => ({}));
        } catch { r = null; }
        sending--;
        const again = !r || r.status >= 500 || r.status === 401 || r.status === 429;
        if (!again) settle(o.key, r.ok ? null : (answer.error || d.tFailed));
        mark("work", "list");
        if (again) { pendingBubbles(); setTimeout(deliver, 2000); return; }
      }
    };
    if (navigator.locks) await navigator.locks.request("sangdam-outbox", { ifAvailable: true }, (lock) => lock ? run() : null);
    else if (!sending) await run();
  }
  function settle(key, failed) {
    const list = store.get("outbox", []);
    store.set("outbox", failed ? list.map((o) => o.key === key ? { ...o, failed } : o) : list.filter((o) => o.key !== key));
    if (!failed) last.work = 0;
    pendingBubbles();
    flush();
  }
  function pendingBubbles() {
    const box = $("#pending"), w = work();
    if (!box || !w) return;
    box.replaceChildren(...store.get("outbox", []).filter((o) => o.id === w.dataset.id).map((o) => {
      const li = document.createElement("li");
      li.className = `line message ${o.mode === "note" ? "note" : "ours"} ${o.failed ? "broken" : "sending"}`;
      const inner = document.createElement("div"), bubble = document.createElement("div"), p = document.createElement("p"), meta = document.createElement("p");
      inner.className = "bubble-box"; bubble.className = "bubble"; p.className = "text"; meta.className = "meta";
      p.textContent = o.text || o.label;
      meta.textContent = o.failed ? o.failed : state === "up" ? d.tPending : d.tOffline;
      bubble.append(p); inner.append(bubble, meta);
      if (o.failed) for (const [label, act] of [[d.tEdit, "edit"], [d.tDiscard, "discard"]]) {
        const b = document.createElement("button");
        b.type = "button"; b.className = "small"; b.textContent = label; b.dataset.outbox = act; b.dataset.key = o.key;
        meta.append(" ", b);
      }
      li.append(inner);
      return li;
    }));
    if (below) { const t = $("#thread"); t.scrollTop = t.scrollHeight; }
  }
  addEventListener("storage", (e) => { if (e.key && e.key.startsWith(`sangdam:${d.agent}:`)) { pendingBubbles(); drafts(); const c = $("#composer"), t = $("#text"); if (c && document.activeElement !== t && e.key.endsWith(draftKey(c.dataset.id, mode()))) { t.value = store.get(draftKey(c.dataset.id, mode()), ""); } } });
  addEventListener("online", deliver);

  // --- Offers: countdown, sound, title.
  const heardOffers = new Set();
  function offers() {
    let fresh = false;
    for (const o of $$("#offers .offer")) if (!heardOffers.has(o.id)) { heardOffers.add(o.id); fresh = true; }
    if (fresh && d.sound === "on") chime();
  }
  function chime() {
    try {
      const a = chime.a ||= new AudioContext();
      for (const [i, f] of [660, 880].entries()) {
        const o = a.createOscillator(), g = a.createGain(), t = a.currentTime + i * 0.16;
        o.frequency.value = f; o.connect(g).connect(a.destination);
        g.gain.setValueAtTime(0.0001, t); g.gain.exponentialRampToValueAtTime(0.12, t + 0.02); g.gain.exponentialRampToValueAtTime(0.0001, t + 0.3);
        o.start(t); o.stop(t + 0.32);
      }
    } catch { /* a browser without sound */ }
  }
  function tick() {
    for (const e of $$("[data-since]")) {
      const s = Math.max(0, Math.round((now() - new Date(e.dataset.since)) / 1000));
      e.textContent = `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
    }
    for (const e of $$("[data-until]")) {
      const left = Math.max(0, Math.round((new Date(e.dataset.until) - now()) / 1000));
      if (e.classList.contains("countdown")) e.textContent = left < 120 ? d.tSeconds.replace("%d", left) : d.tMinutes.replace("%d", Math.round(left / 60));
      if (e.tagName === "PROGRESS") e.value = left;
      if (e.classList.contains("undo") && new Date(e.dataset.until) < now()) e.remove();
      if (e.classList.contains("offer")) { e.classList.toggle("last", left <= 5); if (left === 0 && !e.dataset.over) { e.dataset.over = "1"; mark("bar"); } }
    }
  }
  setInterval(tick, 1000);

  // --- Clicks and keys.
  document.addEventListener("click", (e) => {
    const b = e.target.closest("button, a");
    if (!b) return;
    if ("close" in b.dataset) b.closest(".toast").remove();
    if (b.dataset.canned && b.closest("#canned")) useCanned(Number(b.dataset.canned));
    if (b.dataset.clause) clauses(b);
    if (b.dataset.act) rows(b);
    if (b.dataset.frame) $(b.dataset.frame).hidden = false;
    if (b.dataset.summarize) summarize(b.form, $(b.dataset.summarize + " dl"));
    if (b.id === "jump") { const t = $("#thread"); below = true; t.scrollTop = t.scrollHeight; place(); }
    if (b.id === "list-stale") letGo();
    if (b.dataset.copy && navigator.clipboard) navigator.clipboard.writeText($(b.dataset.copy).textContent).then(() => b.classList.add("primary"), () => {});
    if (b.dataset.mode && b.closest(".modes")) { store.set("mode:" + $("#composer").dataset.id, b.dataset.mode); setMode(b.dataset.mode, true); $("#text").focus(); }
    if (b.dataset.outbox) {
      const o = store.get("outbox", []).find((x) => x.key === b.dataset.key);
      if (o && b.dataset.outbox === "edit") { setMode(o.mode, true); $("#text").value = o.text; store.set(draftKey(o.id, o.mode), o.text); }
      settle(b.dataset.key, null);
    }
  });
  // All that a form holds, before it is sent: secrets are named and not shown.
  function summarize(form, dl) {
    const said = (e) => e.type === "password" ? (e.value ? dl.dataset.secret : "") : e.type === "checkbox" ? (e.checked ? dl.dataset.on : "") :
      e.tagName === "SELECT" ? (e.value ? e.selectedOptions[0].textContent : "") : e.value.trim();
    dl.replaceChildren(...[...form.elements].filter((e) => e.name && e.type !== "hidden" && e.labels && e.labels.length && said(e)).map((e) => {
      const row = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd"), group = e.closest("details, [data-group]"), head = group && (group.dataset.group || ($("summary strong", group) || {}).textContent);
      dt.textContent = (head ? head + " · " : "") + [...e.labels[0].childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).join(" ");
      dd.textContent = said(e); row.append(dt, dd);
      return row;
    }));
  }

  // Rows and groups of a condition: another is made of the template, under a
  // number of its own; numbers in the names only keep rows apart.
  function clauses(b) {
    const box = b.closest(".condition"), kind = b.dataset.clause, row = b.closest("[data-n]"), block = b.closest(".clauses"), add = (c) => $(":scope > .buttons > [data-clause=add]", c);
    if (kind === "remove") {
      const around = row.parentElement;
      if (!row.matches(".group") && $$(":scope > .clause", around).length === 1) for (const i of $$("select, input", row)) i.value = "";
      else row.remove();
      return add(around).focus();
    }
    const fresh = $(`:scope > template[data-new=${kind}]`, box).content.firstElementChild.cloneNode(true), all = $$(":scope > [data-n]", block);
    const n = 1 + Math.max(-1, ...all.map((r) => Number(r.dataset.n))), path = (s) => s.replace("~", `${block.dataset.path}${n}.`);
    for (const i of $$("[name]", fresh)) i.name = path(i.name);
    for (const c of [fresh, ...$$("[data-path]", fresh)]) if (c.dataset.path) c.dataset.path = path(c.dataset.path);
    fresh.dataset.n = n;
    add(block).parentElement.before(fresh);
    let depth = 1;
    for (let c = fresh; c && c !== box; c = c.parentElement) depth += c.matches(".group");
    if (kind === "group" && depth >= Number(box.dataset.depth)) $("[data-clause=group]", fresh).remove();
    for (const c of fresh.matches(".clause") ? [fresh] : $$(".clause", fresh)) fits(c);
    $("select", fresh).focus();
  }

  // fits offers the comparisons and values that go with the field of a clause.
  function fits(row) {
    const [field, op] = $$("select", row), list = JSON.parse(row.closest(".condition").dataset.ops)[field.selectedOptions[0].dataset.type];
    for (const o of op.options) o.hidden = o.disabled = !!list && !list.includes(o.value);
    if (op.selectedIndex < 0 || op.selectedOptions[0].disabled) op.value = (list || [op.options[0].value])[0];
    $("[name$=value]", row).setAttribute("list", "of-" + field.value);
  }
  for (const row of $$(".clause")) fits(row);
  if ($("#zones") && Intl.supportedValuesOf) $("#zones").append(...Intl.supportedValuesOf("timeZone").map((z) => new Option(z)));

  // Rows of a form: another is made of the template, under a number of its own.
  // They count in the order in which they stand.
  function rows(b) {
    const box = b.closest("[data-rows]"), row = b.closest("[data-row]"), all = $$(":scope > [data-row]", box);
    if (b.dataset.act === "drop") { row.remove(); $("[data-act=add]", box).focus(); }
    if (b.dataset.act === "up" && row.previousElementSibling.dataset.row) row.previousElementSibling.before(row);
    if (b.dataset.act === "down" && row.nextElementSibling.dataset.row) row.nextElementSibling.after(row);
    if (b.dataset.act !== "add") return b.isConnected && b.focus();
    const kind = $("[data-kinds]", box), t = $(":scope > template" + (kind ? `[data-kind="${kind.value}"]` : ""), box);
    const n = 1 + Math.max(-1, ...all.map((r) => Number(r.dataset.row))), fresh = t.content.firstElementChild.cloneNode(true);
    fresh.dataset.row = n;
    for (const i of $$("[name]", fresh)) { i.name = i.name.replace(".new.", `.${n}.`); if (i.value === "new" && i.matches("[type=hidden], button")) i.value = n; }
    for (const c of $$("[data-path]", fresh)) c.dataset.path = c.dataset.path.replace(".new.", `.${n}.`);
    for (const c of $$(".clause", fresh)) fits(c);
    (all.at(-1) || t).insertAdjacentElement(all.length ? "afterend" : "beforebegin", fresh);
    $("select, input:not([type=hidden]), textarea", fresh).focus();
  }
  document.addEventListener("change", (e) => {
    if (e.target.id === "ticket-file") { for (const f of e.target.files) attachTo(e.target.closest("[data-attaching]"), f); e.target.value = ""; }
    if (e.target.id === "attach") { for (const f of e.target.files) attach(f); e.target.value = ""; }
    if (e.target.matches(".clause [name$=field]")) fits(e.target.closest(".clause"));
    if (e.target.form && e.target.form.id === "bulk-form") chosen(e.target.matches("[data-all]") && e.target);
    if ("submit" in e.target.dataset) e.target.form.requestSubmit();
    if (e.target.id === "keys-off") store.set("keys-off", e.target.checked || null);
  });

  // How many rows of a list are chosen; all of them, or none, by the box above.
  function chosen(all) {
    const out = $("#bulk-count"), rows = $$("[form=bulk-form][name=ticket]");
    if (!out) return;
    if (all) for (const r of rows) r.checked = all.checked;
    const n = rows.filter((r) => r.checked).length;
    out.textContent = n ? out.dataset.some.replace("%d", n) : out.dataset.none;
    $("#bulk-change").disabled = !n && !$("#bulk-form [name=all]:checked");
    const head = $("[data-all]");
    head.checked = n === rows.length; head.indeterminate = n > 0 && !head.checked;
  }
  chosen();
  addEventListener("pageshow", () => chosen()); // what a browser has put back

  const step = (by) => {
    const rows = $$("#rows a"), i = rows.findIndex((a) => a.hasAttribute("aria-current")), to = rows[i < 0 ? 0 : i + by];
    if (to) { to.click(); to.scrollIntoView({ block: "nearest" }); }
  };
  const pressed = {
    KeyJ: () => step(1), KeyK: () => step(-1), KeyA: () => { const b = $("#offers .primary, .offer-here .primary"); if (b) b.click(); },
    KeyL: () => { const b = $(".modes [data-mode=answer]"); if (b) b.click(); }, KeyP: () => { const b = $(".modes [data-mode=note]"); if (b) b.click(); },
    KeyE: () => { const b = $("#end-open"); if (b) b.click(); },
    KeyU: () => { const u = $("#unread"); if (u) u.scrollIntoView({ block: "start" }); },
  };
  document.addEventListener("keydown", (e) => {
    if (store.get("keys-off", false)) return;
    if (e.altKey && !e.ctrlKey && !e.metaKey && pressed[e.code]) { e.preventDefault(); pressed[e.code](); }
    if (e.key === "?" && !e.target.closest("input, textarea, select")) { e.preventDefault(); $("#keys").togglePopover(); }
  });

  const off = $("#keys-off");
  if (off) off.checked = store.get("keys-off", false);
  after("all");
  deliver();
})();
