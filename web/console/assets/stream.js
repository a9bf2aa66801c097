// The event stream. One connection serves all tabs of a browser: where there is
// SharedWorker this file runs in it, else in the page.
"use strict";
(() => {
  const silent = 4500; // milliseconds without a word: the connection is gone
  let url = "", alive = "", cursor = "", source = null, heard = 0, state = "", retry = 0, tries = 0, timer = 0, tick = Date.now();
  const tell = new Set();

  const say = (message) => { for (const f of tell) f(message); };
  const become = (to) => { if (to !== state) { state = to; say({ state }); } };
  const word = (event) => {
    heard = Date.now();
    if (event && event.lastEventId) cursor = event.lastEventId;
    retry = 0;
    become("up");
  };

  function open() {
    if (source) source.close();
    heard = Date.now();
    const s = new EventSource(url + "?beat=2" + (cursor ? "&cursor=" + encodeURIComponent(cursor) : ""));
    source = s;
    s.addEventListener("place", word);
    s.addEventListener("beat", () => word());
    s.addEventListener("reload", (e) => { word(e); say({ reload: true }); });
    s.addEventListener("change", (e) => { word(e); say({ change: JSON.parse(e.data) }); });
    s.onerror = () => { if (s === source) lost(); };
  }

  // lost tries again, at first soon, then every three seconds.
  function lost() {
    if (source) source.close();
    source = null;
    become("down");
    clearTimeout(timer);
    timer = setTimeout(attempt, Math.min(3000, 250 * 2 ** retry++));
  }

  // attempt asks whether somebody is still signed in, and opens the stream. One
  // that was overtaken by another has nothing to say.
  async function attempt() {
    const mine = ++tries;
    clearTimeout(timer);
    try {
      const r = await fetch(alive, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(3000) });
      if (mine !== tries) return;
      if (r.status === 401 || r.redirected) return become("out");
    } catch { return mine === tries ? lost() : undefined; }
    open();
  }

  // After a sleep nobody knows yet whether the stream still stands: another one is
  // opened, which tells at once where the server is there, and soon where not.
  setInterval(() => {
    const now = Date.now(), slept = now - tick > 2000;
    tick = now;
    if (!source || now - heard <= silent) return;
    if (!slept) return lost();
    open();
    heard = now - 1500;
  }, 500);

  function join(options, f) {
    tell.add(f);
    if (!url) {
      ({ url, alive } = options);
      open();
    } else if (state) f({ state });
  }

  if (typeof SharedWorkerGlobalScope !== "undefined" && self instanceof SharedWorkerGlobalScope) {
    self.onconnect = (e) => {
      const port = e.ports[0];
      port.onmessage = (m) => {
        if (m.data.ping) port.postMessage({ pong: true });
        else if (m.data.again) { if (!source) { retry = 0; attempt(); } }
        else join(m.data, (message) => port.postMessage(message));
      };
    };
    return;
  }
  const script = document.currentScript.dataset.worker;
  self.sangdamStream = (options, f) => {
    if (typeof SharedWorker === "undefined") return join(options, f);
    const worker = new SharedWorker(script, { name: options.name });
    let asked = 0, up = true, last = Date.now();
    worker.port.onmessage = (m) => {
      if (m.data.pong) asked = 0; else f(m.data);
      if (!m.data.state) return;
      const was = up;
      up = m.data.state === "up";
      if (was && !up) setTimeout(check, 400);
    };
    worker.port.postMessage(options);
    // A worker may not wake up whole with its page, after a laptop or a tab slept:
    // one that does not answer, or finds no server where the page does and when it is
    // told so, is left behind, and the page has a stream of its own.
    const leave = () => {
      if (!worker.port.onmessage) return;
      worker.port.onmessage = null;
      join(options, f);
    };
    const check = async () => {
      const found = await fetch(options.alive, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(3000) }).then((r) => r.ok && !r.redirected, () => false);
      if (up) return;
      if (!found) return void setTimeout(check, 1000);
      worker.port.postMessage({ again: true });
      setTimeout(() => { if (!up) leave(); }, 2000);
    };
    const ask = () => {
      const mine = asked = Date.now();
      worker.port.postMessage({ ping: true });
      setTimeout(() => { if (asked === mine) leave(); }, 2000);
    };
    setInterval(() => { // a sleep that no event tells of
      const now = Date.now();
      if (now - last > 4000) ask();
      last = now;
    }, 1000);
    document.addEventListener("resume", ask);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  };
})();
