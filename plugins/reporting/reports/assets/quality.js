// The page of data quality: the number of rows of a table in each profile.
"use strict";
(() => {
  const { chart, color, data, date, dayTick, number, on, short, tip, value } = Report;
  if (!data.tables?.length) {
    return;
  }
  const rows = chart("rows", (isNarrow, axis) => {
    const { name, rows: known } = data.tables.find((each) => each.name === value("shown")) ?? data.tables[0];
    if (known.length < 2) {
      return null;
    }
    return {
      height: isNarrow ? 260 : 280,
      option: {
        grid: { left: 4, right: 16, top: 16, bottom: 4 },
        tooltip: { trigger: "axis", formatter: ([{ dataIndex }]) => tip(date(known[dataIndex][0]), [["Rows", number(known[dataIndex][1])]]) },
        xAxis: axis({ type: "category", boundaryGap: false, data: known.map(([day]) => day), axisLabel: { hideOverlap: true, formatter: dayTick } }),
        yAxis: axis({ type: "value", scale: true, minInterval: 1, axisLine: { show: false }, splitNumber: 4, axisLabel: { formatter: (each) => short.format(each) } }),
        series: [
          {
            name,
            type: "line",
            symbolSize: 7,
            lineStyle: { color: color("series-1"), width: 2.5 },
            itemStyle: { color: color("series-1") },
            areaStyle: { color: color("series-1"), opacity: 0.12 },
            data: known.map(([, count]) => count),
          },
        ],
      },
      table: { columns: ["Day", "Rows"], rows: known.map(([day, count]) => [date(day), number(count)]) },
    };
  });
  on(["shown"], () => rows.draw());
})();
