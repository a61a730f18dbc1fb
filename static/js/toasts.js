// Messages that come and go. Good news is read out politely and leaves by itself; bad news interrupts and stays.

import { icon, make } from "./dom.js";

const STAY = 6000;

export function toast(text, { level = "info", note = "", retry = null } = {}) {
  const bad = level === "bad";
  const region = document.getElementById(bad ? "alerts" : "toasts");
  const box = make("div", { class: `toast ${level}` }, icon(bad ? "alert" : level === "good" ? "check" : "info"));
  const body = make("div", {}, make("p", { class: "toast-text", text }));
  if (note) body.append(make("p", { class: "toast-note", text: note }));
  if (retry) {
    const again = make("button", { type: "button", class: "button small", text: "Try again" });
    again.addEventListener("click", () => {
      box.remove();
      retry();
    });
    body.append(make("div", { class: "toast-actions" }, again));
  }
  const close = make("button", { type: "button", class: "button quiet small icon-only", "aria-label": "Dismiss" }, icon("close"));
  close.addEventListener("click", () => box.remove());
  box.append(body, close);
  region.append(box);
  raise();
  if (!bad) setTimeout(() => box.remove(), STAY);
  return box;
}

// A dialog covers all else on the page; as a popover the stack of messages is above it again.
export function raise() {
  const stack = document.querySelector(".toasts");
  if (!stack?.showPopover) return;
  if (stack.matches(":popover-open")) stack.hidePopover();
  stack.showPopover();
}

export function requestNote(requestId) {
  return requestId ? `Request ${requestId}` : "";
}
