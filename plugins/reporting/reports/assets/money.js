// The page of money: income, expenses and the balance by month, expenses by category, and hours by week and project.
"use strict";
(() => {
  const { chart, color, data, date, dayTick, month, monthTick, number, on, series, short, tip, value } = Report;
  chart("worked", (isNarrow, axis) => {
    const names = isNarrow ? data.weeks.slice(-13) : data.weeks;
    const from = data.weeks.length - names.length;
    const lines = data.projects.map(() => new Array(names.length).fill(0));
    const billable = new Array(names.length).fill(0);
    for (const [week, project, hours, paid] of data.works) {
      if (week >= from) {
        lines[project][week - from] += hours;
        billable[week - from] += paid;
      }
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
            tip(`Week of ${date(names[points[0].dataIndex])}`, [
              ...points.filter((each) => each.value).map((each) => [each.seriesName, `${number(each.value)} h`]),
              ["Billable", `${number(billable[points[0].dataIndex])} h`],
            ]),
        },
        xAxis: axis({ type: "category", data: names, axisLabel: { hideOverlap: true, formatter: dayTick } }),
        yAxis: axis({ type: "value", axisLine: { show: false }, splitNumber: 4, axisLabel: { formatter: (each) => `${short.format(each)} h` } }),
        series: data.projects.map((name, place) => ({ name, type: "bar", stack: "all", barMaxWidth: 26, itemStyle: { color: series(place) }, data: lines[place] })),
      },
      table: {
        columns: ["Week of", ...data.projects, "Billable"],
        rows: names.map((name, place) => [date(name), ...lines.map((line) => number(line[place])), number(billable[place])]).reverse(),
      },
    };
  });
  if (!data.flows?.length) {
    return;
  }
  const [MONTH, CATEGORY, INCOME, EXPENSE] = [0, 1, 2, 3];
  const first = () => Math.max(0, Number(value("range")) ? data.months.length - Number(value("range")) : 0);
  const shown = () => data.flows.filter((each) => each[MONTH] >= first() && (!value("category") || data.categories[each[CATEGORY]] === value("category")));
  const sum = (flows, place) => flows.reduce((all, each) => all + each[place], 0);

  const flow = chart("flow", (isNarrow, axis) => {
    const flows = shown();
    if (!flows.length) {
      return null;
    }
    const start = first();
    const names = data.months.slice(start);
    const line = (place) => names.map((_, n) => sum(flows.filter((each) => each[MONTH] === start + n), place));
    const [income, expense] = [line(INCOME), line(EXPENSE)];
    // A single category has no balance.
    const balance = value("category") ? [] : data.balances.slice(start);
    const bar = (name, fill, values) => ({ name, type: "bar", stack: "all", barMaxWidth: 30, itemStyle: { color: color(fill) }, data: values });
    const lines = (place) => [
      ["Income", number(income[place])],
      ["Expenses", number(expense[place])],
      ...(balance.length ? [["Balance", number(balance[place])]] : []),
    ];
    return {
      height: 320,
      option: {
        grid: { left: 4, right: 8, top: 40, bottom: 4 },
        legend: { top: 0, left: 0 },
        tooltip: {
          trigger: "axis",
          axisPointer: { type: "shadow", shadowStyle: { color: color("line"), opacity: 0.4 } },
          formatter: ([{ dataIndex }]) => tip(month(names[dataIndex]), lines(dataIndex)),
        },
        xAxis: axis({ type: "category", data: names, axisLabel: { hideOverlap: true, formatter: monthTick } }),
        yAxis: axis({ type: "value", axisLine: { show: false }, splitNumber: 4, axisLabel: { formatter: (each) => short.format(each) } }),
        series: [
          bar("Income", "won", income),
          bar("Expenses", "lost", expense.map((each) => -each)),
          ...(balance.length ? [{ name: "Balance", type: "line", symbolSize: 6, itemStyle: { color: color("series-1") }, lineStyle: { width: 2 }, data: balance }] : []),
        ],
      },
      table: {
        columns: ["Month", "Income", "Expenses", ...(balance.length ? ["Balance"] : [])],
        rows: names.map((name, place) => [month(name), ...lines(place).map(([, text]) => text)]).reverse(),
      },
    };
  });

  const spent = chart("spent", (isNarrow, axis) => {
    const flows = shown();
    const bars = data.categories
      .map((name, place) => [name, sum(flows.filter((each) => each[CATEGORY] === place), EXPENSE)])
      .filter(([, amount]) => amount > 0)
      .sort(([, one], [, other]) => other - one);
    if (!bars.length) {
      return null;
    }
    return {
      height: Math.max(200, 48 + bars.length * 36),
      option: {
        grid: { left: 4, right: 56, top: 8, bottom: 4 },
        tooltip: { formatter: ({ dataIndex }) => tip(bars[dataIndex][0], [["Expenses", number(bars[dataIndex][1])]]) },
        xAxis: axis({ type: "value", axisLine: { show: false }, splitNumber: 3, axisLabel: { formatter: (each) => short.format(each), hideOverlap: true } }),
        yAxis: axis({ type: "category", inverse: true, data: bars.map(([name]) => name), axisLabel: { color: color("ink"), width: isNarrow ? 120 : 190, overflow: "truncate" } }),
        series: [
          {
            type: "bar",
            barMaxWidth: 26,
            itemStyle: { color: color("series-3"), borderRadius: [0, 3, 3, 0] },
            label: { show: true, position: "right", color: color("muted"), formatter: ({ value: amount }) => short.format(amount) },
            data: bars.map(([, amount]) => amount),
          },
        ],
      },
      table: { columns: ["Category", "Expenses"], rows: bars.map(([name, amount]) => [name, number(amount)]) },
    };
  });
  on(["category", "range"], () => [flow, spent].forEach((each) => each.draw()));
})();
