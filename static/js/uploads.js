// Uploading by button, drop or paste: several files and folders at once, each with its progress and its own end.

import { make, icon, size } from "./dom.js";
import { inParts, putInParts } from "./parts.js";
import { each, link, put } from "./s3.js";
import { toast } from "./toasts.js";

const page = document.querySelector("[data-links]");
const zone = document.querySelector("[data-dropzone]");
const list = document.querySelector("[data-uploads]");
let running = 0;

class Upload {
  constructor(file, key) {
    this.file = file;
    this.key = key;
    this.bar = make("progress", { max: "100", value: "0", "aria-label": `Upload of ${key}` });
    this.state = make("span", { class: "upload-state", text: "Waiting" });
    this.actions = make("span", { class: "upload-actions" });
    this.box = make("li", { class: "upload" },
      make("span", {}, make("span", { class: "upload-name", text: key }), " ", this.state), this.actions, this.bar);
    list.append(this.box);
    this.offer("Cancel", "close", () => this.control.abort());
    this.control = new AbortController();
  }

  offer(label, name, act) {
    const button = make("button", { type: "button", class: "button quiet small", "aria-label": `${label}: ${this.key}` }, icon(name), label);
    button.addEventListener("click", act);
    this.actions.append(button);
  }

  end(state, text) {
    this.box.dataset.state = state;
    this.state.textContent = text;
    this.actions.replaceChildren();
    if (state === "done") setTimeout(() => this.box.remove(), 5000);
    else {
      this.offer("Remove", "close", () => this.box.remove());
    }
  }

  again(label, replace) {
    this.offer(label, "refresh", () => {
      this.actions.replaceChildren();
      delete this.box.dataset.state;
      this.control = new AbortController();
      this.offer("Cancel", "close", () => this.control.abort());
      this.run(replace);
    });
  }

  async run(replace = false) {
    if (this.control.signal.aborted) {
      this.end("failed", "Cancelled");
      return;
    }
    running += 1;
    this.state.textContent = "Starting";
    try {
      const most = Number(page.dataset.mostBytes);
      const how = { replace, most, signal: this.control.signal, progress: (sent) => this.moved(sent) };
      if (inParts(this.file, most)) await putInParts(page, this.key, this.file, how);
      else await put(await link(page, "PUT", this.key), this.file, how);
      this.bar.value = 100;
      this.end("done", "Done");
      document.body.dispatchEvent(new CustomEvent("uploaded"));
    } catch (error) {
      if (error.name === "AbortError") {
        this.end("failed", "Cancelled");
        this.again("Start over", replace);
      } else if (error.status === 412) {
        this.end("failed", "There is an object of this name already.");
        this.again("Replace it", true);
      } else {
        this.end("failed", error.requestId ? `${error.message} (request ${error.requestId})` : error.message);
        this.again("Try again", replace);
      }
    } finally {
      running -= 1;
    }
  }

  moved(sent) {
    const total = this.file.size || 1;
    this.bar.value = Math.min(100, (sent / total) * 100);
    this.state.textContent = sent >= total ? "Finishing" : `${size(sent)} of ${size(this.file.size)}`;
  }
}

function start(files) {
  const uploads = [];
  for (const { file, path } of files) {
    uploads.push(new Upload(file, page.dataset.prefix + path));
  }
  return each(uploads, (upload) => upload.run()).then(() => {
    const done = uploads.filter((upload) => upload.box.dataset.state === "done").length;
    if (done) toast(done === 1 ? `${uploads.find((u) => u.box.dataset.state === "done").key} is uploaded.` : `${done} files are uploaded.`, { level: "good" });
  });
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
  window.addEventListener("beforeunload", (event) => running && event.preventDefault());
}
