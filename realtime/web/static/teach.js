// Teach: a label from chosen events, or all that was reviewed; how it goes, what came of it, undo.

import { ask, element, fill } from "./page.js";

const form = document.getElementById("teach");
const label = document.getElementById("teach-label");
const chosen = document.getElementById("chosen");
const button = document.getElementById("teach-now");
const undo = document.getElementById("teach-undo");
const progress = document.getElementById("teach-progress");
const said = document.getElementById("teach-said");
const result = document.getElementById("teach-result");
const POLL_MS = 500;
const LEAST = 3;
const events = new Map(); // chosen, by id

function show(state) {
  const step = state.step;
  progress.hidden = step === null;
  if (step !== null && step.of > 1) {
    progress.max = step.of;
    progress.value = step.done;
  } else {
    progress.removeAttribute("value");
  }
  const isBusy = step !== null || state.is_loading;
  button.disabled = isBusy;
  undo.disabled = isBusy || state.undo === 0;
  if (step !== null) {
    said.textContent = step.of > 1 ? `${step.step}: ${step.done} of ${step.of}` : `${step.step} …`;
  } else if (state.is_loading) {
    said.textContent = "the run takes the bundle …";
  } else {
    said.textContent = state.fault || state.not_taken || `in use: ${state.bundle}`;
  }
  const lines = state.result?.text ?? (state.result?.undone ? [`back to ${state.result.undone}`] : []);
  fill(result, ...lines.map((line) => element("li", {}, line)));
  return isBusy;
}

async function watch() {
  while (show(await ask("/api/teaching"))) {
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
  }
}

const tell = (error) => { said.textContent = error.message; };

function showChosen() {
  chosen.textContent = events.size === 0 ? "" : `${events.size} chosen`;
  button.textContent = events.size === 0 ? "Teach what was reviewed" : "Teach this label";
  label.required = events.size > 0;
}

/** Choose an event as an example, or no more; return what to say of it. */
export function choose(event) {
  if (!event.has_clip) return `${event.label}: it has no clip to learn from`;
  const had = events.delete(event.id);
  if (!had) events.set(event.id, event);
  showChosen();
  return `${event.label}: ${had ? "no example any more" : "an example"}`;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = label.value.trim();
  if (events.size > 0 && events.size < LEAST) {
    said.textContent = `${LEAST} to 20 examples are wanted, ${events.size} are chosen`;
    return;
  }
  if (events.size === 0 && name) {
    said.textContent = "choose events that show it, with E";
    return;
  }
  try {
    const what = events.size > 0 ? { label: name, events: [...events.keys()] } : {};
    await ask("/api/teaching", "POST", what);
    events.clear();
    label.value = "";
    showChosen();
    await watch();
  } catch (error) {
    tell(error);
  }
});

undo.addEventListener("click", async () => {
  try {
    await ask("/api/teaching", "DELETE");
    await watch();
  } catch (error) {
    tell(error);
  }
});

showChosen();
watch().catch(tell);
