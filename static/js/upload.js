// One file on its way up: its progress, how it ended, and what may be done then.

import { make, icon, size } from "./dom.js";
import { forget, inParts, putInParts } from "./parts.js";
import { link, put } from "./s3.js";

const TAKEN = "There is an object of this name already.";

/** `state` is waiting, going, done, taken (there is such an object), failed or cancelled. */
export class Upload extends EventTarget {
  constructor(page, file, key) {
    super();
    this.page = page;
    this.file = file;
    this.key = key;
    this.replaces = false;
    this.kept = {};  // of an upload in parts: what went up, so that it can go on
    this.bar = make("progress", { max: "100", value: "0", "aria-label": `Upload of ${key}` });
    this.words = make("span", { class: "upload-state" });
    this.actions = make("span", { class: "upload-actions" });
    this.box = make("li", { class: "upload" },
      make("span", {}, make("span", { class: "upload-name", text: key }), " ", this.words), this.actions, this.bar);
    this.wait();
  }

  get isOver() {
    return !["waiting", "going"].includes(this.state);
  }

  wait() {
    this.control = new AbortController();
    this.become("waiting", "Waiting", [["Cancel", "close", () => this.cancel()]]);
  }

  become(state, words, actions) {
    const focused = this.box.contains(document.activeElement);
    this.state = state;
    this.box.dataset.state = state === "taken" || state === "cancelled" ? "failed" : state;
    this.words.textContent = words;
    this.actions.replaceChildren(...actions.map(([label, picture, act]) => {
      const button = make("button", { type: "button", class: "button quiet small", "aria-label": `${label}: ${this.key}` }, icon(picture), label);
      button.addEventListener("click", act);
      return button;
    }));
    if (focused) this.actions.querySelector("button")?.focus();
    this.dispatchEvent(new Event("changed"));
  }

  cancel() {
    this.control.abort();
    if (this.state === "waiting") this.ended("cancelled", "Cancelled");
  }

  remove() {
    forget(this.page, this.key, this.kept);
    this.box.remove();
    this.dispatchEvent(new Event("removed"));
  }

  again(replaces = this.replaces) {
    this.replaces = replaces;
    this.wait();
    this.dispatchEvent(new Event("again"));
  }

  ended(state, words) {
    const again = { taken: "Replace it", failed: "Try again", cancelled: "Start over" }[state];
    this.become(state, words, [
      [again, "refresh", () => this.again(state === "taken" || this.replaces)],
      ["Remove", "close", () => this.remove()],
    ]);
  }

  async run() {
    if (this.state !== "waiting") return;
    this.become("going", "Starting", [["Cancel", "close", () => this.cancel()]]);
    try {
      const most = Number(this.page.dataset.mostBytes);
      const how = { replace: this.replaces, most, signal: this.control.signal, progress: (sent) => this.moved(sent), kept: this.kept };
      if (inParts(this.file, most)) await putInParts(this.page, this.key, this.file, how);
      else await put(await link(this.page, "PUT", this.key), this.file, how);
      this.bar.value = 100;
      this.become("done", "Done", []);
      setTimeout(() => this.remove(), 5000);
      document.body.dispatchEvent(new CustomEvent("uploaded"));
    } catch (error) {
      if (error.name === "AbortError") this.ended("cancelled", "Cancelled");
      else if (error.status === 412 || error.code === "object_exists") this.ended("taken", TAKEN);
      else this.ended("failed", error.requestId ? `${error.message} (request ${error.requestId})` : error.message);
    }
  }

  moved(sent) {
    const total = this.file.size || 1;
    this.bar.value = Math.min(100, (sent / total) * 100);
    this.words.textContent = sent >= total ? "Finishing" : `${size(sent)} of ${size(this.file.size)}`;
  }
}
