// The page of a share link: the bytes are tried before the browser is led to them, which would show an error as XML.

import { probe, Refused, save } from "./s3.js";

const form = document.querySelector("[data-shared]");

async function download() {
  let answer;
  try {
    answer = await fetch(location.href, { method: "POST", headers: { "HX-Request": "true" }, body: new FormData(form) });
  } catch {
    throw new Refused("The server cannot be reached.");
  }
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(found.detail ?? `The server answered ${answer.status}.`, { status: answer.status });
  await probe(found.url);
  save(found.url, form.dataset.shared);
}

if (form) {
  const button = form.querySelector("button");
  const told = document.querySelector("[data-shared-error]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    told.hidden = true;
    button.disabled = true;
    try {
      await download();
    } catch (error) {
      if (error.status === 410) location.reload();
      told.textContent = error.message;
      told.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}
