// The page of companies and deals: open deals by stage and month, and what was won and lost.
"use strict";
(() => {
  const { addMonths, chart, color, count, data, month, monthTick, number, on, short, tip, value } = Report;
  if (!data.groups?.length) {
    return;
  }
  const [STAGE, OWNER, STATE, MONTH, COUNT, AMOUNT] = [0, 1, 2, 3, 4, 5];
  const shown = () => {
    const [pipeline, owner] = [value("pipeline"), value("owner")];
    return data.groups.filter(
      (each) => (!pipeline || data.pipelines[data.stages[each[STAGE]][0]] === pipeline) && (!owner || data.owners[each[OWNER]] === owner),
    );
  };
  const sum = (groups, place) => groups.reduce((all, each) => all + each[place], 0);
  const stageName = (place) => {
    const [pipeline, name] = data.stages[place];
    return data.pipelines.length > 1 && !value("pipeline") ? `${name}\n${data.pipelines[pipeline]}` : name;
  };

  const stages = chart("stages", (isNarrow, axis) => {
    const open = shown().filter((each) => each[STATE] === "open");
    const bars = data.stages
      .map((_, place) => [place, open.filter((each) => each[STAGE] === place)])
      .filter(([, groups]) => groups.length)
      .map(([place, groups]) => [stageName(place), sum(groups, AMOUNT), sum(groups, COUNT)]);
    if (!bars.length) {
      return null;
    }
    return {
      height: Math.max(200, 48 + bars.length * 44),
      option: {
        grid: { left: 4, right: 56, top: 8, bottom: 4 },
        tooltip: { formatter: ({ dataIndex }) => tip(bars[dataIndex][0], [["Amount", number(bars[dataIndex][1])], ["", count(bars[dataIndex][2], "deal")]]) },
        xAxis: axis({ type: "value", axisLine: { show: false }, splitNumber: 3, axisLabel: { formatter: (each) => short.format(each), hideOverlap: true } }),
        yAxis: axis({ type: "category", inverse: true, data: bars.map(([name]) => name), axisLabel: { color: color("ink"), lineHeight: 15, width: isNarrow ? 120 : 190, overflow: "truncate" } }),
        series: [
          {
            type: "bar",
            barMaxWidth: 26,
            itemStyle: { color: color("series-1"), borderRadius: [0, 3, 3, 0] },
            label: { show: true, position: "right", color: color("muted"), formatter: ({ dataIndex }) => short.format(bars[dataIndex][1]) },
            data: bars.map(([, amount]) => amount),
          },
        ],
      },
      table: { columns: ["Stage", "Amount", "Deals"], rows: bars.map(([name, amount, deals]) => [name, number(amount), number(deals)]) },
    };
  });

  const expected = chart("expected", (isNarrow, axis) => {
    const open = shown().filter((each) => each[STATE] === "open" && each[MONTH] !== null);
    if (!open.length) {
      return null;
    }
    // One bar for all late deals, one per month for a year, and one for all later deals.
    const names = ["late", ...Array.from({ length: 12 }, (_, place) => addMonths(data.month, place)), "later"];
    const last = names[12];
    const key = (each) => (each[MONTH] < data.month ? "late" : each[MONTH] > last ? "later" : each[MONTH]);
    const bars = names.map((name) => {
      const groups = open.filter((each) => key(each) === name);
      return [name.includes("-") ? month(name) : name === "late" ? "Earlier" : "Later", sum(groups, AMOUNT), sum(groups, COUNT)];
    });
    return {
      height: 268,
      option: {
        grid: { left: 4, right: 8, top: 12, bottom: 4 },
        tooltip: { formatter: ({ dataIndex }) => tip(bars[dataIndex][0], [["Amount", number(bars[dataIndex][1])], ["", count(bars[dataIndex][2], "deal")]]) },
        xAxis: axis({ type: "category", data: bars.map(([name]) => name), axisLabel: { hideOverlap: true, formatter: (_, place) => (names[place].includes("-") ? monthTick(names[place]) : bars[place][0]), rotate: isNarrow ? 50 : 40 } }),
        yAxis: axis({ type: "value", axisLine: { show: false }, splitNumber: 4, axisLabel: { formatter: (each) => short.format(each) } }),
        series: [
          {
            type: "bar",
            barMaxWidth: 30,
            data: bars.map(([, amount], place) => ({ value: amount, itemStyle: { color: color(place ? "series-3" : "series-5"), borderRadius: [3, 3, 0, 0] } })),
          },
        ],
      },
      table: { columns: ["To close", "Amount", "Deals"], rows: bars.map(([name, amount, deals]) => [name, number(amount), number(deals)]) },
    };
  });

  const closed = chart("closed", (isNarrow, axis) => {
    const measure = value("measure") === "count" ? COUNT : AMOUNT;
    const length = isNarrow ? 12 : 24;
    const names = Array.from({ length }, (_, place) => addMonths(data.month, place - length + 1));
    const ended = shown().filter((each) => each[STATE] !== "open" && each[MONTH] >= names[0] && each[MONTH] <= data.month);
    if (!ended.length) {
      return null;
    }
    const line = (state) => names.map((name) => sum(ended.filter((each) => each[STATE] === state && each[MONTH] === name), measure));
    const [won, lost] = [line("won"), line("lost")];
    const bar = (name, fill, values) => ({ name, type: "bar", stack: "all", barMaxWidth: 30, itemStyle: { color: color(fill) }, data: values });
    return {
      height: 300,
      option: {
        grid: { left: 4, right: 8, top: 40, bottom: 4 },
        legend: { top: 0, left: 0 },
        tooltip: {
          trigger: "axis",
          axisPointer: { type: "shadow", shadowStyle: { color: color("line"), opacity: 0.4 } },
          formatter: ([{ dataIndex }]) => tip(month(names[dataIndex]), [["Won", number(won[dataIndex])], ["Lost", number(lost[dataIndex])]]),
        },
        xAxis: axis({ type: "category", data: names, axisLabel: { hideOverlap: true, formatter: monthTick } }),
        yAxis: axis({ type: "value", minInterval: measure === COUNT ? 1 : undefined, axisLine: { show: false }, splitNumber: 4, axisLabel: { formatter: (each) => short.format(each) } }),
        series: [bar("Won", "won", won), bar("Lost", "lost", lost)],
      },
      table: { columns: ["Month", "Won", "Lost"], rows: names.map((name, place) => [month(name), number(won[place]), number(lost[place])]).reverse() },
    };
  });
  on(["pipeline", "owner"], () => [stages, expected, closed].forEach((each) => each.draw()));
  on(["measure"], () => closed.draw());
})();
