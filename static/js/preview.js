// The beginning of a text object, fetched from the S3 front and put in as text, whatever it is.

import { refusal } from "./s3.js";

const MOST = 64 * 1024;

async function show(box) {
  const url = box.dataset.preview;
  delete box.dataset.preview;
  try {
    const answer = await fetch(url, { cache: "no-store", headers: { Range: `bytes=0-${MOST - 1}` } });
    if (!answer.ok) throw refusal(answer.status, await answer.text());
    box.textContent = new TextDecoder().decode((await answer.arrayBuffer()).slice(0, MOST));
  } catch (error) {
    box.textContent = `It cannot be shown: ${error.message}`;
  }
}

function all() {
  document.querySelectorAll("[data-preview]").forEach(show);
}

all();
document.addEventListener("htmx:afterSwap", all);
