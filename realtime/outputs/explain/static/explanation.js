// Why something was told: film, log-mel, scores, each sense alone, attention, events; one time axis.
// It imports nothing: it is a module of the page, and it is written into pages that stand alone.

const SVG = "http://www.w3.org/2000/svg";

function made(tag, attributes = {}, ...children) {
  const isDrawn = tag === "svg" || tag === "path" || tag === "line" || tag === "rect";
  const node = isDrawn ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

const percent = (share) => (share === null || share === undefined ? "–" : `${Math.round(100 * share)} %`);

// Inferno's corners (matplotlib, CC0), as bright as the sound is loud in either scheme.
const CORNERS = [[0, 0, 4], [66, 10, 104], [147, 38, 103], [221, 81, 58], [252, 165, 10], [252, 255, 164]];
const PALETTE = new Uint32Array(256);
const isLittle = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
for (let value = 0; value < 256; value += 1) {
  const place = (value / 255) * (CORNERS.length - 1);
  const low = Math.min(CORNERS.length - 2, Math.floor(place));
  const [r, g, b] = CORNERS[low].map((from, n) => Math.round(from + (place - low) * (CORNERS[low + 1][n] - from)));
  PALETTE[value] = isLittle ? ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0
    : ((r << 24) | (g << 16) | (b << 8) | 255) >>> 0;
}

export const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Return mel columns (low bands first) as an image, high bands on top. */
export function melImage(bytes, bands) {
  const columns = Math.floor(bytes.length / bands);
  const image = new ImageData(Math.max(1, columns), bands);
  const pixels = new Uint32Array(image.data.buffer);
  for (let column = 0; column < columns; column += 1) {
    for (let band = 0; band < bands; band += 1) {
      pixels[(bands - 1 - band) * columns + column] = PALETTE[bytes[column * bands + band]];
    }
  }
  return image;
}

function plot(kind, title, ...children) {
  return made("div", { class: `ex-plot ${kind}` }, made("h4", {}, ...[title].flat()), ...children);
}

function svg(name, ...children) {
  return made("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img",
    "aria-label": name }, ...children);
}

const grid = () => [25, 50, 75].map((y) => made("line", { class: "ex-grid", x1: 0, x2: 1000, y1: y, y2: y }));

function steps(span) {
  const wanted = span / 6;
  return [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800]
    .find((step) => step >= wanted) ?? 86400;
}

function clock(seconds) {
  const sign = seconds < -1e-9 ? "−" : "";
  const s = Math.abs(seconds);
  if (s < 60) return `${sign}${Number(s.toFixed(1))} s`;
  const whole = Math.round(s);
  const [h, m] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${sign}${h}:${two(m)}:${two(whole % 60)}` : `${sign}${m}:${two(whole % 60)}`;
}

/** Draw as many pictures as have room, each the nearest to where it stands. */
function film(told, xOf, span) {
  const canvas = made("canvas", { role: "img", "aria-label": "Pictures" });
  const strip = new Image();
  const draw = () => {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !strip.naturalWidth) return;
    const scale = devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    const one = strip.naturalWidth / told.times.length;
    const wide = (one * height) / strip.naturalHeight;
    const ends = [xOf(told.times[0]) * width, xOf(told.times.at(-1)) * width + wide];
    for (let x = 0; x < width; x += wide) {
      const middle = x + wide / 2;
      if (middle < ends[0] - wide || middle > ends[1]) continue;
      const time = span[0] + (middle / width) * (span[1] - span[0]);
      let nearest = 0;
      told.times.forEach((each, n) => {
        if (Math.abs(each - time) < Math.abs(told.times[nearest] - time)) nearest = n;
      });
      context.drawImage(strip, nearest * one, 0, one, strip.naturalHeight, x, 0, wide, height);
    }
  };
  strip.addEventListener("load", draw);
  new ResizeObserver(draw).observe(canvas);
  strip.src = told.src;
  return canvas;
}

function mel(told, xOf) {
  const canvas = made("canvas", { role: "img", "aria-label": "Log-mel picture of the sound" });
  const image = melImage(bytesOf(told.columns), told.bands);
  const [from, to] = [xOf(told.from_s), xOf(told.to_s)];
  const scale = image.width / Math.max(1e-6, to - from);
  canvas.width = Math.max(1, Math.min(8192, Math.round(scale)));
  canvas.height = told.bands;
  createImageBitmap(image).then((bitmap) => canvas.getContext("2d")
    .drawImage(bitmap, from * canvas.width, 0, (to - from) * canvas.width, told.bands));
  return canvas;
}

/** A line that breaks where nothing is known. */
function line(times, values, xOf, colour) {
  let [path, isDown] = ["", false];
  values.forEach((value, n) => {
    if (value === null) { isDown = false; return; }
    path += `${isDown ? "L" : "M"}${(1000 * xOf(times[n])).toFixed(1)} ${(100 - 100 * value).toFixed(1)}`;
    isDown = true;
  });
  return made("path", { class: `ex-c${colour}`, d: path || "M0 100" });
}

const sum = (weights) => weights.reduce((all, each) => all + (each ?? 0), 0);

function shares(told, xOf) {
  const drawn = [];
  told.times.forEach((time, n) => {
    const from = n ? told.times[n - 1] : time - (told.times[1] - time || 1);
    const [x, width] = [1000 * xOf(from), 1000 * (xOf(time) - xOf(from))];
    const [picture, sound] = [sum(told.attention.picture[n]), sum(told.attention.sound[n])];
    const high = (100 * picture) / Math.max(1e-9, picture + sound);
    drawn.push(made("rect", { class: "ex-fill-picture", x, y: 0, width: width + 0.3, height: high }),
      made("rect", { class: "ex-fill-sound", x, y: high, width: width + 0.3, height: 100 - high }));
  });
  return svg("Share of picture and sound in the attention", ...drawn,
    made("line", { class: "ex-grid", x1: 0, x2: 1000, y1: 50, y2: 50 }));
}

/** The attention of one window: a bar a clip, the picture's up, the sound's down. */
function showWindow(place, told, n, xOf) {
  const [ends, picture, sound] = [told.attention.clip_ends[n], told.attention.picture[n], told.attention.sound[n]];
  const most = Math.max(1e-9, ...picture.map((each) => each ?? 0), ...sound.map((each) => each ?? 0));
  const bars = ends.flatMap((end, clip) => {
    const [from, to] = [xOf(end - 1), xOf(end)];
    const shape = { x: 1000 * from + 0.5, width: Math.max(0.5, 1000 * (to - from) - 1) };
    const [up, down] = [picture[clip], sound[clip]].map((each) => (48 * (each ?? 0)) / most);
    return [made("rect", { class: "ex-fill-picture", ...shape, y: 50 - up, height: up }),
      made("rect", { class: "ex-fill-sound", ...shape, y: 50, height: down })];
  });
  place.replaceChildren(...bars, made("line", { class: "ex-mid", x1: 0, x2: 1000, y1: 50, y2: 50 }));
}

/** Whether the label stands before its first mark, rather than behind the last. */
function hasRoomBefore(events, told, xOf) {
  const ends = events.map((event) => xOf(event.offset_s ?? told.to_s));
  return Math.min(...events.map((event) => xOf(event.onset_s))) >= 1 - Math.max(...ends);
}

function lanes(told, xOf, colourOf) {
  const byLabel = new Map();
  for (const event of told.events) {
    byLabel.set(event.label, [...(byLabel.get(event.label) ?? []), event]);
  }
  return [...byLabel].map(([label, events]) => made("div", {
    class: `ex-lane ${colourOf(label)} ${hasRoomBefore(events, told, xOf) ? "" : "ex-behind"}` },
    ...events.map((event) => {
      const [from, to] = [xOf(event.onset_s), xOf(event.offset_s ?? told.to_s)];
      const mark = made("span", { title: `${label}: ${clock(event.onset_s - told.zero_s)} to ${
        event.offset_s === null ? "the end" : clock(event.offset_s - told.zero_s)}, ${percent(event.confidence)
      }; picture alone ${percent(event.picture)}, sound alone ${percent(event.sound)}` });
      mark.style.left = `${100 * from}%`;
      mark.style.width = `${100 * Math.max(0, to - from)}%`;
      return mark;
    }),
    made("i", {}, events.length > 1 ? `${label} × ${events.length}` : `${label} ${percent(events[0].confidence)}`)));
}

function axis(span, zero, xOf) {
  const step = steps(span[1] - span[0]);
  const marks = [];
  for (let t = Math.ceil((span[0] - zero) / step - 1e-9) * step; zero + t <= span[1] - step / 3; t += step) {
    const mark = made("span", {}, clock(t));
    mark.style.left = `${100 * xOf(zero + t)}%`;
    marks.push(mark);
  }
  return made("div", { class: "ex-axis" }, ...marks);
}

/** Return the whole view of what was told (`realtime/outputs/explain`). */
export function explanation(told) {
  const span = [told.from_s, Math.max(told.to_s, told.from_s + 0.1)];
  const xOf = (t) => Math.min(1, Math.max(0, (t - span[0]) / (span[1] - span[0])));
  const colours = new Map(told.labels.map((each, n) => [each.label, n % 8]));
  const colourOf = (label) => (colours.has(label) ? `ex-c${colours.get(label)}` : "");
  const curves = (what, name) => svg(name, ...grid(),
    ...[...told.labels].reverse().map((each) => line(told.times, each[what], xOf, colours.get(each.label))));
  const theWindow = svg("Attention of the window that ends at the moment");
  const cursor = made("div", { class: "ex-cursor" });
  const bold = (kind, text) => made("b", { class: kind }, text);
  const hasMoments = told.times.length > 0;
  const plots = made("div", { class: "ex-plots" },
    told.film ? plot("ex-film", "Seen", film(told.film, xOf, span)) : null,
    told.sound ? plot("ex-mel", "Heard: log-mel, 125 to 7500 Hz", mel(told.sound, xOf)) : null,
    plot("ex-events", told.events.length ? "Told" : "Nothing was told", ...lanes(told, xOf, colourOf)),
    ...(hasMoments ? [
      plot("ex-curves", "Score: window and newest second, both senses", curves("both", "Scores of both senses")),
      plot("ex-curves ex-alone", [bold("ex-picture", "Picture"), " alone"], curves("picture", "Scores of the picture alone")),
      plot("ex-curves ex-alone", [bold("ex-sound", "Sound"), " alone"], curves("sound", "Scores of the sound alone")),
      plot("ex-share", ["Attention: ", bold("ex-picture", "picture"), " over ", bold("ex-sound", "sound")], shares(told, xOf)),
      plot("ex-window", ["Attention of the window that ends at the mark: ", bold("ex-picture", "picture"),
        " up, ", bold("ex-sound", "sound"), " down"], theWindow),
    ] : []),
    axis(span, told.zero_s, xOf), cursor);
  if (!hasMoments) {
    cursor.remove();
    return made("div", { class: "explanation" }, plots);
  }
  const slider = made("input", { type: "range", min: 0, max: told.times.length - 1, step: 1,
    "aria-label": "Moment" });
  slider.style.marginLeft = `${100 * xOf(told.times[0])}%`; // its thumb stands under the mark
  slider.style.width = `${100 * (xOf(told.times.at(-1)) - xOf(told.times[0]))}%`;
  const moment = made("th", { scope: "col" });
  const cells = told.labels.map((each) => ["both", "picture", "sound"].map(() => made("td")));
  const table = made("table", { class: "ex-said" },
    made("thead", {}, made("tr", {}, moment, made("th", { scope: "col" }, "both"),
      made("th", { scope: "col" }, "picture alone"), made("th", { scope: "col" }, "sound alone"))),
    made("tbody", {}, ...told.labels.map((each, row) => made("tr", {},
      made("th", { scope: "row" }, made("span", { class: `ex-swatch ${colourOf(each.label)}` }), each.label),
      ...cells[row]))));
  const show = (n) => {
    slider.value = n;
    cursor.style.left = `${100 * xOf(told.times[n])}%`;
    moment.textContent = `at ${clock(told.times[n] - told.zero_s)}`;
    told.labels.forEach((each, row) => ["both", "picture", "sound"].forEach((what, column) => {
      cells[row][column].textContent = percent(each[what][n]);
    }));
    slider.setAttribute("aria-valuetext", moment.textContent);
    showWindow(theWindow, told, n, xOf);
  };
  const point = (event) => {
    const box = plots.getBoundingClientRect();
    const time = span[0] + ((event.clientX - box.left) / box.width) * (span[1] - span[0]);
    let nearest = 0;
    told.times.forEach((each, n) => {
      if (Math.abs(each - time) < Math.abs(told.times[nearest] - time)) nearest = n;
    });
    show(nearest);
  };
  plots.addEventListener("pointermove", point);
  plots.addEventListener("pointerdown", point);
  slider.addEventListener("input", () => show(Number(slider.value)));
  const first = told.labels[0].both;
  show(first.indexOf(Math.max(...first)));
  return made("div", { class: "explanation" }, plots, slider, table);
}
