// The event stream. One connection serves all tabs of a browser: where there is
// SharedWorker this file runs in it, else in the page.
"use strict";
(() => {
  const silent = 4500; // milliseconds without a word: the connection is gone
  let url = "", alive = "", cursor = "", source = null, heard = 0, state = "", retry = 0;
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

  // lost asks whether somebody is still signed in, and tries again, at first
  // soon, then every three seconds.
  function lost() {
    if (source) source.close();
    source = null;
    become("down");
    const wait = Math.min(3000, 250 * 2 ** retry++);
    setTimeout(async () => {
      try {
        const r = await fetch(alive, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(3000) });
        if (r.status === 401 || r.redirected) return become("out");
      } catch { return lost(); }
      open();
    }, wait);
  }

  setInterval(() => { if (source && Date.now() - heard > silent) lost(); }, 500);

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
      port.onmessage = (m) => m.data.ping ? port.postMessage({ pong: true }) : join(m.data, (message) => port.postMessage(message));
    };
    return;
  }
  const script = document.currentScript.dataset.worker;
  self.sangdamStream = (options, f) => {
    if (typeof SharedWorker === "undefined") return join(options, f);
    const worker = new SharedWorker(script, { name: options.name });
    let asked = 0, up = true, fine = 0;
    worker.port.onmessage = (m) => {
      if (m.data.pong) asked = 0; else f(m.data);
      if (!m.data.state) return;
      const was = up;
      up = m.data.state === "up";
      if (was && !up) setTimeout(check, 1000);
    };
    worker.port.postMessage(options);
    // A worker may not wake up whole with its page, after a laptop or a tab slept:
    // one that does not answer, or finds no server twice where the page does, is
    // left behind, and the page has a stream of its own.
    const leave = () => {
      if (!worker.port.onmessage) return;
      worker.port.onmessage = null;
      join(options, f);
    };
    const check = async () => {
      const found = await fetch(options.alive, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(3000) }).then((r) => r.ok && !r.redirected, () => false);
      if (up) return void (fine = 0);
      fine = found ? fine + 1 : 0;
      if (fine > 1) leave(); else setTimeout(check, 3200);
    };
    const ask = () => {
      const mine = asked = Date.now();
      worker.port.postMessage({ ping: true });
      setTimeout(() => { if (asked === mine) leave(); }, 2000);
    };
    document.addEventListener("resume", ask);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  };
})();
