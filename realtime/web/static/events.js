// Events: a day by label, filters, and cards a page at a time.

import { card } from "./card.js";
import { ask, element, moment } from "./page.js";

const form = document.getElementById("filters");
const list = document.getElementById("events");
const count = document.getElementById("count");
const older = document.getElementById("older");
const line = document.getElementById("time-line");
const DAY_MS = 86400000;
const MAX_ROWS = 10;
let last = null; // the oldest event that is shown
let shown = 0;
let until = null; // where the time line ends; null for now
let newest = null; // where it ends now: a full quarter, as the filters know no seconds
let asked = 0; // questions so far: an answer to an older one is not shown

const toLocal = (ms) => {
  const when = new Date(ms);
  return new Date(ms - when.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
};

function query() {
  const parts = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (value === "") continue;
    parts.set(name, name === "since" || name === "until" ? String(new Date(value).getTime()) : value);
  }
  return parts;
}

async function show(more = false) {
  const number = ++asked;
  const parts = query();
  history.replaceState(null, "", parts.size ? `?${parts}` : location.pathname);
  if (more && last !== null) parts.set("before", last);
  let page;
  try {
    page = await ask(`/api/events?${parts}`);
  } catch (error) {
    count.textContent = error.message;
    return;
  }
  if (number !== asked) return;
  if (!more) {
    list.replaceChildren();
    shown = 0;
    count.textContent = page.total === 1 ? "1 event" : `${page.total.toLocaleString()} events`;
  }
  list.append(...page.events.map((event) => card(event)));
  shown += page.events.length;
  if (page.events.length) last = page.events.at(-1).id;
  older.hidden = page.events.length === page.total;
}

function chosen(label, since, end) {
  form.elements.label.value = label;
  form.elements.since.value = since === null ? "" : toLocal(since);
  form.elements.until.value = end === null ? "" : toLocal(end);
  show();
}

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** One label's day: a mark a bin, darker for more; a click filters. */
function row(label, day, most) {
  const strip = svg("svg", { class: "strip", viewBox: `0 0 ${label.bins.length} 1`,
    preserveAspectRatio: "none", role: "img", "aria-label": `${label.label}: ${label.events} events` });
  label.bins.forEach((n, place) => {
    if (!n) return;
    const from = day.since_ms + place * day.bin_ms;
    const mark = svg("rect", { x: place, y: 0, width: 1, height: 1,
      "fill-opacity": 0.35 + 0.65 * Math.sqrt(n / most) },
    svg("title", {}, `${label.label}, ${moment(from)}: ${n}`));
    mark.addEventListener("click", () => chosen(label.label, from, from + day.bin_ms));
    strip.append(mark);
  });
  return element("div", { class: "day-row" },
    element("button", { type: "button", class: "link", onclick: () => chosen(label.label, null, null) },
      label.label),
    strip, element("span", { class: "figure" }, label.events.toLocaleString()));
}

async function showDay() {
  const day = await ask(`/api/time-line${until === null ? "" : `?until=${until}`}`);
  if (until === null) newest = day.until_ms;
  document.getElementById("day-title").textContent = until === null
    ? "Last day" : `The day until ${moment(day.until_ms)}`;
  document.getElementById("day-after").disabled = until === null;
  if (!day.labels.length) {
    line.replaceChildren(element("p", { class: "dim" }, "Nothing happened."));
    return;
  }
  const rows = day.labels.slice(0, MAX_ROWS);
  const most = Math.max(...rows.flatMap((each) => each.bins));
  const hours = [0, 6, 12, 18, 24].map((hour) => element("span", {},
    new Date(day.since_ms + hour * 3600000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })));
  const rest = day.labels.length - rows.length;
  line.replaceChildren(...rows.map((each) => row(each, day, most)),
    element("div", { class: "day-row hours" }, element("span"), element("div", { class: "axis" }, ...hours), element("span")),
    rest > 0 ? element("p", { class: "dim small" }, `and ${rest} more labels`) : "");
}

function moveDay(days) {
  const end = (until ?? newest) + days * DAY_MS;
  until = end >= newest ? null : end;
  showDay().catch((error) => line.replaceChildren(error.message));
}

async function start() {
  // On a phone the cards come first, unless something is filtered.
  const box = document.getElementById("filter-box");
  box.open = location.search !== "" || matchMedia("(min-width: 561px)").matches;
  const names = await ask("/api/names");
  for (const [field, values] of [["label", names.labels], ["source", names.sources]]) {
    form.elements[field].append(...values.map((value) => element("option", { value }, value)));
  }
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (!(name in form.elements)) continue;
    form.elements[name].value = name === "since" || name === "until" ? toLocal(Number(value)) : value;
  }
  form.addEventListener("change", () => show());
  form.addEventListener("reset", () => setTimeout(show));
  form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
  older.addEventListener("click", () => show(true));
  document.getElementById("day-before").addEventListener("click", () => moveDay(-1));
  document.getElementById("day-after").addEventListener("click", () => moveDay(1));
  await Promise.all([show(), showDay()]);
}

start().catch((error) => {
  count.textContent = error.message;
  document.getElementById("filter-box").hidden = true;
  line.closest("section").hidden = true;
});
