// The script that a page carries: a button in a shadow tree, and nothing more
// until the customer presses it or has talked here before.
(() => {
  "use strict";
  const script = document.currentScript;
  const account = script && script.dataset.account;
  if (!account || !script.src) return;
  const all = (window.sangdam = window.sangdam || {});
  all.widgets = all.widgets || {};
  if (all.widgets[account]) return; // the page carries the line twice
  const tongues = { ko: ["상담 열기", "상담 닫기", "읽지 않은 메시지"], ja: ["チャットを開く", "チャットを閉じる", "未読メッセージ"], en: ["Open chat", "Close chat", "unread messages"] };
  const wanted = script.dataset.lang || document.documentElement.lang || navigator.language || "en";
  const lang = tongues[wanted.slice(0, 2)] ? wanted.slice(0, 2) : "en";
  const words = tongues[lang];
  const base = new URL(".", script.src).href;
  const host = document.createElement("div");
  host.className = "sangdam-webchat";
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
:host{all:initial;position:fixed;z-index:2147483000;right:max(20px,env(safe-area-inset-right));bottom:max(20px,env(safe-area-inset-bottom));
--brand:#2557d6;--on-brand:#fff;color-scheme:light dark;font-family:system-ui,"Apple SD Gothic Neo","Noto Sans KR","Hiragino Sans","Noto Sans JP",sans-serif}
:host([hidden]),[hidden]{display:none!important}
.launcher{all:unset;box-sizing:border-box;position:relative;display:grid;place-items:center;width:60px;height:60px;border-radius:50%;cursor:pointer;
background:var(--brand);color:var(--on-brand);box-shadow:0 1px 3px #0003,0 8px 24px #0000003d;transition:transform .16s,box-shadow .16s}
.launcher:hover{transform:translateY(-2px);box-shadow:0 2px 4px #0003,0 12px 28px #00000047}
.launcher:focus-visible{outline:3px solid var(--on-brand);box-shadow:0 0 0 6px var(--brand)}
.launcher svg{width:28px;height:28px;fill:none;stroke:currentColor;stroke-width:1.9;stroke-linecap:round;stroke-linejoin:round}
.launcher[aria-expanded=true] .talk,.launcher[aria-expanded=false] .shut{display:none}
.launcher[aria-busy=true] .talk{animation:beat 1s ease-in-out infinite}
.badge{position:absolute;top:-4px;right:-4px;min-width:22px;height:22px;box-sizing:border-box;padding:0 6px;border-radius:11px;border:2px solid #fff;
background:#c8102e;color:#fff;font:700 12px/18px system-ui,sans-serif;text-align:center}
@keyframes beat{50%{opacity:.35}}
@media (prefers-reduced-motion:reduce){.launcher,.launcher .talk{transition:none;animation:none}}
@media print{:host{display:none}}
`);
  root.adoptedStyleSheets = [sheet];

  const draw = (cls, ...paths) => {
    const ns = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(ns, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("class", cls);
    svg.setAttribute("aria-hidden", "true");
    for (const d of paths) svg.appendChild(document.createElementNS(ns, "path")).setAttribute("d", d);
    return svg;
  };
  const button = document.createElement("button");
  button.className = "launcher";
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  button.append(draw("talk", "M4 5.5h16a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-8.5L7 20.5v-4H4a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1Z", "M8 9.5h8M8 12.8h5"), draw("shut", "M6 9.5l6 6 6-6"));
  const badge = document.createElement("span");
  badge.className = "badge";
  badge.hidden = true;
  button.append(badge);
  root.append(button);

  // The brand's colour, with whichever ink is easier to read on it.
  const luminance = (hex) => {
    const part = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  let unread = 0;
  const chrome = {
    luminance,
    paint(color) {
      if (!/^#[0-9a-f]{6}$/i.test(color || "")) return;
      host.style.setProperty("--brand", color);
      host.style.setProperty("--on-brand", luminance(color) > 0.179 ? "#14161a" : "#ffffff");
    },
    expanded(open) {
      button.setAttribute("aria-expanded", String(open));
      chrome.unread(unread);
    },
    unread(n) {
      unread = n;
      const open = button.getAttribute("aria-expanded") === "true";
      const count = open || !n ? "" : n > 99 ? "99+" : String(n); // what is seen is what is read out
      badge.hidden = !count;
      badge.textContent = count;
      button.setAttribute("aria-label", open ? words[1] : count ? `${words[0]}, ${count} ${words[2]}` : words[0]);
    },
    focus: () => button.focus(),
  };
  chrome.unread(0);
  chrome.paint(script.dataset.color);

  let app = null;
  const load = () => {
    app = app || import(`${base}assets/@VERSION@/app.js`).then((m) => m.start({ root, host, base, account, lang, chrome, identity: script.dataset.identity, theme: script.dataset.theme }));
    app.catch(() => { app = null; }); // the next press tries again
    return app;
  };
  const act = (what) => async (...args) => {
    button.setAttribute("aria-busy", "true");
    try {
      return (await load())[what](...args);
    } finally {
      button.removeAttribute("aria-busy");
    }
  };
  const api = { open: act("open"), close: act("close"), toggle: act("toggle"), identify: act("identify"), logout: act("logout") };
  all.widgets[account] = api;
  for (const name of Object.keys(api)) all[name] = all[name] || api[name];
  button.addEventListener("click", () => api.toggle().catch(() => {}));

  const show = () => document.body.append(host);
  if (document.body) show();
  else document.addEventListener("DOMContentLoaded", show);
  let known = false;
  try {
    known = Boolean(localStorage.getItem(`sangdam:${account}`));
  } catch {
    // Storage is switched off: the chat lives as long as the page.
  }
  if (known || script.dataset.identity) (window.requestIdleCallback || setTimeout)(() => load().catch(() => {}));
})();
