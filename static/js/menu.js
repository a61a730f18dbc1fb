// The menu of narrow screens, and choices that show their button once they differ from what is.

const sidebar = document.querySelector(".sidebar");
const button = document.querySelector("[data-menu]");

function show(opened) {
  sidebar.toggleAttribute("data-open", opened);
  button.setAttribute("aria-expanded", String(opened));
}

if (button) {
  button.addEventListener("click", () => show(!sidebar.hasAttribute("data-open")));
  sidebar.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !sidebar.hasAttribute("data-open")) return;
    show(false);
    button.focus();
  });
}

document.addEventListener("change", (event) => {
  // Not sent at once: the arrow keys go through every option on the way.
  const form = event.target.closest("form.apply");
  if (form) form.querySelector("button").hidden = event.target.selectedOptions[0].defaultSelected;
});
