// Small means to build the page. Everything that people wrote becomes text:
// nothing here reads markup.

export function el(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (v === undefined || v === null || v === false) continue;
    if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (k === "class") e.className = v;
    else e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

const shapes = {
  close: "M6 6l12 12M18 6L6 18",
  menu: "M12 5.5v.01M12 12v.01M12 18.5v.01",
  send: "M4 12l16-7.5L15 20l-3.5-6.5L4 12zM11.5 13.5L20 4.5",
  attach: "M20 11.5l-8.2 8.2a5 5 0 0 1-7.1-7.1L13 4.3a3.4 3.4 0 0 1 4.8 4.8l-8.2 8.2a1.7 1.7 0 0 1-2.4-2.4l7.5-7.5",
  camera: "M4 8h3l1.5-2.5h7L17 8h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1zM12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
  file: "M6 3h8l5 5v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM14 3v5h5",
  star: "M12 3.6l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9L3.5 9.8l5.9-.8z",
  moon: "M19.5 14.5A8 8 0 1 1 9.5 4.5a6.3 6.3 0 0 0 10 10z",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  shield: "M12 3l7.5 3v5.5c0 4.5-3 8-7.5 9.5-4.5-1.5-7.5-5-7.5-9.5V6zM8.8 12l2.2 2.2 4.2-4.4",
  talk: "M4 5.5h16a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-8.5L7 20.5v-4H4a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1z",
};

export function icon(name) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.appendChild(document.createElementNS(ns, "path")).setAttribute("d", shapes[name]);
  return svg;
}

export const iconButton = (name, label, onclick, props = {}) => el("button", { type: "button", ...props, class: `icon ${props.class || ""}`, "aria-label": label, title: label, onclick }, icon(name));

// safeHref is an address that may be opened, as browsers spell it: a name in
// another script shows as what it is.
export function safeHref(text) {
  try {
    const u = new URL(text, location.href);
    return ["https:", "http:", "mailto:", "tel:"].includes(u.protocol) ? u.href : null;
  } catch {
    return null;
  }
}

export const link = (href, props, ...children) => el("a", { ...props, href, target: "_blank", rel: "noopener noreferrer" }, ...children);

const address = /https?:\/\/[^\s<>"'`]+/g;

// linked is the text with its addresses as links.
export function linked(text) {
  const out = document.createDocumentFragment();
  let from = 0;
  for (const m of text.matchAll(address)) {
    const raw = m[0].replace(/[.,;:!?)\]}。、」』]+$/, "");
    const href = safeHref(raw);
    if (!href) continue;
    const foreign = /[^\x20-\x7e]/.test(raw.split("/")[2]);
    out.append(text.slice(from, m.index), link(href, {}, foreign ? href : raw));
    from = m.index + raw.length;
  }
  out.append(text.slice(from));
  return out;
}

// save hands bytes to the browser's downloads.
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const a = el("a", { href: url, download: name });
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function size(bytes, lang) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  let n = 0;
  while (bytes >= 1000 && n < 3) {
    bytes /= 1000;
    n++;
  }
  return new Intl.NumberFormat(lang, { style: "unit", unit: units[n], unitDisplay: "short", maximumFractionDigits: n ? 1 : 0 }).format(bytes);
}
