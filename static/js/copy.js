// [data-copy]: the text itself, or [data-copy-from]: the id of the element that holds it.

import { toast } from "./toasts.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const from = button.dataset.copyFrom;
  const text = from ? document.getElementById(from).textContent.trim() : button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.", { level: "good" });
  } catch {
    toast("The browser does not let this page copy; mark the text and copy it yourself.", { level: "bad" });
  }
});
