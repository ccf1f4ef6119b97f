// How long ago and how far ahead times are, by the clock of the browser: a page may be opened long after it was made.
"use strict";
(() => {
  const MINUTE = 60000;
  const DAY = 86400000;
  // From this age on a page says how old it is, and nothing on it is shown as good any more.
  const OLD = 36 * 60 * MINUTE;
  const root = document.documentElement;
  const zone = root.dataset.timezone;
  const count = (value, unit) => `${value.toLocaleString("en")} ${unit}${value === 1 ? "" : "s"}`;

  const span = (length) => {
    const minutes = Math.floor(length / MINUTE);
    return minutes < 1 ? "less than a minute"
      : minutes < 120 ? count(minutes, "minute")
      : minutes < 48 * 60 ? count(Math.floor(minutes / 60), "hour")
      : count(Math.floor(minutes / (24 * 60)), "day");
  };
  // Today's date in the owner's time zone; Swedish writes dates as ISO 8601 does.
  const today = () => new Intl.DateTimeFormat("sv-SE", { timeZone: zone }).format(Date.now());
  const ahead = (day) => {
    const days = Math.round((Date.parse(day) - Date.parse(today())) / DAY);
    const near = { 0: "today", 1: "tomorrow", [-1]: "yesterday" };
    return near[days] ?? (days > 0 ? `in ${count(days, "day")}` : `${count(-days, "day")} ago`);
  };
  const moment = new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "medium", timeStyle: "short" });
  const WORDS = {
    age: (text) => span(Date.now() - Date.parse(text)),
    ago: (text) => `${span(Date.now() - Date.parse(text))} ago`,
    ahead,
  };

  const say = () => {
    for (const each of document.querySelectorAll("time[data-relative]")) {
      each.textContent = WORDS[each.dataset.relative](each.dateTime);
      if (each.dateTime.includes("T")) {
        each.title = moment.format(Date.parse(each.dateTime));
      }
    }
    const made = Date.parse(document.getElementById("made").dateTime);
    const isOld = Date.now() - made > OLD;
    const banner = document.getElementById("old");
    root.toggleAttribute("data-old", isOld);
    banner.hidden = !isOld;
    banner.querySelector("strong").textContent = `This report is ${span(Date.now() - made)} old.`;
  };
  say();
  document.addEventListener("visibilitychange", say);
})();
