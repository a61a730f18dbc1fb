// Large files go up in parts, side by side; one that breaks off is sent again, and the rest is not lost.

import { each, link, put, refusal, Refused } from "./s3.js";

const LEAST = 16 * 2 ** 20;
const MOST_PARTS = 9000;
const TRIES = 4;
const WIDTH = 3;

/** Whether a file goes up in parts: large ones, and those that one request does not take. */
export const inParts = (file, most) => file.size > 4 * LEAST || (most > 0 && file.size > most);

async function send(url, method, { body, headers = {}, signal } = {}) {
  const answer = await fetch(url, { method, body, headers, signal });
  const text = await answer.text();
  if (!answer.ok || text.includes("<Error>")) throw refusal(answer.status, text, answer.headers.get("x-amz-request-id"));
  return new DOMParser().parseFromString(text || "<none/>", "application/xml");
}

/** End an upload of which `kept` knows; the sweep does it else. */
export function forget(page, key, kept) {
  const { upload } = kept;
  delete kept.upload;
  if (upload) link(page, "abort", key, { upload }).then((url) => fetch(url, { method: "DELETE" })).catch(() => {});
}

async function begun(page, key, file, { kept, signal, replace }) {
  if (kept.upload) return;
  const type = file.type || "application/octet-stream";
  const url = await link(page, "create", key, { is_new: !replace });  // or it would be told after the last part
  const answer = await send(url, "POST", { headers: { "Content-Type": type }, signal });
  const upload = answer.querySelector("UploadId")?.textContent;
  if (!upload) throw new Refused("The store did not begin the upload.");
  Object.assign(kept, { upload, tags: new Map() });
}

/** Upload a file as `put` does. What failed goes on by the same `kept`, with the parts that are missing.
 *  Throws Refused, or AbortError. */
export async function putInParts(page, key, file, { progress, signal, replace, most, kept }) {
  const size = Math.min(most || Infinity, Math.max(LEAST, Math.ceil(file.size / MOST_PARTS / 2 ** 20) * 2 ** 20));
  await begun(page, key, file, { kept, signal, replace });
  const { upload, tags } = kept;
  const numbers = Array.from({ length: Math.ceil(file.size / size) }, (_, at) => at + 1);
  const piece = (number) => file.slice((number - 1) * size, number * size);
  const sent = new Map([...tags.keys()].map((number) => [number, piece(number).size]));
  const tell = (number, bytes) => {
    sent.set(number, bytes);
    progress([...sent.values()].reduce((sum, one) => sum + one, 0));
  };
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort());
  try {
    await each(numbers.filter((number) => !tags.has(number)), async (number) => {
      for (let turn = 1; ; turn += 1) {
        try {
          const url = await link(page, "part", key, { upload, part: number });
          tags.set(number, await put(url, piece(number), { progress: (bytes) => tell(number, bytes), signal: stop.signal }));
          return;
        } catch (error) {
          const final = error.name === "AbortError" || (error.status >= 400 && error.status < 500);
          if (final || turn === TRIES) throw error;
          tell(number, 0);
          await new Promise((resolve) => { setTimeout(resolve, 1000 * turn); });
        }
      }
    }, WIDTH);
    const parts = numbers.map((n) => `<Part><PartNumber>${n}</PartNumber><ETag>${tags.get(n).replaceAll('"', "&quot;")}</ETag></Part>`);
    const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`;
    await send(await link(page, "complete", key, { upload }), "POST", { body, headers: replace ? {} : { "If-None-Match": "*" }, signal });
    delete kept.upload;
  } catch (error) {
    stop.abort();
    if (error.name === "AbortError" && signal.aborted) forget(page, key, kept);
    else if (error.code === "NoSuchUpload") delete kept.upload;
    throw error;
  }
}
