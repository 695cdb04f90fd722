"use strict";
// Sorting and filtering of tables, copying of text, and the contents with the reader's position.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// The sort key of a cell: the mean of `88.4 ± 0.6`, seconds of `2 h 5 min`, otherwise the text; dashes are last.
function rank(text) {
  const units = { h: 3600, min: 60, s: 1 };
  const spans = [...text.matchAll(/([\d.]+) (h|min|s)\b/g)];
  if (spans.length && /^[\d.]/.test(text)) {
    return spans.reduce((sum, [, count, unit]) => sum + Number(count) * units[unit], 0);
  }
  const number = text.match(/^[+-]?\d[\d.]*(e[+-]?\d+)?(?=$|[ %])/i);
  return number ? Number(number[0]) : text;
}

function compare(a, b, sign) {
  const empty = (value) => value === "" || value === "\u2013";
  if (empty(a) || empty(b)) return empty(a) - empty(b);
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}

function sortBy(table, column) {
  const heads = all("thead th", table);
  const ascending = heads[column].getAttribute("aria-sort") !== "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [rank(row.cells[column].textContent.trim()), row]);
  rows.sort(([a], [b]) => compare(a, b, ascending ? 1 : -1));
  body.append(...rows.map(([, row]) => row));
}

function makeSortable(table) {
  all("thead th", table).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(table, column));
    head.replaceChildren(button);
  });
}

function makeFilter(scroll, table) {
  const label = document.createElement("label");
  label.className = "filter";
  label.textContent = "Only rows with";
  const input = document.createElement("input");
  input.type = "search";
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    say(`${shown} rows`);
  });
  label.append(input);
  scroll.before(label);
}

function say(text) {
  document.getElementById("status").textContent = text;
}

// Tables wider than the page scroll separately, also with the keyboard.
function reachable() {
  for (const box of all(".scroll")) {
    const wide = box.scrollWidth > box.clientWidth;
    if (wide) {
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", box.dataset.name || "Table");
    } else {
      box.removeAttribute("tabindex");
      box.removeAttribute("role");
      box.removeAttribute("aria-label");
    }
  }
}

async function copy(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // where the browser forbids it, the reader presses one key
    button.textContent = "Press Ctrl+C";
  }
  say(button.textContent);
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

for (const scroll of all(".scroll")) {
  const table = scroll.querySelector("table");
  if (table.tBodies[0].rows.length < 2) continue;
  makeSortable(table);
  if (table.tBodies[0].rows.length > 8) makeFilter(scroll, table);
}
for (const button of all(".copy")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
for (const details of all("details")) details.addEventListener("toggle", reachable);
addEventListener("resize", reachable);
reachable();

// A link into a folded chapter opens it.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const chapter = target?.querySelector(":scope > .chapter");
  if (chapter) chapter.open = true;
}
addEventListener("hashchange", unfold);
unfold();

const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
const reading = new IntersectionObserver(
  (entries) => {
    const entered = entries.find((entry) => entry.isIntersecting);
    if (!entered) return;
    links.forEach((link) => link.removeAttribute("aria-current"));
    links.get(entered.target.id).setAttribute("aria-current", "true");
  },
  { rootMargin: "-10% 0% -80% 0%" },
);
all("section[id]").filter((section) => links.has(section.id)).forEach((section) => reading.observe(section));
