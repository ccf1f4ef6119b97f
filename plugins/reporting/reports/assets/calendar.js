// The page of the calendar: hours by day, and by week and calendar.
"use strict";
(() => {
  const { chart, color, data, date, dayTick, number, series, short, tip } = Report;
  if (!data.days.length) {
    return;
  }
  const hours = (value) => `${number(value)} h`;
  chart("daily", (isNarrow, axis) => {
    const from = isNarrow ? Math.max(0, data.days.length - 56) : 0;
    const cut = (values) => values.slice(from);
    const [names, spent, averages, full] = [data.days, data.hours, data.averages, data.full].map(cut);
    return {
      height: 280,
      option: {
        grid: { left: 4, right: 8, top: 40, bottom: 4 },
        legend: { top: 0, left: 0 },
        tooltip: {
          trigger: "axis",
          axisPointer: { type: "shadow", shadowStyle: { color: color("line"), opacity: 0.4 } },
          formatter: ([{ dataIndex }]) =>
            tip(date(names[dataIndex]), [
              ["Hours", hours(spent[dataIndex])],
              ["Mean of four weeks", hours(averages[dataIndex])],
              ...(full[dataIndex] ? [["Unusually full", "yes"]] : []),
            ]),
        },
        xAxis: axis({ type: "category", data: names, axisLabel: { hideOverlap: true, formatter: dayTick } }),
        yAxis: axis({ type: "value", axisLine: { show: false }, splitNumber: 4, axisLabel: { formatter: (each) => `${short.format(each)} h` } }),
        series: [
          { name: "Hours", type: "bar", barMaxWidth: 12, itemStyle: { color: series(0) }, data: spent.map((value, place) => (full[place] ? { value, itemStyle: { color: color("lost") } } : value)) },
          { name: "Mean of four weeks", type: "line", showSymbol: false, itemStyle: { color: series(2) }, lineStyle: { width: 2 }, data: averages },
        ],
      },
      table: {
        columns: ["Day", "Hours", "Mean of four weeks", "Unusually full"],
        rows: names.map((name, place) => [date(name), number(spent[place]), number(averages[place]), full[place] ? "yes" : ""]).reverse(),
      },
    };
  });

  chart("weekly", (isNarrow, axis) => {
    const names = isNarrow ? data.weeks.slice(-13) : data.weeks;
    const from = data.weeks.length - names.length;
    const lines = data.calendars.map(() => new Array(names.length).fill(0));
    for (const [week, calendar, spent] of data.spent) {
      if (week >= from) {
        lines[calendar][week - from] += spent;
      }
    }
    if (!names.length) {
      return null;
    }
    return {
      height: isNarrow ? 300 : 280,
      option: {
        grid: { left: 4, right: 8, top: isNarrow ? 64 : 40, bottom: 4 },
        legend: { top: 0, left: 0, right: 0, type: "scroll" },
        tooltip: {
          trigger: "axis",
          axisPointer: { type: "shadow", shadowStyle: { color: color("line"), opacity: 0.4 } },
          formatter: (points) =>
            tip(
              `Week of ${date(names[points[0].dataIndex])}`,
              points.filter((each) => each.value).map((each) => [each.seriesName, hours(each.value)]),
            ),
        },
        xAxis: axis({ type: "category", data: names, axisLabel: { hideOverlap: true, formatter: dayTick } }),
        yAxis: axis({ type: "value", axisLine: { show: false }, splitNumber: 4, axisLabel: { formatter: (each) => `${short.format(each)} h` } }),
        series: data.calendars.map((name, place) => ({ name, type: "bar", stack: "all", barMaxWidth: 26, itemStyle: { color: series(place) }, data: lines[place] })),
      },
      table: {
        columns: ["Week of", ...data.calendars],
        rows: names.map((name, place) => [date(name), ...lines.map((line) => number(line[place]))]).reverse(),
      },
    };
  });
})();
