// The habits page: one habit's days and months, and all habits in two months.
"use strict";
(() => {
  const { data, DAY, addMonths, chart, color, day, get, iso, month, monthTick, monthsBetween, number, on, options, parse, percent, short, tip, value } = Report;
  if (!data.habits.length) {
    return;
  }
  const thisMonth = data.today.slice(0, 7);
  const NAMES = { c: "done", m: "missed", o: "still open", n: "not due", e: "done, though not due" };

  // The colour of a period: an index into the list of colours below. Only what is done is green.
  const COLOURS = ["empty", "missed", "short", "heat-3"];
  const shade = (habit, place) => {
    const mark = habit.marks[place];
    if (mark === "c" || mark === "e") {
      return 3;
    }
    return mark === "m" ? (habit.amounts?.[place] ? 2 : 1) : 0;
  };
  const targetAt = (habit, place) => habit.targets[monthsBetween(habit.since, iso(starts(habit)[place]).slice(0, 7))] ?? null;

  // The start of each period of a habit. Cached, so that ten years of days are computed only once.
  const known = new Map();
  const starts = (habit) => {
    if (!known.has(habit)) {
      const first = parse(habit.first);
      const made = new Array(habit.marks.length);
      for (let place = 0; place < made.length; place += 1) {
        made[place] =
          habit.period === "daily" ? first + place * DAY
          : habit.period === "weekly" ? first + place * 7 * DAY
          : parse(`${addMonths(habit.first.slice(0, 7), place)}-01`);
      }
      known.set(habit, made);
    }
    return known.get(habit);
  };
  const placeOf = (habit, time) => {
    const first = parse(habit.first);
    const place =
      habit.period === "monthly" ? monthsBetween(habit.first.slice(0, 7), iso(time).slice(0, 7))
      : Math.floor((time - first) / (DAY * (habit.period === "weekly" ? 7 : 1)));
    return place >= 0 && place < habit.marks.length ? place : -1;
  };
  const say = (habit, place) => {
    const amount = habit.amounts?.[place] ?? null;
    const target = habit.amounts ? targetAt(habit, place) : null;
    const lines = [["", NAMES[habit.marks[place]]]];
    if (amount !== null) {
      lines.unshift([habit.name, target === null ? number(amount) : `${number(amount)} of ${number(target)}`]);
    }
    return lines;
  };
  const chosen = () => data.habits[Number(value("habit"))];

  const span = (isNarrow) => {
    const selected = value("year");
    if (selected) {
      return [`${selected}-01-01`, `${selected}-12-31`];
    }
    // If the chart has rows of months, it shows complete months.
    return [isNarrow ? `${addMonths(thisMonth, -11)}-01` : iso(parse(data.today) - 364 * DAY), data.today];
  };
  // On narrow screens, a year is drawn in rows of four months.
  const rows = ([first, last], isNarrow) => {
    if (!isNarrow) {
      return [[first, last]];
    }
    const made = [];
    let from = first;
    while (from <= last) {
      const next = `${addMonths(from.slice(0, 7), 4)}-01`;
      const end = iso(parse(next) - DAY);
      made.push([from, end < last ? end : last]);
      from = next;
    }
    return made;
  };

  const calendar = chart("calendar", (isNarrow) => {
    const habit = chosen();
    const [first, last] = span(isNarrow);
    const cells = [];
    for (let time = parse(first); time <= Math.min(parse(last), parse(data.today)); time += DAY) {
      const place = placeOf(habit, time);
      if (place >= 0) {
        cells.push([iso(time), shade(habit, place), place]);
      }
    }
    if (!cells.length) {
      return null;
    }
    const width = get("calendar-figure").clientWidth - (isNarrow ? 32 : 40);
    const ranges = rows([first, last], isNarrow);
    const weeks = isNarrow ? 19 : 54;
    const left = 34;
    const size = Math.max(8, Math.min(isNarrow ? 18 : 22, Math.floor((width - left - 2) / weeks)));
    const step = size * 7 + 34;
    const mondayFirst = ["S", "M", "T", "W", "T", "F", "S"];
    const option = {
      tooltip: { formatter: ({ data: [on, , place] }) => tip(habit.period === "daily" ? day(on) : `${day(iso(starts(habit)[place]))} (${habit.period})`, say(habit, place)) },
      visualMap: { show: false, type: "piecewise", dimension: 1, pieces: COLOURS.map((name, place) => ({ value: place, color: color(name) })) },
      calendar: ranges.map((range, place) => ({
        range,
        top: 22 + place * step,
        left,
        cellSize: size,
        splitLine: { lineStyle: { color: color("strong-line"), width: 1 } },
        itemStyle: { color: "transparent", borderColor: color("surface"), borderWidth: size > 12 ? 2 : 1 },
        dayLabel: { firstDay: 1, color: color("muted"), fontSize: 11, margin: 8, nameMap: mondayFirst },
        monthLabel: { color: color("muted"), fontSize: 12 },
        yearLabel: { show: false },
      })),
      series: ranges.map(([from, until], place) => ({
        type: "heatmap",
        coordinateSystem: "calendar",
        calendarIndex: place,
        data: cells.filter(([on]) => on >= from && on <= until),
        itemStyle: { borderColor: color("surface"), borderWidth: size > 12 ? 2 : 1, borderRadius: size > 12 ? 3 : 1 },
        emphasis: { itemStyle: { borderColor: color("ink"), borderWidth: 1 } },
      })),
    };
    const seen = [...new Set(cells.map(([, , place]) => place))];
    return {
      option,
      height: ranges.length * step + 4,
      table: {
        columns: [habit.period === "daily" ? "Day" : "From", ...(habit.amounts ? ["Amount"] : []), "State"],
        rows: seen.reverse().map((place) => [
          day(iso(starts(habit)[place])),
          ...(habit.amounts ? [number(habit.amounts[place])] : []),
          NAMES[habit.marks[place]],
        ]),
      },
    };
  });

  const legend = () => {
    const parts = chosen().amounts
      ? [["3", "target reached"], ["short", "below the target"], ["missed", "nothing"], ["empty", "not due, or still open"]]
      : [["3", "done"], ["missed", "missed"], ["empty", "not due, or still open"]];
    get("legend").replaceChildren(
      ...parts.map(([name, text]) => {
        const made = document.createElement("span");
        made.innerHTML = `<svg viewBox="0 0 12 12"><rect class="fill-${name}" width="12" height="12" rx="3"/></svg>`;
        made.append(text);
        return made;
      }),
    );
  };

  const months = chart("months", (isNarrow, axis) => {
    const habit = chosen();
    const values = habit.averages ?? habit.rates;
    const length = Math.min(values.length, isNarrow ? 12 : 24);
    const from = values.length - length;
    const names = Array.from({ length }, (_, place) => addMonths(habit.since, from + place));
    const shown = values.slice(from);
    const targets = habit.targets.slice(from);
    if (!shown.some((each) => each !== null)) {
      return null;
    }
    const isShare = !habit.averages;
    const write = isShare ? percent : number;
    const has = targets.some((each) => each !== null);
    return {
      height: isNarrow ? 260 : 300,
      option: {
        grid: { left: 8, right: 12, top: 40, bottom: 4 },
        legend: { top: 0, left: 0, data: [isShare ? "Done" : "Average", ...(has ? ["Target"] : [])] },
        tooltip: {
          trigger: "axis",
          axisPointer: { type: "shadow", shadowStyle: { color: color("line"), opacity: 0.4 } },
          formatter: ([{ dataIndex }]) =>
            tip(month(names[dataIndex]), [
              [isShare ? "Done" : `Average a ${{ daily: "day", weekly: "week", monthly: "month" }[habit.period]}`, write(shown[dataIndex])],
              ...(targets[dataIndex] === null ? [] : [["Target", write(targets[dataIndex])]]),
              ...(isShare ? [] : [["Target reached in", percent(habit.rates[from + dataIndex])]]),
            ]),
        },
        xAxis: axis({ type: "category", data: names, axisLabel: { hideOverlap: true, formatter: monthTick } }),
        yAxis: axis({
          type: "value",
          min: 0,
          ...(isShare ? { max: 1 } : {}),
          axisLine: { show: false },
          axisLabel: { formatter: isShare ? percent : (each) => short.format(each) },
          ...(isShare ? { interval: 0.25 } : { splitNumber: 4 }),
        }),
        series: [
          {
            name: isShare ? "Done" : "Average",
            type: "bar",
            barMaxWidth: 28,
            itemStyle: { borderRadius: [3, 3, 0, 0], color: color("heat-3") },
            data: shown.map((each, place) => ({
              value: each,
              itemStyle: { color: targets[place] !== null && each !== null && each < targets[place] ? color("series-2") : color("heat-3") },
            })),
          },
          ...(has
            ? [{ name: "Target", type: "line", step: "middle", symbol: "none", data: targets, lineStyle: { color: color("ink"), width: 1.5, type: "dashed" }, itemStyle: { color: color("ink") } }]
            : []),
        ],
      },
      table: {
        columns: ["Month", isShare ? "Done" : "Average", "Target"],
        rows: names.map((name, place) => [month(name), write(shown[place]), write(targets[place])]).reverse(),
      },
    };
  });

  const rateIn = (habit, name) => habit.rates[monthsBetween(habit.since, name)] ?? null;
  const compare = chart("compare", (isNarrow, axis) => {
    const [one, other] = [value("one"), value("other")];
    const period = value("period");
    const shown = data.habits.filter(
      (habit) => (!period || habit.period === period) && (rateIn(habit, one) !== null || rateIn(habit, other) !== null),
    );
    if (!shown.length) {
      return null;
    }
    const bar = (name, text, fill) => ({
      name: text,
      type: "bar",
      barGap: "20%",
      barMaxWidth: 14,
      itemStyle: { color: color(fill), borderRadius: [0, 3, 3, 0] },
      data: shown.map((habit) => rateIn(habit, name)),
    });
    const isSame = one === other;
    return {
      height: 76 + shown.length * (isNarrow ? 40 : 38),
      option: {
        grid: { left: 4, right: 16, top: 36, bottom: 4 },
        legend: { top: 0, left: 0, data: isSame ? [month(one)] : [month(one), month(other)] },
        tooltip: {
          trigger: "axis",
          axisPointer: { type: "shadow", shadowStyle: { color: color("line"), opacity: 0.4 } },
          formatter: ([{ dataIndex }]) =>
            tip(shown[dataIndex].name, (isSame ? [one] : [one, other]).map((name) => [month(name), percent(rateIn(shown[dataIndex], name))])),
        },
        xAxis: axis({ type: "value", min: 0, max: 1, axisLine: { show: false }, axisLabel: { formatter: percent }, interval: isNarrow ? 0.5 : 0.25 }),
        yAxis: axis({
          type: "category",
          inverse: true,
          data: shown.map((habit) => habit.name),
          axisLabel: { color: color("ink"), width: isNarrow ? 96 : 180, overflow: "truncate" },
        }),
        series: isSame ? [bar(one, month(one), "heat-3")] : [bar(one, month(one), "heat-3"), bar(other, month(other), "strong-line")],
      },
      table: {
        columns: ["Habit", month(one), ...(isSame ? [] : [month(other)])],
        rows: shown.map((habit) => [habit.name, percent(rateIn(habit, one)), ...(isSame ? [] : [percent(rateIn(habit, other))])]),
      },
    };
  });

  const years = () => {
    const habit = chosen();
    const before = value("year");
    const pairs = [["", "Last 12 months"]];
    for (let year = Number(data.today.slice(0, 4)); year >= Number(habit.first.slice(0, 4)); year -= 1) {
      pairs.push([String(year), String(year)]);
    }
    options("year", pairs, pairs.some(([each]) => each === before) ? before : "");
  };
  const choose = () => {
    years();
    legend();
    calendar.draw();
    months.draw();
  };
  const first = data.habits.map((habit) => habit.since).sort()[0];
  const all = Array.from({ length: monthsBetween(first, thisMonth) + 1 }, (_, place) => addMonths(thisMonth, -place));
  options("one", all.map((name) => [name, month(name)]), thisMonth);
  options("other", all.map((name) => [name, month(name)]), all[1] ?? thisMonth);
  on(["habit"], choose);
  on(["year"], () => calendar.draw());
  on(["one", "other", "period"], () => compare.draw());
  for (const button of document.querySelectorAll("[data-habit]")) {
    button.addEventListener("click", () => {
      get("habit").value = button.dataset.habit;
      choose();
      get("calendar-figure").scrollIntoView({ block: "start" });
      get("habit").focus({ preventScroll: true });
    });
  }
  choose();
  compare.draw();
})();
