// The page of pipeline health: the outcomes of each day's runs.
"use strict";
(() => {
  const { chart, color, data, day, dayTick, number, short, tip } = Report;
  if (!data.runs?.length) {
    return;
  }
  const FILLS = { success: "series-3", recovered: "series-2", skipped: "series-6", failed: "lost", missing: "series-4", running: "series-1" };
  chart("days", (isNarrow, axis) => {
    const from = isNarrow ? data.days.length - 14 : 0;
    const shown = data.days.slice(from);
    const lines = data.outcomes.map(() => new Array(shown.length).fill(0));
    for (const [on, outcome, runs] of data.runs) {
      if (on >= from) {
        lines[outcome][on - from] += runs;
      }
    }
    const parts = data.outcomes.map((name, place) => [name, lines[place]]).filter(([, line]) => line.some(Boolean));
    if (!parts.length) {
      return null;
    }
    return {
      height: isNarrow ? 320 : 300,
      option: {
        grid: { left: 4, right: 12, top: isNarrow ? 64 : 40, bottom: 4 },
        legend: { top: 0, left: 0, right: 0 },
        tooltip: {
          trigger: "axis",
          axisPointer: { type: "shadow", shadowStyle: { color: color("line"), opacity: 0.4 } },
          formatter: (points) => tip(day(shown[points[0].dataIndex]), points.filter((each) => each.value).map((each) => [each.seriesName, number(each.value)])),
        },
        xAxis: axis({ type: "category", data: shown, axisLabel: { hideOverlap: true, formatter: dayTick } }),
        yAxis: axis({ type: "value", minInterval: 1, axisLine: { show: false }, splitNumber: 4, axisLabel: { formatter: (each) => short.format(each) } }),
        series: parts.map(([name, line]) => ({ name, type: "bar", stack: "all", barMaxWidth: 24, itemStyle: { color: color(FILLS[name]) }, data: line })),
      },
      table: {
        columns: ["Day", ...parts.map(([name]) => name)],
        rows: shown.map((on, place) => [day(on), ...parts.map(([, line]) => number(line[place]))]),
      },
    };
  });
})();
