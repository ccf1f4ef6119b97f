// Shared by all pages: access to the data, the button for light and dark, sortable and filterable tables, and charts.
"use strict";
const Report = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const NARROW = 640;

  const get = (id) => document.getElementById(id);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const series = (place) => color(`series-${(place % 6) + 1}`);
  const escape = (text) =>
    String(text).replace(/[&<>"']/g, (each) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[each]);
  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const some = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
  const number = (value) => (value === null || value === undefined ? "–" : (Math.abs(value) >= 100 ? whole : some).format(value));
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const percent = (share) => (share === null || share === undefined ? "–" : `${Math.round(100 * share)}%`);
  const count = (value, one, many = `${one}s`) => `${whole.format(value)} ${value === 1 ? one : many}`;

  // Dates are computed in UTC, where every day has the same length.
  const DAY = 86400000;
  const parse = (text) => Date.parse(`${text}T00:00:00Z`);
  const iso = (time) => new Date(time).toISOString().slice(0, 10);
  const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const month = (text) => `${MONTHS[Number(text.slice(5, 7)) - 1]} ${text.slice(0, 4)}`;
  const monthTick = (text) => `${MONTHS[Number(text.slice(5, 7)) - 1]} ’${text.slice(2, 4)}`;
  const dayTick = (text) => `${Number(text.slice(8))} ${MONTHS[Number(text.slice(5, 7)) - 1]}`;
  const date = (text) => `${dayTick(text)} ${text.slice(0, 4)}`;
  const day = (text) => `${WEEKDAYS[new Date(parse(text)).getUTCDay()]} ${date(text)}`;
  const addMonths = (text, more) => {
    const place = Number(text.slice(0, 4)) * 12 + Number(text.slice(5, 7)) - 1 + more;
    return `${String(Math.floor(place / 12)).padStart(4, "0")}-${String((place % 12) + 1).padStart(2, "0")}`;
  };
  const monthsBetween = (first, last) =>
    (Number(last.slice(0, 4)) - Number(first.slice(0, 4))) * 12 + Number(last.slice(5, 7)) - Number(first.slice(5, 7));

  // The HTML of a tooltip: a title, and pairs of name and value. All text is escaped here.
  const tip = (title, lines) =>
    `<strong>${escape(title)}</strong>` + lines.map(([name, value]) => `<br>${escape(name)}${name && value !== "" ? ": " : ""}${escape(value)}`).join("");

  const look = () => {
    const axis = {
      axisLine: { lineStyle: { color: color("strong-line") } },
      axisTick: { show: false },
      axisLabel: { color: color("muted"), fontSize: 12 },
      splitLine: { lineStyle: { color: color("line") } },
      nameTextStyle: { color: color("muted"), fontSize: 12 },
    };
    return { axis, text: { color: color("ink"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 } };
  };

  const merged = (base, more) => {
    const made = { ...base };
    for (const [name, value] of Object.entries(more)) {
      const isPlain = value !== null && typeof value === "object" && !Array.isArray(value);
      made[name] = isPlain && made[name] && typeof made[name] === "object" ? merged(made[name], value) : value;
    }
    return made;
  };

  // `make` is called with whether the screen is narrow, and with a function that styles an axis. It returns the chart's option,
  // its height in pixels and a table with the same data, or null if there is nothing to draw. Call `draw` after a change.
  const charts = [];
  const chart = (id, make) => {
    const box = get(id);
    if (box === null) {
      return { draw() {} };
    }
    const figure = get(`${id}-figure`);
    const empty = figure.querySelector(":scope > .empty");
    const details = figure.querySelector("details");
    let shown = null;
    let table = null;
    const fill = () => {
      if (details.open && table !== null) {
        details.querySelector(".scroll").replaceChildren(asTable(table));
      }
    };
    details.addEventListener("toggle", fill);
    const draw = () => {
      const { axis, text } = look();
      const made = make(figure.clientWidth < NARROW, (more) => merged(axis, more));
      box.hidden = made === null;
      empty.hidden = made !== null;
      details.hidden = made === null;
      if (made === null) {
        return;
      }
      box.style.height = `${made.height}px`;
      shown ??= echarts.init(box, null, { renderer: "canvas" });
      shown.resize();
      shown.setOption(
        merged(
          {
            animation: false,
            grid: { outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
            textStyle: text,
            aria: { enabled: true, label: { data: { maxCount: 6 } } },
            tooltip: {
              backgroundColor: color("surface"),
              borderColor: color("strong-line"),
              borderWidth: 1,
              padding: [8, 12],
              textStyle: { color: color("ink"), fontSize: 13 },
              confine: true,
              extraCssText: "box-shadow: 0 4px 16px rgba(0, 0, 0, 0.14); border-radius: 8px;",
            },
            legend: {
              textStyle: { color: color("muted"), fontSize: 12 },
              inactiveColor: color("strong-line"),
              pageTextStyle: { color: color("muted") },
              pageIconColor: color("accent"),
              pageIconInactiveColor: color("strong-line"),
              icon: "roundRect",
              itemWidth: 12,
              itemHeight: 12,
              itemGap: 16,
            },
          },
          made.option,
        ),
        { notMerge: true },
      );
      table = made.table;
      fill();
    };
    const one = { draw, width: figure.clientWidth, figure };
    charts.push(one);
    draw();
    return { draw, get view() { return shown; } };
  };

  const asTable = ({ columns, rows }) => {
    const made = document.createElement("table");
    const head = made.createTHead().insertRow();
    for (const [place, name] of columns.entries()) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = name;
      cell.className = place ? "right" : "";
      head.append(cell);
    }
    const body = made.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      for (const [place, value] of row.entries()) {
        const cell = document.createElement(place ? "td" : "th");
        if (!place) {
          cell.scope = "row";
        }
        cell.textContent = value;
        cell.className = place ? "right" : "";
        line.append(cell);
      }
    }
    return made;
  };

  // All selects and inputs of a page that change a chart.
  const on = (ids, draw) => {
    for (const id of ids) {
      get(id)?.addEventListener("input", draw);
    }
  };
  const options = (id, pairs, selected) => {
    const box = get(id);
    box.replaceChildren(...pairs.map(([value, text]) => new Option(text, value, false, value === selected)));
  };
  const value = (id) => get(id)?.value ?? "";

  // On a narrow screen a wide table is shown as cards, where each value has the name of its column.
  const CARD_COLUMNS = 5;
  const nameCells = (table) => {
    const names = [...table.tHead.rows[0].cells].map((head) => head.textContent);
    table.classList.toggle("cards", names.length >= CARD_COLUMNS);
    for (const row of table.tBodies[0].rows) {
      for (const [place, cell] of [...row.cells].entries()) {
        cell.dataset.name = names[place];
      }
    }
  };

  const sortable = (table) => {
    for (const [place, head] of [...table.tHead.rows[0].cells].entries()) {
      if (head.dataset.sort === undefined) {
        continue;
      }
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      const isNumber = head.dataset.sort === "number";
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        // The first click sorts numbers from the greatest, and names from A.
        const first = isNumber ? "descending" : "ascending";
        const order = before === null ? first : before === "ascending" ? "descending" : "ascending";
        for (const each of table.tHead.rows[0].cells) {
          each.removeAttribute("aria-sort");
        }
        head.setAttribute("aria-sort", order);
        const keyOf = (row) => {
          const cell = row.cells[place];
          return isNumber ? Number(cell.dataset.value ?? cell.textContent) : cell.textContent.trim();
        };
        const sign = order === "ascending" ? 1 : -1;
        const rows = [...table.tBodies[0].rows].map((row) => [keyOf(row), row]);
        rows.sort(([one], [other]) => sign * (isNumber ? one - other : one.localeCompare(other, "en", { sensitivity: "base" })));
        table.tBodies[0].append(...rows.map(([, row]) => row));
        table.dispatchEvent(new Event("sorted"));
      });
    }
  };

  // A long table shows its first rows, and a button shows the others.
  const ROWS = 12;
  const filterable = (table) => {
    const search = get(table.dataset.search ?? "");
    const filters = (table.dataset.filters ?? "")
      .split(" ")
      .filter(Boolean)
      .map((pair) => pair.split(":"))
      .map(([id, key]) => [get(id), key])
      .filter(([box]) => box !== null);
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    let isOpen = false;
    const body = table.tBodies[0];
    // For a single hidden row a button is not worth its space.
    const isLong = table.dataset.rows !== "all" && body.rows.length > ROWS + 1;
    table.parentElement.after(more);
    const counted = document.querySelector(`[data-count="${table.id}"]`);
    const said = counted?.textContent;
    const empty = document.querySelector(`[data-empty="${table.id}"]`);
    const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    const texts = new Map([...body.rows].map((row) => [row, plain(row.dataset.text ?? "")]));
    const apply = () => {
      const wanted = plain(search?.value ?? "").trim();
      let left = 0;
      for (const row of body.rows) {
        const isThere = texts.get(row).includes(wanted) && filters.every(([box, key]) => !box.value || row.dataset[key] === box.value);
        left += isThere ? 1 : 0;
        row.hidden = !isThere || (isLong && !isOpen && left > ROWS);
      }
      more.hidden = !isLong || left <= ROWS;
      more.textContent = isOpen ? "Show fewer" : `Show all ${count(left, "row")}`;
      more.setAttribute("aria-expanded", String(isOpen));
      const isFiltered = wanted !== "" || filters.some(([box]) => box.value);
      if (counted) {
        counted.textContent = isFiltered ? `${count(left, counted.dataset.one, counted.dataset.many)} of those shown` : said;
      }
      if (empty) {
        empty.hidden = left > 0;
      }
    };
    more.addEventListener("click", () => {
      isOpen = !isOpen;
      apply();
    });
    table.addEventListener("sorted", apply);
    search?.addEventListener("input", apply);
    for (const [box] of filters) {
      box.addEventListener("input", apply);
    }
    // When the user goes back, the browser restores what was typed.
    apply();
  };

  const themeButton = () => {
    const button = get("theme");
    const NEXT = { auto: "light", light: "dark", dark: "auto" };
    const say = () => {
      const choice = window.reportingTheme.chosen();
      button.textContent = `Theme: ${choice}`;
      button.title = `Change to ${NEXT[choice]}`;
    };
    button.addEventListener("click", () => {
      window.reportingTheme.choose(NEXT[window.reportingTheme.chosen()]);
      say();
    });
    say();
    button.hidden = false;
  };

  themeButton();
  for (const table of document.querySelectorAll("table[id]")) {
    nameCells(table);
    sortable(table);
    filterable(table);
  }
  // Scrolls the menu so that the current page is visible in it.
  document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  document.addEventListener("theme", () => charts.forEach((each) => each.draw()));
  let waiting = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => {
      for (const each of charts) {
        if (each.width !== each.figure.clientWidth) {
          each.width = each.figure.clientWidth;
          each.draw();
        }
      }
    });
  });

  return { data, DAY, addMonths, chart, color, count, date, day, dayTick, get, iso, month, monthTick, monthsBetween, number, on, options, parse, percent, series, short, tip, value };
})();
