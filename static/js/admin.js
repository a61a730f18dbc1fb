// What the admin's templates call (gateway/admin_templates.py): expressions that the policy forbids to write there.

const SIDEBAR = "sidebarDesktopOpen";

const helpers = {
  currentTab: () => getCurrentTab(),
  formAction(tab) {
    const here = window.location.pathname + window.location.search;
    return tab && tab !== "general" ? `${here}#${tab}` : here;
  },
  sidebarKept: () => (localStorage.getItem(SIDEBAR) ?? "1") === "1",
  keepSidebar: (open) => localStorage.setItem(SIDEBAR, open ? "1" : "0"),
  clearSearch(input) {
    if (input.value === "") input.blur();
    else input.value = "";
  },
  moveRecords: (event) => moveRecords(event),
  sortRecords: (event) => sortRecords(event),
};

document.addEventListener("alpine:init", () => {
  Alpine.data("theme", (chosen) => ({ ...theme(chosen), ...helpers }));
  Alpine.data("searchForm", searchForm);
  Alpine.data("searchDropdown", searchDropdown);
  Alpine.data("searchCommand", searchCommand);
});

function widths(within) {
  for (const bar of within.querySelectorAll("[data-width]")) bar.style.width = `${bar.dataset.width}%`;
}

document.addEventListener("DOMContentLoaded", () => widths(document));
document.addEventListener("htmx:afterSwap", (event) => widths(event.target));
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id === "counts" && document.hidden) event.preventDefault(); // nobody looks
});
