// What happens around HTMX requests: a bar while they run, and a clear message when one fails.

import { askFirst } from "./dialogs.js";
import { requestNote, toast } from "./toasts.js";

const bar = document.querySelector(".bar");
let running = 0;

function busy(change) {
  running = Math.max(0, running + change);
  if (running) bar.dataset.busy = "";
  else delete bar.dataset.busy;
}

document.addEventListener("htmx:beforeSend", () => busy(1));
document.addEventListener("htmx:afterRequest", () => busy(-1));

function again(detail) {
  const { requestConfig: config, elt, target } = detail;
  if (config.verb === "get") return () => htmx.ajax("GET", config.path, { source: elt, target, values: config.parameters });
  return () => (elt.requestSubmit ? elt.requestSubmit() : elt.click());
}

document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = event.detail;
  if (xhr.getResponseHeader("HX-Redirect")) return;
  let text = `The server answered ${xhr.status}.`;
  let id = xhr.getResponseHeader("X-Request-ID");
  try {
    const problem = JSON.parse(xhr.responseText);
    text = problem.detail || text;
    id = problem.request_id || id;
  } catch {
    if (xhr.status >= 502 && xhr.status <= 504) text = "The platform does not answer just now.";
  }
  toast(text, { level: "bad", note: requestNote(id), retry: xhr.status >= 500 ? again(event.detail) : null });
});

for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    toast("The server cannot be reached.", { level: "bad", retry: again(event.detail) });
  });
}

// What is renewed by an event of the stream waits while a dialog is open: its question is about an element that
// would be replaced beneath it.
const held = new Set();

// What is renewed by the clock waits while nobody looks.
document.addEventListener("htmx:beforeRequest", (event) => {
  const by = event.detail.elt.getAttribute("hx-trigger") ?? "";
  if (document.hidden && by.startsWith("every ")) event.preventDefault();
});

document.addEventListener("htmx:beforeRequest", (event) => {
  const cause = event.detail.requestConfig.triggeringEvent?.type ?? "";
  if (!cause.startsWith("live-") || !document.querySelector("dialog[open]")) return;
  event.preventDefault();
  held.add(cause);
});

document.addEventListener("close", () => {
  for (const cause of held) document.body.dispatchEvent(new CustomEvent(cause));
  held.clear();
}, true);

document.addEventListener("toast", (event) => {
  const { text, level } = event.detail;
  toast(text, { level });
});

document.addEventListener("htmx:confirm", (event) => {
  const { question, elt } = event.detail;
  if (!question) return;
  event.preventDefault();
  askFirst(question, elt.dataset.confirmLabel).then((yes) => yes && event.detail.issueRequest(true));
});

for (const message of document.querySelectorAll("[data-message]")) {
  toast(message.textContent, { level: message.dataset.message });
}
