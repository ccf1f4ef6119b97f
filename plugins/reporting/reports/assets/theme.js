// Runs before the page is drawn, so that it does not flash: light or dark, as chosen here, as the page around it, or as the
// system is.
"use strict";
(() => {
  const KEY = "reporting-theme";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  // Airflow's web interface, where it frames this page, says its own colours by a class.
  const around = () => {
    try {
      const names = window.parent === window ? null : window.parent.document.documentElement.classList;
      return names === null ? null : names.contains("dark") ? "dark" : names.contains("light") ? "light" : null;
    } catch {
      return null;
    }
  };
  const chosen = () => (["light", "dark"].includes(stored()) ? stored() : "auto");
  const apply = () => {
    const choice = chosen();
    const theme = choice === "auto" ? around() ?? (dark.matches ? "dark" : "light") : choice;
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("theme"));
  };
  window.reportingTheme = {
    chosen,
    choose(choice) {
      try {
        localStorage.setItem(KEY, choice);
      } catch {
        // It then lasts as long as the page does.
        document.documentElement.dataset.theme = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
        document.dispatchEvent(new Event("theme"));
        return;
      }
      apply();
    },
  };
  dark.addEventListener("change", apply);
  apply();
})();
