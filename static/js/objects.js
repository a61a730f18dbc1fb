// The object browser: choosing rows, downloading through signed URLs, deleting.

import { askFirst } from "./dialogs.js";
import { link, remove } from "./s3.js";
import { requestNote, toast } from "./toasts.js";

const BATCH = 25;
const page = document.querySelector("[data-links]");

const boxes = () => [...page.querySelectorAll("input[data-key]")];

function counted() {
  const all = boxes();
  const chosen = all.filter((box) => box.checked).length;
  const bar = page.querySelector("[data-selection]");
  if (!bar) return;
  bar.hidden = chosen === 0;
  bar.querySelector("[data-count]").textContent = chosen === 1 ? "1 object chosen" : `${chosen} objects chosen`;
  const every = page.querySelector("[data-choose-all]");
  if (every) {
    every.checked = chosen > 0 && chosen === all.length;
    every.indeterminate = chosen > 0 && chosen < all.length;
  }
}

function complain(error) {
  toast(error.message, { level: "bad", note: requestNote(error.requestId) });
}

async function download(key) {
  try {
    const anchor = document.createElement("a");
    anchor.href = await link(page, "GET", key);
    anchor.download = key.split("/").pop();
    anchor.click();
  } catch (error) {
    complain(error);
  }
}

async function drop(keys) {
  const question = keys.length === 1 ? `Delete ${keys[0]}? This cannot be undone.` : `Delete ${keys.length} objects? This cannot be undone.`;
  if (!(await askFirst(question))) return;
  let gone = 0;
  try {
    for (let at = 0; at < keys.length; at += BATCH) gone += await remove(page, keys.slice(at, at + BATCH));
  } catch (error) {
    complain(error);
  }
  if (gone) toast(gone === 1 ? "Deleted." : `Deleted ${gone} objects.`, { level: "good" });
  document.body.dispatchEvent(new CustomEvent("deleted"));
}

if (page) {
  page.addEventListener("change", (event) => {
    if (event.target.matches("[data-choose-all]")) for (const box of boxes()) box.checked = event.target.checked;
    if (event.target.matches("[data-choose-all], [data-key]")) counted();
  });
  document.addEventListener("click", (event) => {
    const act = event.target.closest("[data-download], [data-delete], [data-delete-chosen], [data-choose-none]");
    if (!act) return;
    if (act.matches("[data-download]")) download(act.dataset.download);
    else if (act.matches("[data-delete]")) {
      act.closest("dialog")?.close();
      drop([act.dataset.delete]);
    } else if (act.matches("[data-delete-chosen]")) drop(boxes().filter((box) => box.checked).map((box) => box.dataset.key));
    else {
      for (const box of boxes()) box.checked = false;
      counted();
    }
  });

  // A list that is renewed while somebody chooses keeps what was chosen; a filter changes where uploads go.
  let kept = new Set();
  page.addEventListener("htmx:beforeSwap", () => {
    kept = new Set(boxes().filter((box) => box.checked).map((box) => box.dataset.key));
  });
  page.addEventListener("htmx:afterSwap", () => {
    const folder = page.querySelector("[data-folder]").dataset.folder;
    page.dataset.prefix = folder;
    const name = page.querySelector("[data-folder-name]");
    if (name) name.textContent = folder;
    for (const box of boxes()) box.checked = kept.has(box.dataset.key);
    counted();
  });
}
