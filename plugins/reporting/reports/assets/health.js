// The page of data health: which entity was read on which day, and how much of it changed.
"use strict";
(() => {
  const { chart, color, data, day, dayTick, number, on, tip, value } = Report;
  if (!data.entities?.length) {
    return;
  }
  const days = chart("days", (isNarrow, axis) => {
    const isRuns = value("measure") !== "changed";
    const known = new Map(data.runs.map(([on, entity, runs, changed]) => [`${on} ${entity}`, isRuns ? runs : changed]));
    if (!known.size) {
      return null;
    }
    const from = isNarrow ? data.days.length - 14 : 0;
    const shown = data.days.slice(from);
    // Logarithmic for rows, since a full refresh may change thousands and an hourly one a single row; linear for runs.
    const shade = (n) => (isRuns ? n : Math.log10(1 + n));
    const points = shown.flatMap((_, x) => data.entities.map((_, y) => {
      const n = known.get(`${x + from} ${y}`) ?? 0;
      return [x, y, shade(n), n];
    })).filter(([x, y]) => x + from >= data.firsts[y]);
    const most = Math.max(...points.map(([, , each]) => each), 1);
    return {
      height: 36 + data.entities.length * 22,
      option: {
        grid: { left: 4, right: 8, top: 4, bottom: 4 },
        tooltip: { formatter: ({ value: [x, y, , n] }) => tip(data.entities[y], [[day(shown[x]), ""], [isRuns ? "Complete runs" : "Rows that changed", number(n)]]) },
        visualMap: { show: false, dimension: 2, min: 0, max: most, inRange: { color: ["empty", "heat-1", "heat-2", "heat-3", "heat-4"].map(color) } },
        xAxis: axis({ type: "category", data: shown, axisLine: { show: false }, axisLabel: { hideOverlap: true, formatter: dayTick } }),
        yAxis: axis({ type: "category", inverse: true, data: data.entities, axisLine: { show: false }, axisLabel: { color: color("ink"), width: isNarrow ? 130 : 220, overflow: "truncate" } }),
        series: [{ type: "heatmap", data: points, itemStyle: { borderColor: color("surface"), borderWidth: 2, borderRadius: 4 }, emphasis: { itemStyle: { borderColor: color("ink"), borderWidth: 1 } } }],
      },
      table: {
        columns: ["Entity", isRuns ? "Complete runs" : "Rows that changed"],
        rows: data.entities.map((name, y) => [name, number(points.filter(([, of]) => of === y).reduce((sum, [, , , n]) => sum + n, 0))]),
      },
    };
  });
  on(["measure"], () => days.draw());
})();
