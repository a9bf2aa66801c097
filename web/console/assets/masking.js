// Masking: a range of a text is selected and masked; what a mask hides is asked
// for with a reason. Texts that can be masked say so by data-maskable: the
// address of their record, with what it needs in data-fields.
"use strict";
(() => {
  const $ = (sel, root = document) => root.querySelector(sel);
  const bytes = (text) => new TextEncoder().encode(text).length;
  const within = (node) => node && (node.nodeType === 1 ? node : node.parentElement).closest("[data-maskable]");
  let picked = null, asked = null;

  function post(text, what, fields) {
    const form = new URLSearchParams(text.dataset.fields);
    for (const [k, v] of Object.entries(fields)) form.set(k, v);
    form.set("key", crypto.randomUUID());
    return fetch(text.dataset.maskable + "/" + what, { method: "POST", body: form, headers: { Accept: "application/json" } });
  }

  // refused shows what the server says in its own words.
  async function refused(r) {
    const box = document.createElement("div");
    box.className = "toast";
    box.role = "alert";
    const said = await r.json().catch(() => ({}));
    box.textContent = said.error || r.statusText;
    $("#toasts").append(box);
    setTimeout(() => box.remove(), 8000);
  }

  // fresh brings the page up to what was changed: a thread hears of it by its
  // stream, a ticket's page is read anew.
  const fresh = () => { if (!$("#work[data-id]")) location.reload(); };

  // --- Selecting. The button stands by the selection and masks what it covers.
  function range() {
    const s = getSelection();
    if (!s.rangeCount || s.isCollapsed) return null;
    const r = s.getRangeAt(0), text = within(r.startContainer);
    if (!text || text !== within(r.endContainer)) return null;
    const before = document.createRange();
    before.selectNodeContents(text);
    before.setEnd(r.startContainer, r.startOffset);
    const from = bytes(before.toString());
    const to = from + bytes(r.toString());
    return to > from ? { text, span: from + "-" + to, box: r.getBoundingClientRect() } : null;
  }

  document.addEventListener("selectionchange", () => {
    const b = $("#mask-pick");
    if (!b) return;
    picked = range();
    b.hidden = !picked;
    if (!picked) return;
    b.style.left = Math.max(8, Math.min(picked.box.left, innerWidth - 160)) + "px";
    b.style.top = Math.max(8, picked.box.top > 56 ? picked.box.top - 44 : picked.box.bottom + 8) + "px";
  });
  document.addEventListener("mousedown", (e) => { if (e.target.closest && e.target.closest("#mask-pick")) e.preventDefault(); }); // the selection stays

  async function mask(text, span) {
    const r = await post(text, "mask", { span });
    if (!r.ok) return refused(r);
    getSelection().removeAllRanges();
    fresh();
  }

  // --- Asking what a mask hides.
  function ask(el) {
    const sheet = $("#mask-sheet");
    if (!sheet) return;
    asked = { text: within(el), mask: el.dataset.mask };
    sheet.reset();
    forget();
    sheet.showPopover();
    $("#mask-reason").focus();
  }
  function forget() {
    const out = $("#mask-original");
    if (out) { out.textContent = ""; out.hidden = true; }
  }
  document.addEventListener("toggle", (e) => { if (e.target.id === "mask-sheet" && e.newState === "closed") forget(); }, true);

  document.addEventListener("click", (e) => {
    if (!e.target.closest) return;
    if (e.target.closest("#mask-pick") && picked) return mask(picked.text, picked.span);
    const one = e.target.closest("[data-mask-span]");
    if (one) return mask($(one.dataset.of), one.dataset.maskSpan);
    const masked = e.target.closest("[data-mask]");
    if (masked && getSelection().isCollapsed) ask(masked);
  });
  document.addEventListener("keydown", (e) => {
    if ((e.key === "Enter" || e.key === " ") && e.target.matches && e.target.matches("[data-mask]")) { e.preventDefault(); ask(e.target); }
  });

  document.addEventListener("submit", async (e) => {
    if (e.target.id !== "mask-sheet" || !asked) return;
    e.preventDefault();
    const what = e.submitter ? e.submitter.value : "reveal";
    const fields = { mask: asked.mask, reason: $("#mask-reason").value };
    if (what === "unmask") fields.confirm = "1";
    const r = await post(asked.text, what, fields);
    if (!r.ok) return refused(r);
    if (what === "unmask") { e.target.hidePopover(); return fresh(); }
    const out = $("#mask-original");
    out.textContent = (await r.json()).text;
    out.hidden = false;
  });

  // --- Asking what an encrypted field holds; it stays until the page is left.
  document.addEventListener("click", async (e) => {
    const b = e.target.closest && e.target.closest("[data-reveal]");
    if (!b) return;
    const r = await fetch(b.dataset.reveal, { method: "POST", body: new URLSearchParams(), headers: { Accept: "application/json" } });
    if (!r.ok) return refused(r);
    $(b.dataset.into).textContent = (await r.json()).text;
    b.hidden = true;
  });

  // Masks are pressed with the keyboard too, where somebody may ask.
  function reachable() {
    if (!$("#mask-sheet")) return;
    for (const el of document.querySelectorAll("[data-mask]:not([role])")) {
      el.setAttribute("role", "button");
      el.tabIndex = 0;
      el.setAttribute("aria-label", $("#mask-sheet").dataset.shown);
    }
  }
  new MutationObserver(reachable).observe(document.body, { childList: true, subtree: true });
  reachable();
})();
