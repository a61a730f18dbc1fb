// Uploading by button, drop or paste: several files and folders at once, each with its own end, and all of them together.

import { toast } from "./toasts.js";
import { Upload } from "./upload.js";

const page = document.querySelector("[data-links]");
const zone = document.querySelector("[data-dropzone]");
const list = document.querySelector("[data-uploads]");
const head = document.querySelector("[data-uploads-head]");
const uploads = new Set();
let finished = 0;

const those = (...states) => [...uploads].filter((upload) => states.includes(upload.state));

function summed() {
  const going = those("waiting", "going").length;
  const shown = { cancel: those("waiting", "going"), replace: those("taken"), again: those("failed", "cancelled"), clear: those("taken", "failed", "cancelled") };
  head.hidden = uploads.size < 2;
  const failed = shown.clear.length;
  const words = [going && `${going} to go`, finished && `${finished} uploaded`, failed && `${failed} not uploaded`];
  head.querySelector("[data-uploads-count]").textContent = words.filter(Boolean).join(", ");
  for (const [name, which] of Object.entries(shown)) {
    const button = head.querySelector(`[data-uploads-${name}]`);
    if (button === document.activeElement && !which.length) head.querySelector("button:not([hidden])")?.focus();
    button.hidden = !which.length;
  }
}

// Many end at once when all are cancelled or taken up again: they are counted once.
let due = false;
function changed() {
  if (due) return;
  due = true;
  queueMicrotask(() => { due = false; summed(); });
}

function added(file, key) {
  const upload = new Upload(page, file, key);
  upload.addEventListener("changed", () => {
    if (upload.state === "done") finished += 1;
    changed();
  });
  upload.addEventListener("removed", () => { uploads.delete(upload); changed(); });
  upload.addEventListener("again", () => { waiting.push(upload); work(); });
  uploads.add(upload);
  list.append(upload.box);
  return upload;
}

const WIDTH = 3;
const waiting = [];
let workers = 0;
let done = [];

async function work() {
  if (workers >= WIDTH) return;
  workers += 1;
  while (waiting.length) {
    const upload = waiting.shift();
    await upload.run();
    if (upload.state === "done") done.push(upload.key);
  }
  workers -= 1;
  if (workers || !done.length) return;
  toast(done.length === 1 ? `${done[0]} is uploaded.` : `${done.length} files are uploaded.`, { level: "good" });
  done = [];
}

function start(files) {
  if (!uploads.size) finished = 0;
  const sorted = files.toSorted((one, other) => (one.path < other.path ? -1 : 1));
  for (const { file, path } of sorted) waiting.push(added(file, page.dataset.prefix + path));
  changed();
  for (let worker = 0; worker < WIDTH; worker += 1) work();
}

const plain = (files) => [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));

/** The files of a dropped folder, with their paths. */
async function inside(entry, path = "") {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path: path + entry.name }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const child of some) found.push(...(await inside(child, `${path}${entry.name}/`)));
  }
}

if (zone) {
  for (const input of zone.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      const files = plain(input.files);
      input.value = "";
      start(files);
    });
  }
  zone.addEventListener("click", (event) => {
    const button = event.target.closest("[data-chooses]");
    if (button) document.getElementById(button.dataset.chooses).click();
  });
  head.addEventListener("click", (event) => {
    if (event.target.closest("[data-uploads-cancel]")) those("waiting", "going").forEach((upload) => upload.cancel());
    else if (event.target.closest("[data-uploads-replace]")) those("taken").forEach((upload) => upload.again(true));
    else if (event.target.closest("[data-uploads-again]")) those("failed", "cancelled").forEach((upload) => upload.again());
    else if (event.target.closest("[data-uploads-clear]")) those("taken", "failed", "cancelled").forEach((upload) => upload.remove());
  });

  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    depth += 1;
    zone.dataset.over = "";
  });
  document.addEventListener("dragleave", (event) => {
    if (!carriesFiles(event)) return;
    depth -= 1;
    if (depth <= 0) delete zone.dataset.over;
  });
  document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  document.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    delete zone.dataset.over;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.length) return void start(plain(event.dataTransfer.files));
    try {
      start((await Promise.all(entries.map((entry) => inside(entry)))).flat());
    } catch {
      toast("The browser could not read what was dropped.", { level: "bad" });
    }
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length && !event.target.closest("input, textarea")) start(plain(event.clipboardData.files));
  });
  window.addEventListener("beforeunload", (event) => those("waiting", "going").length && event.preventDefault());
}
