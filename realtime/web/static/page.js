// What all pages share: elements, requests, how times and shares are written.

/** Make an element. Text is set as text, never as HTML: labels and names come from outside. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  return fill(made, ...children);
}

/** Put children in place of what an element has; null is none. */
export function fill(place, ...children) {
  place.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
  return place;
}

/** Ask for JSON; what is not answered with success is an Error with the server's sentence. */
export async function ask(path, method = "GET", content = undefined) {
  const answer = await fetch(path, {
    method,
    headers: content === undefined ? {} : { "content-type": "application/json" },
    body: content === undefined ? undefined : JSON.stringify(content),
  });
  if (answer.status === 401) {
    location.assign("/log-in");
    return new Promise(() => {});
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error || `the server answered ${answer.status}`);
  return told;
}

export const percent = (share) => `${Math.round(100 * share)} %`;

export function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const sameDay = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const anyDay = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function moment(ms) {
  const when = new Date(ms);
  const isToday = when.toDateString() === new Date().toDateString();
  return (isToday ? sameDay : anyDay).format(when);
}

/** A bar of a share from 0 to 1, with its figure said for who cannot see it. */
export function bar(share, kind, name) {
  const filled = element("span", { class: kind });
  filled.style.width = `${100 * share}%`;
  return element("span", { class: "bar", role: "img", "aria-label": `${name} ${percent(share)}` }, filled);
}

function setUp() {
  for (const link of document.querySelectorAll("nav a")) {
    if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
  }
  const button = document.getElementById("log-out");
  if (button === null) return;
  ask("/api/session").then((session) => { button.hidden = !session.password; }, () => {});
  button.addEventListener("click", async () => {
    await ask("/api/log-out", "POST", {});
    location.assign("/log-in");
  });
}

setUp();
