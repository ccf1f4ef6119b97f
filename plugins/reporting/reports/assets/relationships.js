// The page of relationships: how long everybody's silence is, and whose is longer than usual.
"use strict";
(() => {
  const { data, chart, color, count, number, on, tip, value } = Report;
  if (!data.silences) {
    return;
  }
  const bars = data.silences;
  const total = bars.reduce((sum, [, each]) => sum + each, 0);
  const FILLS = ["heat-4", "heat-3", "heat-3", "heat-2", "heat-2", "heat-1", "strong-line"];

  chart("silences", (_, axis) => {
    if (!total) {
      return null;
    }
    return {
      height: 320,
      option: {
        grid: { left: 4, right: 44, top: 8, bottom: 4 },
        tooltip: { formatter: ({ dataIndex }) => tip(`Last touch ${bars[dataIndex][0]}`, [["", count(bars[dataIndex][1], "person", "people")]]) },
        xAxis: axis({ type: "value", minInterval: 1, axisLine: { show: false }, splitNumber: 3 }),
        yAxis: axis({ type: "category", inverse: true, data: bars.map(([name]) => name), axisLabel: { color: color("ink") } }),
        series: [
          {
            type: "bar",
            barMaxWidth: 26,
            label: { show: true, position: "right", color: color("muted"), formatter: ({ value: each }) => number(each) },
            data: bars.map(([, each], place) => ({ value: each, itemStyle: { color: color(FILLS[place]), borderRadius: [0, 3, 3, 0] } })),
          },
        ],
      },
      table: { columns: ["Last touch", "People"], rows: bars.map(([name, each]) => [name, number(each)]) },
    };
  });

  const dots = chart("dots", (_, axis) => {
    const owner = value("owner");
    const shown = data.dots.filter((each) => !owner || each[4] === owner);
    if (!shown.length) {
      return null;
    }
    // A logarithmic axis has no zero, so half a day stands for today.
    const place = (days) => Math.max(days, 0.5);
    const most = Math.max(...shown.flatMap((each) => [each[1], each[2]]), 10) * 1.4;
    const least = Math.min(...shown.flatMap((each) => [place(each[1]), place(each[2])]), 1);
    const points = (isCold) =>
      shown.filter((each) => Boolean(each[3]) === isCold).map((each) => ({ value: [place(each[1]), place(each[2])], of: each }));
    const days = (each) => (each < 1 ? "0" : number(each));
    const scale = { type: "log", logBase: 10, min: least, max: most, axisLabel: { formatter: days, showMinLabel: false, showMaxLabel: false } };
    return {
      height: 320,
      option: {
        grid: { left: 24, right: 20, top: 36, bottom: 28 },
        legend: { top: 0, left: 0, data: ["Going cold", "As usual"] },
        tooltip: {
          formatter: ({ data: { of } }) =>
            of === undefined
              ? ""
              : tip(of[0], [
                  ["Silence", count(of[2], "day")],
                  ["Usually every", count(Math.round(of[1]), "day")],
                  ["Touches a year", number(of[5])],
                ]),
        },
        xAxis: axis({ ...scale, name: "usual days between touches", nameLocation: "middle", nameGap: 26 }),
        yAxis: axis({ ...scale, name: "days of silence", nameLocation: "middle", nameGap: 32 }),
        series: [
          { name: "Going cold", type: "scatter", symbolSize: 9, itemStyle: { color: color("series-5"), opacity: 0.8 }, data: points(true) },
          { name: "As usual", type: "scatter", symbolSize: 7, itemStyle: { color: color("series-3"), opacity: 0.65 }, data: points(false) },
          {
            name: "As long as usual",
            type: "line",
            symbol: "none",
            silent: true,
            lineStyle: { color: color("muted"), type: "dashed", width: 1 },
            data: [
              [least, least],
              [most, most],
            ],
          },
        ],
      },
      table: {
        columns: ["Name", "Silence in days", "Usual days", "Touches a year"],
        rows: shown.map((each) => [each[0], number(each[2]), number(Math.round(each[1])), number(each[5])]),
      },
    };
  });
  on(["owner"], () => dots.draw());
})();
