import { el, iconButton } from "./dom.js";

const hangul = /[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]/;

// enterSends makes Enter send what was typed, once and whole, whatever input
// method is at work. While Japanese or Chinese is being composed, Enter only
// confirms. While Korean is, people expect it to send: the last syllable is in
// the field when the composition ends, and some browsers report the same press
// a second time after that.
export function enterSends(field, send) {
  let composed = "";
  let ends = false; // Enter was pressed within a Korean composition
  let swallow = false; // until the key is up, it has done its work
  field.addEventListener("compositionstart", () => (composed = ""));
  field.addEventListener("compositionupdate", (e) => (composed = e.data || composed));
  field.addEventListener("compositionend", (e) => {
    composed = e.data || composed;
    if (!ends) return;
    ends = false;
    swallow = true;
    setTimeout(send);
  });
  field.addEventListener("keyup", (e) => {
    if (e.key === "Enter" || e.code === "Enter") swallow = false;
  });
  field.addEventListener("keydown", (e) => {
    const enter = e.key === "Enter" || e.code === "Enter" || e.code === "NumpadEnter";
    if (!enter || e.shiftKey || e.ctrlKey || e.altKey || e.metaKey) return;
    const korean = hangul.test(composed);
    if (e.isComposing) {
      if (korean) ends = true;
      return;
    }
    if (e.keyCode === 229 && !korean) return; // Safari: the composition has just ended by this very press
    e.preventDefault();
    if (swallow) return;
    if (e.keyCode === 229) swallow = true;
    send();
  });
}

// composer is the row at the bottom: text, files, camera.
export function composer({ t, files, camera, onText, onFiles, onWrite, maxText }) {
  const field = el("textarea", { rows: "1", maxlength: String(maxText), placeholder: t("placeholder"), "aria-label": t("placeholder"), autocomplete: "off", enterkeyhint: "send" });
  const sendButton = iconButton("send", t("send"), () => send(), { class: "send", disabled: true });
  const grow = () => {
    sendButton.disabled = !field.value.trim();
    field.style.height = "auto";
    field.style.height = `${Math.max(40, Math.min(132, field.scrollHeight))}px`;
  };
  const send = () => {
    const text = field.value;
    if (!text.trim()) return;
    field.value = "";
    grow();
    onText(text);
  };
  field.addEventListener("input", () => {
    grow();
    if (field.value) onWrite();
  });
  enterSends(field, send);
  const row = el("div", { class: "compose" });
  if (files) {
    const picker = (props, name, label) => {
      const input = el("input", { type: "file", hidden: true, "aria-hidden": "true", tabindex: "-1", ...props });
      input.addEventListener("change", () => {
        onFiles([...input.files]);
        input.value = "";
      });
      row.append(input, iconButton(name, label, () => input.click(), { "data-do": name }));
    };
    picker({ multiple: true }, "attach", t("attach"));
    if (camera) picker({ accept: "image/*", capture: "environment" }, "camera", t("camera"));
    field.addEventListener("paste", (e) => {
      const pasted = [...(e.clipboardData?.files || [])];
      if (!pasted.length) return;
      e.preventDefault();
      onFiles(pasted);
    });
  }
  row.append(field, sendButton);
  return { row, field };
}
