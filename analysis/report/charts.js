"use strict";
// Interactive figures. Each drawer takes a figure's data and returns Plotly's traces and layout.

const palette = () => {
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(name).trim();
  return {
    ink: value("--ink"), faint: value("--faint"), rule: value("--rule"), paper: value("--paper"),
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
  };
};

// Plotly interprets tags and entities in text, so names are escaped.
const safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const lines = (parts) => parts.filter(Boolean).map(safe).join("<br>");
const short = (value) => (value === null || value === undefined ? "\u2013" : String(Number(Number(value).toPrecision(3))));
const finite = (value) => typeof value === "number";

// A method's colour on dark paper: mixed with white until it stands out.
function tone(colour, look) {
  if (!look.dark || !/^#[0-9a-f]{6}$/i.test(colour)) return colour;
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return `rgb(${parts.map((part) => Math.round(part + (255 - part) * 0.4)).join(",")})`;
}

function axis(title, look, more = {}) {
  return {
    title: { text: safe(title), standoff: 8 }, gridcolor: look.rule, zerolinecolor: look.rule,
    linecolor: look.faint, tickcolor: look.faint, automargin: true, exponentformat: "e", ...more,
  };
}

function frame(look, more) {
  return {
    font: { family: "system-ui, sans-serif", size: 12, color: look.ink },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 56, r: 16, t: 16, b: 44 }, hovermode: "closest",
    hoverlabel: { bgcolor: look.paper, bordercolor: look.faint, font: { color: look.ink }, align: "left" },
    legend: { orientation: "h", y: -0.2, yanchor: "top", x: 0 },
    ...more,
  };
}

// The text of a trial's dot.
function trialText(study, i) {
  const at = (column) => column.values[i];
  return lines([
    study.name,
    `trial ${study.number[i]}${study.failed[i] ? ", failed" : ""}${study.number[i] === study.best ? ", the best" : ""}`,
    ...study.metrics.map((metric) => `${metric.name}: ${short(at(metric))}`),
    `Unlearning time: ${short(study.seconds[i])} s`,
    ...study.parameters.map((parameter) => `${parameter.name} = ${short(at(parameter))}`),
  ]);
}

const texts = (study) => study.number.map((_, i) => trialText(study, i));
const gapOf = (study) => study.metrics.find((metric) => metric.key === "gap")?.values ?? study.objective;

function dots(study, x, y, look, more = {}) {
  return {
    type: "scatter", mode: "markers", name: safe(study.name), x, y, text: texts(study), hoverinfo: "text",
    marker: { color: tone(study.colour, look), size: 6, opacity: 0.6 }, ...more,
  };
}

const drawers = {
  answer(data, look) {
    const points = data.points.filter((point) => finite(point.x) && finite(point.y));
    const middle = Math.sqrt(Math.min(...points.map((p) => p.x)) * Math.max(...points.map((p) => p.x)));
    const reach = (low, high, key) => ({
      type: "data", symmetric: false, thickness: 1.5, width: 4,
      array: points.map((p) => (finite(p[high]) ? Math.max(0, p[high] - p[key]) : 0)),
      arrayminus: points.map((p) => (finite(p[low]) ? Math.max(0, p[key] - Math.max(p[low], key === "x" ? p.x / 20 : 0)) : 0)),
    });
    const bar = (bars, i) => ({ ...bars, array: [bars.array[i]], arrayminus: [bars.arrayminus[i]] });
    const up = reach("low", "high", "y");
    const along = reach("xlow", "xhigh", "x");
    const traces = points.map((point, i) => ({
      type: "scatter", mode: "markers+text", name: safe(point.name), x: [point.x], y: [point.y],
      text: [safe(point.name)], textposition: point.x > middle ? "top left" : "top right", hovertext: [lines(point.lines)], hoverinfo: "text",
      error_y: bar(up, i), error_x: bar(along, i),
      marker: {
        size: 11, color: tone(point.colour, look), line: { width: 2, color: tone(point.colour, look) },
        symbol: point.hollow ? "circle-open" : "circle",
      },
    }));
    const shapes = [];
    const annotations = [];
    if (data.band) {
      const across = { xref: "paper", x0: 0, x1: 1, layer: "below" };
      shapes.push(
        { type: "rect", ...across, y0: data.band.low, y1: data.band.high, fillcolor: look.faint, opacity: 0.18, line: { width: 0 } },
        { type: "line", ...across, y0: data.band.middle, y1: data.band.middle, line: { color: look.ink, width: 1, dash: "dash" } },
      );
      annotations.push({
        xref: "paper", x: 0, xanchor: "left", y: data.band.middle, yanchor: "bottom", showarrow: false,
        text: "retraining itself", font: { size: 11, color: look.faint },
      });
    }
    const decades = points.every((point) => point.x > 0);
    return [traces, frame(look, {
      height: 380, shapes, annotations, showlegend: true,
      xaxis: axis(data.x, look, decades ? { type: "log", dtick: "D2" } : {}),
      yaxis: axis(data.y, look, { rangemode: "tozero" }),
    })];
  },

  history(data, look) {
    const traces = data.studies.flatMap((study) => {
      const best = [];
      study.objective.forEach((value, i) => {
        const before = i ? best[i - 1] : null;
        best.push(value === null ? before : before === null ? value : Math.min(before, value));
      });
      const group = { legendgroup: study.name };
      const failed = study.number.filter((_, i) => study.failed[i]);
      const colour = tone(study.colour, look);
      return [
        { ...dots(study, study.number, study.objective, look), ...group },
        {
          type: "scatter", mode: "lines", x: study.number, y: best, hoverinfo: "skip", showlegend: false,
          line: { shape: "hv", width: 2, color: colour }, ...group,
        },
        {
          type: "scatter", mode: "markers", x: failed, y: failed.map(() => 0), showlegend: false,
          text: texts(study).filter((_, i) => study.failed[i]), hoverinfo: "text",
          marker: { symbol: "x", size: 7, color: colour }, ...group,
        },
      ];
    });
    return [traces, frame(look, {
      height: 400, xaxis: axis("Trial", look), yaxis: axis("Objective (points)", look, { rangemode: "tozero" }),
    })];
  },

  pareto(data, look) {
    const traces = data.studies.map((study) => dots(study, study.seconds, gapOf(study), look));
    const every = data.studies
      .flatMap((study) => study.seconds.map((x, i) => [x, gapOf(study)[i]]))
      .filter(([x, y]) => finite(x) && finite(y))
      .sort(([a, b], [c, d]) => a - c || b - d);
    let least = Infinity;
    const front = every.filter(([, y]) => y < least && ((least = y), true));
    traces.push({
      type: "scatter", mode: "lines", name: "beaten by none", x: front.map(([x]) => x), y: front.map(([, y]) => y),
      line: { shape: "hv", color: look.ink, width: 1.5 }, hoverinfo: "skip",
    });
    const decades = every.every(([x]) => x > 0);
    return [traces, frame(look, {
      height: 400, xaxis: axis("Unlearning time (s)", look, decades ? { type: "log", dtick: "D2" } : {}),
      yaxis: axis("Distance to retrain (points)", look, { rangemode: "tozero" }),
    })];
  },

  slices({ study }, look) {
    const { metrics, parameters } = study;
    const traces = [];
    const layout = frame(look, {
      height: 150 * metrics.length + 70, showlegend: false, shapes: [],
      grid: { rows: metrics.length, columns: parameters.length, pattern: "independent", xgap: 0.12, ygap: 0.12 },
    });
    const text = texts(study);
    metrics.forEach((metric, row) => parameters.forEach((parameter, column) => {
      const at = row * parameters.length + column + 1;
      const foot = row === metrics.length - 1;
      traces.push({
        type: "scatter", mode: "markers", x: parameter.values, y: metric.values, text, hoverinfo: "text",
        xaxis: `x${at}`, yaxis: `y${at}`,
        marker: { size: 5.5, color: study.number, colorscale: "Viridis", reversescale: !look.dark, showscale: false },
      });
      layout[`xaxis${at}`] = axis(foot ? parameter.name : "", look, { type: parameter.log ? "log" : "linear", showticklabels: foot, nticks: 5 });
      layout[`yaxis${at}`] = axis(column ? "" : metric.name.replace(" (", "\n("), look, { nticks: 5 });
      if (finite(metric.target)) {
        layout.shapes.push({
          type: "line", xref: `x${at} domain`, x0: 0, x1: 1, yref: `y${at}`, y0: metric.target, y1: metric.target,
          line: { color: look.ink, width: 1, dash: "dash" },
        });
      }
    }));
    return [traces, layout, 190 * parameters.length];
  },

  contour({ study, x = 0, y = 1 }, look) {
    const [across, up] = [study.parameters[x], study.parameters[y]];
    const gap = gapOf(study);
    const scale = (parameter) => (value) => (parameter.log ? Math.log10(value) : value);
    const points = gap
      .map((z, i) => ({ z, i, x: across.values[i], y: up.values[i] }))
      .filter((point) => [point.z, point.x, point.y].every(finite));
    const mesh = (parameter, key) => {
      const values = points.map((point) => scale(parameter)(point[key]));
      const [low, high] = [Math.min(...values), Math.max(...values)];
      return { low, span: high - low || 1, at: Array.from({ length: 41 }, (_, i) => low + ((high - low) * i) / 40) };
    };
    const [mx, my] = [mesh(across, "x"), mesh(up, "y")];
    const z = my.at.map((v) => mx.at.map((u) => {
      let sum = 0;
      let weight = 0;
      for (const point of points) {
        const far = ((scale(across)(point.x) - u) / mx.span) ** 2 + ((scale(up)(point.y) - v) / my.span) ** 2;
        const w = 1 / (far + 1e-4) ** 1.5;
        sum += w * point.z;
        weight += w;
      }
      return sum / weight;
    }));
    const back = (parameter) => (value) => (parameter.log ? 10 ** value : value);
    const colours = { colorscale: "Viridis", reversescale: !look.dark };
    const text = texts(study);
    const best = points.filter((point) => study.number[point.i] === study.best);
    return [[
      {
        type: "contour", x: mx.at.map(back(across)), y: my.at.map(back(up)), z, ...colours, ncontours: 14, hoverinfo: "skip",
        line: { width: 0.4 }, colorbar: { title: { text: "Distance to retrain (points)", side: "right" }, thickness: 12 },
      },
      {
        type: "scatter", mode: "markers", x: points.map((p) => p.x), y: points.map((p) => p.y), hoverinfo: "text",
        text: points.map((p) => text[p.i]), marker: { size: 6, color: look.paper, line: { width: 1, color: look.ink } },
      },
      {
        type: "scatter", mode: "markers", x: best.map((p) => p.x), y: best.map((p) => p.y), hoverinfo: "text",
        text: best.map((p) => text[p.i]), marker: { symbol: "star", size: 16, color: "#D55E00", line: { width: 1, color: "white" } },
      },
    ], frame(look, {
      height: 420, showlegend: false,
      xaxis: axis(across.name, look, { type: across.log ? "log" : "linear" }),
      yaxis: axis(up.name, look, { type: up.log ? "log" : "linear" }),
    })];
  },

  parallel({ study }, look) {
    const gap = gapOf(study);
    const rows = gap.map((_, i) => i).filter((i) => finite(gap[i]) && study.parameters.every((p) => finite(p.values[i])));
    const dimension = (name, values, log) => {
      const scaled = rows.map((i) => (log ? Math.log10(values[i]) : values[i]));
      if (!log) return { label: safe(name), values: scaled };
      const [low, high] = [Math.ceil(Math.min(...scaled)), Math.floor(Math.max(...scaled))];
      const ticks = Array.from({ length: Math.max(0, high - low + 1) }, (_, i) => low + i);
      return { label: safe(name), values: scaled, tickvals: ticks, ticktext: ticks.map((tick) => short(10 ** tick)) };
    };
    return [[{
      type: "parcoords",
      line: { color: rows.map((i) => gap[i]), colorscale: "Viridis", reversescale: !look.dark, showscale: false },
      labelfont: { color: look.ink }, tickfont: { color: look.ink }, rangefont: { color: look.faint },
      dimensions: [
        ...study.parameters.map((parameter) => dimension(parameter.name, parameter.values, parameter.log)),
        dimension("Distance (points)", gap, false),
      ],
    }], frame(look, { height: 380, margin: { l: 70, r: 60, t: 50, b: 24 } }), 130 * (study.parameters.length + 1)];
  },

  importance({ study }, look) {
    const rows = [...study.importance].reverse();
    return [[{
      type: "bar", orientation: "h", x: rows.map((row) => row.share), y: rows.map((row) => safe(row.name)),
      marker: { color: tone(study.colour, look) }, hoverinfo: "text",
      hovertext: rows.map((row) => lines([row.name, `${short(100 * row.share)} %`, `interval ${short(100 * row.low)} to ${short(100 * row.high)} %`])),
      error_x: {
        type: "data", symmetric: false, color: look.ink, thickness: 1.2, width: 4,
        array: rows.map((row) => (row.high ?? row.share) - row.share), arrayminus: rows.map((row) => row.share - (row.low ?? row.share)),
      },
    }], frame(look, {
      height: 90 + 34 * rows.length, showlegend: false,
      xaxis: axis("Share of importance", look, { range: [0, 1], tickformat: ".0%" }), yaxis: axis("", look),
    })];
  },
};
