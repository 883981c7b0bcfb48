"use strict";
// Draws the charts, and filters the story. Everything else is in the page without it.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const sync = uPlot.sync("time");

  const moment = (seconds, step, number) => {
    const text = new Date(seconds * 1000).toISOString();
    const day = text.slice(0, 10), time = text.slice(11, step < 60 ? 19 : 16);
    if (step >= 86400) return day;
    return number === 0 || time.startsWith("00:00") ? `${time}\n${day}` : time;
  };

  const draw = (chart) => {
    const box = document.getElementById(chart.id);
    const boxes = [...document.querySelectorAll(`input[data-chart="${chart.id}"]`)];
    const readout = document.getElementById(`${chart.id}-readout`);
    let plot = null;
    const say = (u) => {
      const at = u.cursor.idx;
      if (at === null || at === undefined) { readout.textContent = ""; return; }
      const when = new Date(data.times[at] * 1000).toISOString().replace(".000Z", "Z").replace("T", " ");
      const values = chart.series.map((each) => `${each.label} ${each.counts[at]}`).join(", ");
      readout.textContent = `${when}: ${values}`;
    };
    const make = () => {
      const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 } };
      const options = {
        width: Math.max(box.clientWidth, 200), height: 208, legend: { show: false }, tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
        cursor: { sync: { key: sync.key } }, scales: { y: { range: (u, low, high) => [0, Math.max(high, 1) * 1.05] } },
        axes: [{ ...axis, values: (u, ticks, index, space, step) => ticks.map((each, number) => moment(each, step, number)) }, { ...axis, size: 56, values: (u, ticks) => ticks.map((each) => each.toLocaleString("en")) }],
        series: [{}, ...chart.series.map((each, index) => ({ label: each.label, stroke: colour(each.colour), width: 2, dash: each.dash,
          show: boxes[index].checked, points: { show: data.times.length === 1 } }))],
        hooks: { setCursor: [say] },
      };
      if (plot) plot.destroy();
      plot = new uPlot(options, [data.times, ...chart.series.map((each) => each.counts)], box);
    };
    make();
    boxes.forEach((each, index) => each.addEventListener("change", () => plot.setSeries(index + 1, { show: each.checked })));
    dark.addEventListener("change", make);
    let width = box.clientWidth;
    new ResizeObserver(() => {
      if (box.clientWidth !== width) { width = box.clientWidth; plot.setSize({ width: Math.max(width, 200), height: 208 }); }
    }).observe(box);
  };
  if (data.times.length) data.charts.forEach(draw);

  const search = document.getElementById("search");
  if (search) {
    const lines = [...document.querySelectorAll("ol.story li")].map((item) => [item, item.textContent.toLowerCase()]);
    const found = document.getElementById("found");
    document.getElementById("searching").hidden = false;
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [item, text] of lines) {
        item.hidden = !words.every((word) => text.includes(word));
        shown += item.hidden ? 0 : 1;
      }
      found.textContent = `${shown} of ${lines.length} lines`;
    });
  }
  document.documentElement.dataset.ready = "yes";
})();
