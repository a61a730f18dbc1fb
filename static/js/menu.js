// The menu of narrow screens, and controls that send their form when they change.

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
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});
