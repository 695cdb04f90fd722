"use strict";
// A figure is drawn when it comes into view; the library and the searches are unpacked once.

const ONE_SEARCH = ["slices", "contour", "parallel", "importance"];

// The format of `analysis.report.embedded`: the number of fill bytes, then five digits of base 85 for every four bytes.
function bytesOf(text) {
  const bytes = new Uint8Array(((text.length - 1) / 5) * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 1, at = 0; i < text.length; i += 5, at += 4) {
    let word = 0;
    for (let j = i; j < i + 5; j++) {
      const code = text.charCodeAt(j);
      word = word * 85 + (code === 125 ? 60 : code) - 40;
    }
    view.setUint32(at, word);
  }
  return bytes.subarray(0, bytes.length - Number(text[0]));
}

async function unpacked(id) {
  const stream = new Blob([bytesOf(document.getElementById(id).textContent)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

let loading;
function loaded() {
  loading ??= Promise.all([unpacked("plotly"), unpacked("studies")]).then(([code, studies]) => {
    const script = document.createElement("script");
    script.textContent = code;
    document.head.append(script);
    return JSON.parse(studies);
  });
  return loading;
}

class Figure {
  constructor(element) {
    this.element = element;
    this.plot = element.querySelector(".plot");
    this.kind = element.dataset.kind;
    this.data = JSON.parse(element.dataset.figure);
    this.chosen = {};
  }

  async open() {
    const known = await loaded();
    this.studies = (this.data.studies ?? []).map((key) => known[key]);
    if (ONE_SEARCH.includes(this.kind)) this.choose("study", "Search", this.studies.map((study) => study.name));
    this.chooseParameters();
    this.element.classList.add("drawn");
    this.draw();
  }

  get study() {
    return this.studies[this.chosen.study ?? 0];
  }

  chooseParameters() {
    if (this.kind !== "contour") return;
    const names = this.study.parameters.map((parameter) => parameter.name);
    this.choose("x", "Across", names, 0);
    this.choose("y", "Up", names, 1);
  }

  // A list to choose from, unless there is only one option.
  choose(key, name, options, first = 0) {
    this.element.querySelector(`label.${key}`)?.remove();
    this.chosen[key] = first;
    if (options.length < 2) return;
    const label = document.createElement("label");
    label.className = key;
    label.textContent = name;
    const select = document.createElement("select");
    select.append(...options.map((option, i) => new Option(option, i, i === first, i === first)));
    select.addEventListener("change", () => {
      this.chosen[key] = Number(select.value);
      if (key === "study") this.chooseParameters();
      this.draw();
    });
    label.append(select);
    this.element.querySelector(".choices").append(label);
  }

  draw() {
    const given = ONE_SEARCH.includes(this.kind) ? { ...this.chosen, study: this.study } : { ...this.data, studies: this.studies };
    const [traces, layout, width] = drawers[this.kind](given, palette());
    const available = this.element.clientWidth;
    if (width > available) layout.width = width; // then the figure scrolls, and its letters keep their size
    const narrow = available < 500;
    if (narrow && layout.legend) layout.legend.font = { size: 11 };
    return Plotly.react(this.plot, traces, layout, {
      responsive: !layout.width, displaylogo: false, scrollZoom: false, displayModeBar: narrow ? false : "hover",
      modeBarButtonsToRemove: ["lasso2d", "select2d"],
    });
  }
}

const figures = new Map(all("figure.chart").map((element) => [element, new Figure(element)]));
const viewing = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
    viewing.unobserve(target);
    figures.get(target).open();
  }),
  { rootMargin: "300px" },
);
if ("DecompressionStream" in window) figures.forEach((_, element) => viewing.observe(element));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const [element, figure] of figures) if (element.classList.contains("drawn")) figure.draw();
});
