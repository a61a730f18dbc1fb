// What is put in anew keeps the focus where it was: at the field to be mended, at the same control, or at the part itself.

let kept = null;

const mark = (element) => [
  element.tagName, element.getAttribute("name"), element.getAttribute("aria-label") ?? "",
  element.matches("input, select, textarea") ? element.type : element.textContent.trim(),
].join("|");

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target } = event.detail;
  const focused = document.activeElement;
  if (event.detail.shouldSwap && focused !== document.body && target.contains(focused)) kept = { mark: mark(focused), id: target.id };
});

document.addEventListener("htmx:afterSettle", (event) => {
  const was = kept;
  kept = null;
  if (!was || (document.activeElement && document.activeElement !== document.body)) return;
  const part = document.getElementById(was.id) ?? event.detail.target;
  const all = [...part.querySelectorAll("a[href], button, input, select, textarea, summary")];
  const next = part.querySelector("[aria-invalid=true]") ?? all.find((element) => !element.disabled && mark(element) === was.mark);
  if (!next) part.setAttribute("tabindex", "-1");
  (next ?? part).focus({ preventScroll: !next });
});
