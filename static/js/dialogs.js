// <dialog> elements: opened by [data-opens], closed by [data-closes], by Escape or by a click beside them.

import { raise } from "./toasts.js";

export function open(dialog) {
  if (dialog.open) return;
  dialog.showModal();
  raise();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    open(document.getElementById(opener.dataset.opens));
    return;
  }
  if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
  else if (event.target.matches("dialog") && !event.target.hasAttribute("data-stays")) event.target.close();
});

// A dialog whose content comes from the server is shown once that is there, and emptied when it closes, so that
// neither a secret nor an old error is left in it.
document.addEventListener("htmx:afterSwap", (event) => {
  const dialog = event.detail.target.closest("dialog[data-loaded]");
  if (!dialog) return;
  open(dialog);
  const first = dialog.querySelector("[aria-invalid=true]") ?? dialog.querySelector("[autofocus]");
  // When it settles HTMX would give these the focus once more, whatever somebody types into by then.
  for (const element of dialog.querySelectorAll("[autofocus]")) element.removeAttribute("autofocus");
  first?.focus();
});

document.addEventListener("close", (event) => {
  const dialog = event.target;
  const form = dialog.querySelector("form[data-resets]");
  if (form) {
    form.reset();
    for (const error of form.querySelectorAll(".error")) error.remove();
    for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  }
  if (dialog.hasAttribute("data-loaded")) dialog.replaceChildren();
}, true);

document.addEventListener("closedialog", (event) => document.getElementById(event.detail.value)?.close());

/** Ask a question; resolves to whether the answer was yes. */
export function askFirst(question, label = "Delete") {
  const dialog = document.getElementById("ask");
  dialog.querySelector("[data-question]").textContent = question;
  dialog.querySelector("[value=yes]").textContent = label;
  dialog.returnValue = "";
  open(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
