// Bytes go straight to the S3 front: the page asks for a signed URL, and the browser talks to it.

export class Refused extends Error {
  constructor(message, { status = 0, code = "", requestId = "" } = {}) {
    super(message);
    Object.assign(this, { status, code, requestId });
  }
}

/** Take the token of a page that was loaded before somebody signed in again. Resolves to whether there is another. */
async function renew(page) {
  const text = await fetch(location.href).then((answer) => answer.text()).catch(() => "");
  const token = new DOMParser().parseFromString(text, "text/html").querySelector("[data-csrf]")?.dataset.csrf;
  if (token) page.dataset.csrf = token;
  return Boolean(token);
}

/** POST JSON to one of the page's own URLs. Throws Refused. */
async function ask(page, url, body, isSecond = false) {
  let answer;
  try {
    answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": page.dataset.csrf },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Refused("The server cannot be reached.");
  }
  const found = await answer.json().catch(() => ({}));
  if (answer.status === 403 && found.code === "csrf_failed" && !isSecond && await renew(page)) {
    return ask(page, url, body, true);
  }
  if (answer.status === 401 || found.code === "csrf_failed") {
    throw new Refused("You are signed out. Sign in again in another window, then try again here.", { status: 401 });
  }
  if (!answer.ok) {
    const requestId = found.request_id ?? answer.headers.get("X-Request-ID") ?? "";
    throw new Refused(found.detail ?? `The server answered ${answer.status}.`, { status: answer.status, code: found.code, requestId });
  }
  return found;
}

/** A signed URL for one request on an object; `more` names a version, or an upload's id and part. */
export async function link(page, method, key, more = {}) {
  return (await ask(page, page.dataset.links, { method, key, ...more })).url;
}

/** Delete objects by `{keys}`, or all below a `{prefix}`: what was `deleted`, `refused`, and where to go on (`next`). */
export function remove(page, which) {
  return ask(page, page.dataset.deletes, which);
}

/** What the S3 front's error answer says. */
export function refusal(status, text, requestId) {
  const xml = new DOMParser().parseFromString(text || "<none/>", "application/xml");
  const said = (name) => xml.querySelector(name)?.textContent ?? "";
  return new Refused(said("Message") || `The store answered ${status}.`, {
    status,
    code: said("Code"),
    requestId: said("RequestId") || requestId || "",
  });
}

/** Ask for the first byte: a download that fails says nothing on the page. Throws Refused. */
export async function probe(url) {
  const answer = await fetch(url, { headers: { Range: "bytes=0-0" } }).catch(() => {
    throw new Refused("The server cannot be reached.");
  });
  if (!answer.ok && answer.status !== 416) {
    throw refusal(answer.status, await answer.text(), answer.headers.get("x-amz-request-id"));
  }
  await answer.body?.cancel();
}

/** Have the browser save what is at a URL. */
export function save(url, name) {
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
}

/** PUT a file or a piece of one; `progress(sent)` is called along the way, `signal` stops it. Resolves to the ETag.
 *  Throws Refused, or AbortError. */
export function put(url, file, { progress, signal, replace = true }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open("PUT", url);
    xhr.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    if (!replace) xhr.setRequestHeader("If-None-Match", "*");
    xhr.upload.addEventListener("progress", (event) => progress(event.loaded));
    xhr.addEventListener("load", () => {
      if (xhr.status >= 200 && xhr.status < 300) resolve(xhr.getResponseHeader("ETag") ?? "");
      else reject(refusal(xhr.status, xhr.responseText, xhr.getResponseHeader("x-amz-request-id")));
    });
    xhr.addEventListener("error", () => reject(new Refused("The connection broke off.")));
    xhr.addEventListener("abort", () => reject(new DOMException("Cancelled", "AbortError")));
    signal.addEventListener("abort", () => xhr.abort());
    if (signal.aborted) reject(new DOMException("Cancelled", "AbortError"));
    else xhr.send(file);
  });
}

/** Run `work` on each of `items`, a few at a time. */
export async function each(items, work, width = 3) {
  const queue = [...items];
  await Promise.all(Array.from({ length: Math.min(width, queue.length) }, async () => {
    while (queue.length) await work(queue.shift());
  }));
}
