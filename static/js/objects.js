// The object browser: choosing rows, downloading through signed URLs, deleting.

import { askFirst } from "./dialogs.js";
import { link, probe, remove, save } from "./s3.js";
import { requestNote, toast } from "./toasts.js";

const BATCH = 250;
const MOST_TOLD = 3;
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
  if (error.status === 401) location.reload();
  toast(error.message, { level: "bad", note: requestNote(error.requestId) });
}

async function download(key, version = "") {
  try {
    const url = await link(page, "GET", key, version ? { version } : {});
    await probe(url);
    save(url, key.split("/").pop());
  } catch (error) {
    complain(error);
  }
}

function told(gone, refused) {
  if (gone) toast(gone === 1 ? "Deleted." : `Deleted ${gone} objects.`, { level: "good" });
  if (refused.length) {
    const more = refused.length > MOST_TOLD ? ` And ${refused.length - MOST_TOLD} more.` : "";
    toast(`Not deleted: ${refused.slice(0, MOST_TOLD).join(" ")}${more}`, { level: "bad" });
  }
  document.body.dispatchEvent(new CustomEvent("deleted"));
}

async function drop(keys) {
  const question = keys.length === 1 ? `Delete ${keys[0]}?` : `Delete ${keys.length} objects?`;
  if (!(await askFirst(`${question} ${page.dataset.deleted}`))) return;
  let gone = 0;
  const refused = [];
  try {
    for (let at = 0; at < keys.length; at += BATCH) {
      const outcome = await remove(page, { keys: keys.slice(at, at + BATCH) });
      gone += outcome.deleted;
      refused.push(...outcome.refused);
    }
  } catch (error) {
    complain(error);
  }
  told(gone, refused);
}

/** Delete all below a prefix, call by call. */
async function dropBelow(prefix) {
  if (!(await askFirst(`Delete everything in ${prefix}? ${page.dataset.deleted}`))) return;
  let gone = 0;
  const refused = [];
  try {
    for (let after = null; ;) {
      const outcome = await remove(page, { prefix, after });
      gone += outcome.deleted;
      refused.push(...outcome.refused);
      after = outcome.next;
      if (!after) break;
      toast(`Deleted ${gone} objects so far…`);
    }
  } catch (error) {
    complain(error);
  }
  told(gone, refused);
}

async function copyLinks(keys) {
  try {
    const links = [];
    for (const key of keys) links.push(await link(page, "SHARE", key));
    await navigator.clipboard.writeText(links.join("\n"));
    toast(`${links.length === 1 ? "1 link" : `${links.length} links`} copied, for one day. Share links lists them.`, { level: "good" });
  } catch (error) {
    if (error.name === "NotAllowedError") toast("The browser does not let this page copy.", { level: "bad" });
    else complain(error);
  }
}

const chosen = () => boxes().filter((box) => box.checked).map((box) => box.dataset.key);

if (page) {
  page.addEventListener("change", (event) => {
    if (event.target.matches("[data-choose-all]")) for (const box of boxes()) box.checked = event.target.checked;
    if (event.target.matches("[data-choose-all], [data-key]")) counted();
  });
  document.addEventListener("click", (event) => {
    const act = event.target.closest("[data-download], [data-delete], [data-delete-below], [data-delete-chosen], [data-copy-links], [data-choose-none]");
    if (!act) return;
    if (act.matches("[data-download]")) download(act.dataset.download, act.dataset.version);
    else if (act.matches("[data-delete]")) drop([act.dataset.delete]);
    else if (act.matches("[data-delete-below]")) dropBelow(act.dataset.deleteBelow);
    else if (act.matches("[data-delete-chosen]")) drop(chosen());
    else if (act.matches("[data-copy-links]")) copyLinks(chosen());
    else {
      for (const box of boxes()) box.checked = false;
      counted();
      page.querySelector("[data-choose-all]")?.focus();
    }
  });

  // A list that is renewed while somebody chooses keeps what was chosen; a filter changes where uploads go.
  let kept = new Set();
  page.addEventListener("htmx:beforeSwap", () => {
    kept = new Set(boxes().filter((box) => box.checked).map((box) => box.dataset.key));
  });
  page.addEventListener("htmx:afterSwap", () => {
    const folder = page.querySelector("[data-folder]")?.dataset.folder;
    if (folder === undefined) return;
    page.dataset.prefix = folder;
    const name = page.querySelector("[data-folder-name]");
    if (name) name.textContent = folder;
    for (const box of boxes()) box.checked = kept.has(box.dataset.key);
    counted();
  });
}
