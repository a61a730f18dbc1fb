// In the head and not deferred, so that no page shows the wrong colours first. The admin keeps its choice under the
// same key, which makes it one choice.
(() => {
  const KEY = "adminTheme";
  const ORDER = ["auto", "light", "dark"];
  const LABELS = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" };
  const ICONS = { auto: "screen", light: "sun", dark: "moon" };

  function stored() {
    try {
      const value = JSON.parse(localStorage.getItem(KEY));
      return ORDER.includes(value) ? value : "auto";
    } catch {
      return "auto";
    }
  }

  function apply(theme) {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.querySelector("[data-theme-label]").textContent = LABELS[theme];
      const use = button.querySelector("use");
      use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${ICONS[theme]}`));
    }
  }

  apply(stored());
  document.addEventListener("DOMContentLoaded", () => apply(stored()));
  window.addEventListener("storage", (event) => event.key === KEY && apply(stored()));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const next = ORDER[(ORDER.indexOf(stored()) + 1) % ORDER.length];
    try {
      localStorage.setItem(KEY, JSON.stringify(next));
    } catch {
      // A browser that stores nothing keeps the choice for this page.
    }
    apply(next);
  });
})();
