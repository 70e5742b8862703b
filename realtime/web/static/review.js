// Review: one event at a time; right, wrong, or it was another; by keys alone, with undo.

import { card } from "./card.js";
import { ask, element } from "./page.js";
import { choose } from "./teach.js";

const place = document.getElementById("event");
const left = document.getElementById("left");
const verdicts = document.getElementById("verdicts");
const other = document.getElementById("other");
const label = document.getElementById("label");
const undo = document.getElementById("undo");
const said = document.getElementById("said");
let queue = []; // what is still to be said something of, the first is shown
let oldest = null; // of what was asked for
let total = 0; // how many there are beyond what was said and skipped
let work = Promise.resolve(); // what is done now, and what waits for it
let isBusy = false;
const done = []; // what can be taken back, the newest last
const PAGE = 20;

async function fill() {
  const parts = new URLSearchParams({ reviewed: "0", limit: String(PAGE) });
  if (oldest !== null) parts.set("before", oldest);
  const page = await ask(`/api/events?${parts}`);
  total = page.total;
  if (page.events.length) oldest = page.events.at(-1).id;
  queue.push(...page.events.filter((event) => !queue.some((known) => known.id === event.id)));
}

function show() {
  const event = queue[0];
  verdicts.hidden = event === undefined;
  other.hidden = true;
  label.blur(); // a browser does so a frame later, and the next key would be typed into it
  undo.disabled = done.length === 0;
  if (event === undefined) {
    left.textContent = "";
    place.replaceChildren(element("p", { class: "panel center" }, "All is reviewed."));
    return;
  }
  left.textContent = total === 1 ? "1 event to review" : `${total.toLocaleString()} events to review`;
  place.replaceChildren(card(event, { withLink: false }));
}

async function next() {
  if (!queue.length && total > 0) {
    place.replaceChildren();
    await fill();
  }
  show();
}

/** Do one thing after another. */
function then(todo) {
  work = work.then(async () => {
    isBusy = true;
    try {
      await todo();
    } catch (error) {
      said.textContent = error.message;
    } finally {
      isBusy = false;
    }
  });
}

/** Do a thing to the event that is shown; not while the next one is still to come. */
const toThis = (todo) => { if (!isBusy) then(todo); };

const say = (verdict, was = null) => toThis(async () => {
  const event = queue[0];
  if (event === undefined) return;
  await ask(`/api/events/${encodeURIComponent(event.id)}/verdict`, "POST",
    was === null ? { verdict } : { verdict, label: was });
  queue.shift();
  done.push(event);
  total -= event.verdict ? 0 : 1;
  said.textContent = `${event.label}: ${was === null ? verdict : `it was ${was}`}`;
  await next();
});

const skip = () => toThis(async () => {
  const event = queue.shift();
  if (event === undefined) return;
  total -= event.verdict ? 0 : 1;
  said.textContent = `${event.label}: skipped`;
  await next();
});

const takeBack = () => then(async () => {
  const event = done.at(-1);
  if (event === undefined) return;
  await ask(`/api/events/${encodeURIComponent(event.id)}/verdict`, "DELETE");
  done.pop();
  queue.unshift(event);
  total += event.verdict ? 0 : 1;
  said.textContent = `${event.label}: taken back`;
  show();
});

function askForLabel() {
  if (queue[0] === undefined) return;
  other.hidden = false;
  label.value = "";
  label.focus();
}

function cancel() {
  other.hidden = true;
  document.getElementById("was").focus();
}

function play() {
  const video = place.querySelector("video");
  if (video !== null) (video.paused ? video.play() : Promise.resolve(video.pause())).catch(() => {});
}

const example = () => {
  if (queue[0] !== undefined && !isBusy) said.textContent = choose(queue[0]);
};

const KEYS = { r: () => say("right"), w: () => say("wrong"), o: askForLabel, s: skip, u: takeBack,
  e: example, " ": play };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && !other.hidden) return cancel();
  const isTyping = event.target instanceof HTMLInputElement;
  const presses = event.key === " " && event.target instanceof HTMLButtonElement;
  const press = KEYS[event.key.toLowerCase()];
  if (isTyping || presses || press === undefined || event.repeat) return;
  event.preventDefault();
  press();
});

other.addEventListener("submit", (event) => {
  event.preventDefault();
  const was = label.value.trim();
  if (was) say("other", was);
});
document.getElementById("right").addEventListener("click", KEYS.r);
document.getElementById("wrong").addEventListener("click", KEYS.w);
document.getElementById("was").addEventListener("click", KEYS.o);
document.getElementById("skip").addEventListener("click", KEYS.s);
document.getElementById("cancel").addEventListener("click", cancel);
undo.addEventListener("click", KEYS.u);
document.getElementById("example").addEventListener("click", example);

async function start() {
  const names = await ask("/api/names");
  const known = [...new Set([...names.known, ...names.labels])].sort((a, b) => a.localeCompare(b));
  document.getElementById("labels").append(...known.map((value) => element("option", { value })));
  const first = new URLSearchParams(location.search).get("event");
  if (first !== null) queue.push(await ask(`/api/events/${encodeURIComponent(first)}`));
  await fill();
  show();
}

start().catch((error) => { left.textContent = error.message; });
