// Live: each source's health, picture and level, likeliest labels, attention, running events.

import { bytesOf, melImage } from "./explanation.js";
import { ask, bar, duration, element, fill, percent } from "./page.js";

const run = document.getElementById("run");
const place = document.getElementById("sources");
const PICTURE_MS = 1000;
const LEVEL_FLOOR_DB = -60;
const SOUND_MS = 300;
const SOUND_COLUMNS = 600; // six seconds
const SMOOTH_FRAMES = 20; // of the screen, over which what came is moved in
const GOOD = new Set(["ok", "ended"]);
const panels = new Map(); // by source

/** The sound of the last seconds, moving to the left; asked for while it is on the screen. */
class Sound {
  constructor(name) {
    this.name = name;
    this.canvas = element("canvas", { class: "heard", width: SOUND_COLUMNS, height: 64, role: "img",
      "aria-label": `Log-mel of what is heard of ${name}` });
    this.top = element("div", { class: "sound-strip" },
      element("span", { class: "small dim" }, "Heard, the last six seconds"), this.canvas);
    this.top.hidden = true;
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.after = 0;
    this.waiting = []; // columns that came and are not drawn
    this.isSeen = true;
    new IntersectionObserver((entries) => { this.isSeen = entries.at(-1).isIntersecting; }).observe(this.canvas);
    this.isStill = matchMedia("(prefers-reduced-motion: reduce)");
    this.tick();
  }

  async tick() {
    if (!document.hidden && this.top.isConnected && (this.isSeen || this.top.hidden)) {
      try {
        const told = await fetch(`/api/sources/${encodeURIComponent(this.name)}/log-mel?after=${this.after}`);
        this.top.hidden = told.status === 404;
        if (told.ok) this.take(await told.json());
      } catch { /* the page says that it is not connected */ }
    }
    setTimeout(() => this.tick(), this.top.hidden ? 10 * SOUND_MS : SOUND_MS);
  }

  take(told) {
    this.after = told.end;
    this.bands = told.bands;
    const bytes = bytesOf(told.columns);
    if (!bytes.length) return;
    const wasMoving = this.waiting.length > 0;
    for (let at = 0; at < bytes.length; at += told.bands) this.waiting.push(bytes.subarray(at, at + told.bands));
    this.waiting = this.waiting.slice(-SOUND_COLUMNS);
    if (!wasMoving) requestAnimationFrame(() => this.move());
  }

  move() {
    const all = this.waiting.length;
    const n = this.isStill.matches || all === SOUND_COLUMNS ? all : Math.ceil(all / SMOOTH_FRAMES);
    const columns = this.waiting.splice(0, n);
    const bytes = new Uint8Array(n * this.bands);
    columns.forEach((column, at) => bytes.set(column, at * this.bands));
    this.context.drawImage(this.canvas, -n, 0);
    this.context.putImageData(melImage(bytes, this.bands), SOUND_COLUMNS - n, 0);
    if (this.waiting.length) requestAnimationFrame(() => this.move());
  }
}

class Panel {
  constructor(name) {
    this.name = name;
    this.picture = element("img", { class: "now", alt: `Newest picture of ${name}`, width: 224,
      height: 224, hidden: true });
    this.level = element("span", { class: "level" });
    this.senses = element("div", { class: "row" });
    this.sound = new Sound(name);
    this.running = element("div", { class: "running", role: "status" });
    this.runningText = "";
    this.likeliest = element("tbody");
    this.attention = element("div", { class: "attention" });
    this.figures = element("p", { class: "figures dim small" });
    this.top = element("section", { class: "panel source", "aria-label": name },
      element("div", { class: "row" }, element("h2", {}, name), this.senses),
      this.running,
      element("div", { class: "live" },
        element("div", { class: "seen" }, this.picture,
          element("div", { class: "row" }, element("span", { class: "small dim" }, "Sound"), this.level)),
        element("table", { class: "likeliest" },
          element("thead", {}, element("tr", {},
            element("th", { scope: "col" }, "Likeliest"), element("th", { scope: "col" }, "Score"),
            element("th", { scope: "col", class: "picture-text" }, "Picture alone"),
            element("th", { scope: "col", class: "sound-text" }, "Sound alone"))),
          this.likeliest),
        this.attention),
      this.sound.top,
      this.figures);
    this.tick();
  }

  /** Ask for a picture, and for the next one once it is there: a slow line is not piled up on. */
  tick() {
    const again = () => setTimeout(() => this.tick(), PICTURE_MS);
    if (document.hidden || !this.top.isConnected) return again();
    const newest = new Image();
    newest.onload = () => { this.picture.src = newest.src; this.picture.hidden = false; again(); };
    newest.onerror = () => { this.picture.hidden = true; again(); };
    newest.src = `/api/sources/${encodeURIComponent(this.name)}/picture?${Date.now()}`;
  }

  show(source) {
    fill(this.senses,
      ...source.senses.map((each) => element("span", {
        class: `chip ${GOOD.has(each.state) ? "right" : "wrong"}`, title: each.detail,
      }, `${each.sense}: ${each.state}`)),
      source.recording ? element("span", { class: "chip" }, source.recording) : null,
      source.load ? element("span", { class: "chip other" }, source.load) : null);
    this.showRunning(source.running);
    this.showLevel(source.level_db);
    this.likeliest.replaceChildren(...source.likeliest.map((each) => element("tr",
      { class: each.running ? "on" : "" },
      element("th", { scope: "row" }, each.label),
      element("td", {}, element("div", { class: "score" }, bar(each.score, "both", "score"),
        element("span", { class: "figure" }, percent(each.score)))),
      ...["picture", "sound"].map((sense) => element("td", { class: "alone" },
        each[sense] === null ? element("span", { class: "dim" }, "–")
          : element("span", { class: `figure ${sense}-text` }, percent(each[sense])))))));
    if (source.attention) this.showAttention(source.attention);
    const late = source.latency_ms === null ? "" : ` · 95 % of decisions come within ${source.latency_ms} ms`;
    const lost = Object.entries(source.lost).map(([name, n]) => ` · ${name.replaceAll("_", " ")}: ${n}`);
    this.figures.textContent = `${duration(source.t_s)} of stream${late}${lost.join("")}`;
  }

  showRunning(events) {
    const text = events.map((each) => each.label).join("\n");
    if (text !== this.runningText || !this.running.childElementCount) {
      this.runningText = text;
      this.running.replaceChildren(...(events.length
        ? events.map((each) => element("span", { class: "pill" }, element("b", {}, each.label), element("i")))
        : [element("span", { class: "dim" }, "Nothing goes on.")]));
    }
    events.forEach((each, index) => {
      this.running.children[index].lastChild.textContent = `${percent(each.confidence)} · ${duration(each.for_s)}`;
    });
  }

  showLevel(db) {
    if (db === null) return this.level.replaceChildren("–");
    const share = Math.min(1, Math.max(0, 1 - db / LEVEL_FLOOR_DB));
    return this.level.replaceChildren(bar(share, "sound", "level"),
      element("span", { class: "figure" }, db <= -120 ? "silent" : `${Math.round(db)} dB`));
  }

  showAttention(attention) {
    const strongest = Math.max(1e-9, ...attention.picture, ...attention.sound);
    const picture = Math.round(100 * attention.picture_share) / 100; // both make 100 %
    const rows = [["picture", picture], ["sound", 1 - picture]];
    this.attention.replaceChildren(element("h3", {}, "Attention"), ...rows.map(([sense, share]) => {
      const cells = attention[sense].map((weight) => {
        const cell = element("span", { class: weight === null ? "gone" : sense });
        if (weight !== null) cell.style.opacity = String(0.12 + 0.88 * weight / strongest);
        return cell;
      });
      return element("div", { class: "row" }, element("span", { class: `small name ${sense}-text` }, sense),
        element("span", { class: "cells", role: "img",
          "aria-label": `${sense} has ${percent(share)} of the attention` }, ...cells),
        element("span", { class: "figure" }, percent(share)));
    }), element("div", { class: "row dim small ages" }, element("span", {}, `${attention.picture.length} s ago`),
      element("span", { class: "push" }, "now")));
  }
}

function show(now) {
  run.textContent = now.sources.length ? `${now.bundle} on ${now.backend}` : "The run is starting …";
  for (const source of now.sources) {
    let panel = panels.get(source.name);
    if (panel === undefined) {
      panel = new Panel(source.name);
      panels.set(source.name, panel);
      place.append(panel.top);
    }
    panel.show(source);
  }
}

const PATIENCE_MS = 5000; // a stream that ends is asked for anew at once
let stream = null;
let late = null; // says so if it does not come

function watch() {
  stream = new EventSource("/api/live/stream");
  stream.onmessage = (message) => {
    clearTimeout(late);
    late = null;
    show(JSON.parse(message.data));
  };
  stream.onerror = async () => {
    late ??= setTimeout(() => { run.textContent = "Not connected; trying again …"; }, PATIENCE_MS);
    if (stream.readyState !== EventSource.CLOSED) return;
    const session = await ask("/api/session").catch(() => null);
    if (session !== null && !session.in) location.assign("/log-in");
    else setTimeout(watch, 3000);
  };
}

// A page that nobody looks at asks for nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stream?.close();
  else if (stream === null || stream.readyState === EventSource.CLOSED) watch();
});
if (!document.hidden) watch();
