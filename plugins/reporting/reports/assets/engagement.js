// The engagement page: counts of a week or month by type, and the hours of the week.
"use strict";
(() => {
  const { DAY, chart, color, count, data, date, dayTick, iso, month, monthTick, number, on, parse, series, short, tip, value } = Report;
  if (!data.weeks) {
    return;
  }
  const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
  const first = parse(data.first);
  const weekOn = (place) => iso(first + place * 7 * DAY);

  // The counts per type and step (week or month), for one owner or all.
  const steps = () => {
    const owner = value("owner");
    const range = Number(value("range"));
    const from = range ? Math.max(0, data.weeks - range) : 0;
    const keys = [];
    const keyOf = (place) => (value("step") === "month" ? weekOn(place).slice(0, 7) : weekOn(place));
    const places = new Map();
    for (let place = from; place < data.weeks; place += 1) {
      const key = keyOf(place);
      if (!places.has(key)) {
        places.set(key, keys.length);
        keys.push(key);
      }
    }
    const lines = data.types.map(() => new Array(keys.length).fill(0));
    for (const each of data.counts) {
      if (owner && data.owners[each.owner] !== owner) {
        continue;
      }
      for (const [more, n] of each.n.entries()) {
        const place = each.from + more;
        if (n && place >= from) {
          lines[each.type][places.get(keyOf(place))] += n;
        }
      }
    }
    return { keys, lines };
  };

  const time = chart("time", (isNarrow, axis) => {
    const { keys, lines } = steps();
    const shown = data.types.map((kind, place) => [kind, lines[place], place]).filter(([, line]) => line.some(Boolean));
    if (!shown.length) {
      return null;
    }
    const isMonth = value("step") === "month";
    const write = isMonth ? month : date;
    const isLong = keys.length > 60;
    return {
      height: isNarrow ? 340 : 380,
      option: {
        grid: { left: 4, right: 12, top: isNarrow ? 64 : 40, bottom: isLong ? 52 : 4 },
        legend: { top: 0, left: 0, right: 0 },
        tooltip: {
          trigger: "axis",
          axisPointer: { type: "shadow", shadowStyle: { color: color("line"), opacity: 0.4 } },
          formatter: (points) => {
            const place = points[0].dataIndex;
            return tip(isMonth ? month(keys[place]) : `Week of ${date(keys[place])}`, [
              ...points.filter((each) => each.value).map((each) => [each.seriesName, number(each.value)]),
              ["All", number(points.reduce((sum, each) => sum + (each.value ?? 0), 0))],
            ]);
          },
        },
        xAxis: axis({
          type: "category",
          data: keys,
          axisLabel: { hideOverlap: true, formatter: (key) => (isMonth || isLong ? monthTick(key) : dayTick(key)) },
        }),
        yAxis: axis({ type: "value", minInterval: 1, axisLine: { show: false }, splitNumber: 4, axisLabel: { formatter: (each) => short.format(each) } }),
        dataZoom: isLong
          ? [
              {
                type: "slider",
                height: 24,
                bottom: 8,
                labelFormatter: (_, key) => write(key),
                textStyle: { color: color("muted"), fontSize: 11 },
                borderColor: color("line"),
                fillerColor: "rgba(120, 140, 140, 0.18)",
                dataBackground: { lineStyle: { color: color("strong-line") }, areaStyle: { color: color("line") } },
                selectedDataBackground: { lineStyle: { color: color("accent") }, areaStyle: { color: color("accent-soft") } },
                handleStyle: { color: color("surface"), borderColor: color("strong-line") },
                moveHandleStyle: { color: color("strong-line") },
                brushSelect: false,
              },
            ]
          : [],
        series: shown.map(([kind, line, place]) => ({
          name: kind,
          type: "bar",
          stack: "all",
          barMaxWidth: 26,
          barCategoryGap: isLong ? "10%" : "25%",
          large: false,
          itemStyle: { color: series(place) },
          data: line,
        })),
      },
      table: {
        columns: [isMonth ? "Month" : "Week of", ...shown.map(([kind]) => kind)],
        rows: keys.map((key, place) => [write(key), ...shown.map(([, line]) => number(line[place]))]).reverse(),
      },
    };
  });

  const hours = chart("hours", (isNarrow, axis) => {
    const owner = value("owner");
    const cells = new Map();
    for (const [who, weekday, hour, n] of data.hours) {
      if (!owner || data.owners[who] === owner) {
        cells.set(`${weekday} ${hour}`, (cells.get(`${weekday} ${hour}`) ?? 0) + n);
      }
    }
    if (!cells.size) {
      return null;
    }
    const points = [];
    for (let weekday = 0; weekday < 7; weekday += 1) {
      for (let hour = 0; hour < 24; hour += 1) {
        points.push([hour, weekday, cells.get(`${weekday} ${hour}`) ?? 0]);
      }
    }
    const clock = (hour) => `${String(hour).padStart(2, "0")}:00`;
    return {
      height: isNarrow ? 240 : 280,
      option: {
        grid: { left: 4, right: 8, top: 8, bottom: 4 },
        tooltip: { formatter: ({ value: [hour, weekday, n] }) => tip(`${WEEKDAYS[weekday]}, ${clock(hour)} to ${clock((hour + 1) % 24)}`, [["", count(n, "touch", "touches")]]) },
        visualMap: {
          show: false,
          min: 0,
          max: Math.max(...points.map(([, , n]) => n)),
          inRange: { color: ["empty", "heat-1", "heat-2", "heat-3", "heat-4"].map(color) },
        },
        xAxis: axis({ type: "category", data: Array.from({ length: 24 }, (_, hour) => hour), axisLine: { show: false }, axisLabel: { interval: isNarrow ? 5 : 2, formatter: (hour) => clock(Number(hour)) } }),
        yAxis: axis({ type: "category", inverse: true, data: WEEKDAYS, axisLine: { show: false } }),
        series: [
          {
            type: "heatmap",
            data: points,
            itemStyle: { borderColor: color("surface"), borderWidth: isNarrow ? 1 : 2, borderRadius: 3 },
            emphasis: { itemStyle: { borderColor: color("ink"), borderWidth: 1 } },
          },
        ],
      },
      table: {
        columns: ["Weekday", ...["before 9:00", "9:00 to 12:00", "12:00 to 18:00", "after 18:00"]],
        rows: WEEKDAYS.map((weekday, place) => [
          weekday,
          ...[[0, 9], [9, 12], [12, 18], [18, 24]].map(([from, until]) =>
            number(points.filter(([hour, of]) => of === place && hour >= from && hour < until).reduce((sum, [, , n]) => sum + n, 0)),
          ),
        ]),
      },
    };
  });
  on(["owner"], () => [time, hours].forEach((each) => each.draw()));
  on(["range", "step"], () => time.draw());
})();
