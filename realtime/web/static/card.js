// An event as a card: what it was, when, how sure, by which sense; and its clip.

import { explanation } from "./explanation.js";
import { ask, bar, duration, element, moment, percent } from "./page.js";

const BEFORE_ONSET_S = 1;
const POSTER_S = 0.5; // behind the onset, where the event is to be seen

/** The evidence: the attention's shares in one bar, then what each sense alone said. */
function evidence(event) {
  const parts = [];
  if (event.picture !== null && event.sound !== null) {
    const picture = element("span", { class: "picture" });
    const sound = element("span", { class: "sound" });
    picture.style.width = `${100 * event.picture}%`;
    sound.style.width = `${100 * event.sound}%`;
    parts.push(
      element("dt", {}, "Attention"),
      element("dd", {},
        element("span", { class: "bar", role: "img",
          "aria-label": `picture ${percent(event.picture)}, sound ${percent(event.sound)}` },
        picture, sound)),
    );
  }
  for (const [sense, name] of [["picture", "Picture alone"], ["sound", "Sound alone"]]) {
    const alone = event[`${sense}_alone`];
    if (alone === null) continue;
    parts.push(element("dt", {}, name),
      element("dd", {}, bar(alone, sense, name), element("span", { class: "figure" }, percent(alone))));
  }
  return parts.length ? element("dl", { class: "evidence" }, ...parts) : null;
}

const VERDICTS = { right: "right", wrong: "wrong", other: "corrected" };

function chips(event) {
  return [
    event.state !== "ended" ? element("span", { class: "chip" }, event.state) : null,
    event.is_recording ? element("span", { class: "chip" }, "recording") : null,
    event.verdict ? element("span", { class: `chip ${event.verdict}` }, VERDICTS[event.verdict]) : null,
  ];
}

/** The clip; its first picture is loaded once it is on the screen, the rest when it is played. */
export function clip(event) {
  const onset = event.pre_roll_s || 0;
  const video = element("video", { controls: true, playsinline: true, preload: "none",
    "aria-label": `Clip of ${event.label}` });
  video.src = `/api/events/${encodeURIComponent(event.id)}/clip#t=${onset + POSTER_S}`;
  video.addEventListener("play", () => {
    video.currentTime = Math.max(0, onset - BEFORE_ONSET_S);
  }, { once: true });
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    if (video.preload === "none") video.preload = "metadata";
  });
  seen.observe(video);
  const place = element("div", { class: "clip" }, video);
  video.addEventListener("error", () => {
    place.replaceChildren(element("p", { class: "dim" }, "The clip cannot be played: it is gone, or not finished yet."));
  });
  return place;
}

/** Why it was told; asked for when somebody looks. */
function why(event) {
  const box = element("details", { class: "why" }, element("summary", {}, "Why"));
  box.addEventListener("toggle", async () => {
    if (!box.open || box.childElementCount > 1) return;
    const place = element("p", { class: "dim" }, "Looking …");
    box.append(place);
    try {
      place.replaceWith(explanation(await ask(`/api/events/${encodeURIComponent(event.id)}/explanation`)));
    } catch (error) {
      place.textContent = error.message;
    }
  });
  return box;
}

export function card(event, { withLink = true } = {}) {
  const lasted = event.offset_t_s === null ? null : event.offset_t_s - event.onset_t_s;
  const label = event.corrected
    ? [element("s", {}, event.label), ` ${event.corrected}`] : [event.label];
  return element("article", { class: "card", "data-id": event.id },
    event.has_clip ? clip(event) : null,
    element("div", { class: "told" },
      element("div", { class: "row" },
        element("h3", {}, ...label),
        ...chips(event),
        element("span", { class: "push sure", title: "how sure" }, percent(event.confidence))),
      element("p", { class: "dim" },
        element("time", { datetime: event.onset }, moment(event.onset_ms)),
        lasted === null ? "" : ` · ${duration(lasted)}`, ` · ${event.source}`),
      evidence(event),
      why(event),
      withLink ? element("a", { class: "small", href: `/review?event=${encodeURIComponent(event.id)}` },
        event.verdict ? "Change the review" : "Review") : null));
}
