"""How well a label is taught by five clips, and what ten corrections do: the table of the lab page.

    python -m research.teaching --data ../shared/data --features runs/t

Each label in turn is left out: its row of the head, its classes and its reference. Five files of
validation and test material, of different recordings, teach it; all others of other recordings are
asked, and hours of nothing and of other sounds count what is told that is not there. A taught label
stands beside the others, so these are asked too: whether anything of them changed.
"""

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mafnet.load import load_head
from mafnet.model import MAFnet
from realtime.events.tracker import EventTracker
from realtime.packets import Event, LabelScores, Phase, join_scores
from research.sound_corpus import SoundCorpus, load_corpus
from research.streaming.material import load_material
from research.streaming.render import render_sound
from research.streaming.scene import SceneSettings, compose
from research.teaching_reference import Ear, hops
from teaching.deny import deny
from teaching.learn import begins_at, learn, peak, scores
from teaching.lessons import FAINT, LOUD, MARGIN
from teaching.reference import Reference, load_reference
from teaching.replay import NS_PER_HOP, WINDOW_CLIPS
from weights.bundle import Bundle, load_bundle
from weights.event_spec import EventSpec
from weights.files import written_whole

LABELS = ("Rooster", "Siren", "Snoring", "Computer keyboard", "Laughter")
LOW_ON = 0.3  # corrections are tried where more is told wrongly than at the starter's thresholds
MOST_KINDS, LEAST_FALSE, LEAST_RIGHT = 6, 14, 5
N_CLIPS, N_DRAWS, N_CORRECTED = 5, 10, 10
EMPTY_HOURS = 2
EMPTY_MINUTES = {"rooms": 30.0, "noise": 15.0, "quiet": 15.0}
BUSY_MINUTES = 60.0
COLLAR_S = 1.0
LEAST_HOPS = 3  # of a file of one second: in a stream its neighbours hold most of it too
NEAR, AROUND = 0.4, 20  # of the threshold; hops around it that the tracker is given
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Validation and test files, heard.

    Attributes:
        rows: Each file's hops, `(n, C)`.
        levels: RMS of each hop's second.
        labels: What each file is.
        groups: What must not be parted.
    """

    rows: list[Array]
    levels: list[Array]
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]

    def loud(self, k: int) -> Array:
        """Return the hops that a clip teaches by."""
        loud: Array = self.rows[k][self.levels[k] >= LOUD * self.levels[k].max()]
        return loud


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A stream of other sounds, and when each label goes on."""

    rows: Array
    events: tuple[tuple[str, float, float], ...]


def hear_files(corpus: SoundCorpus, ear: Ear, path: Path) -> Files:
    """Hear all files of validation and test, or read what was heard."""
    order = np.concatenate([corpus.files("val"), corpus.files("test")])
    if not path.exists():
        rows, levels = [], []
        for k in order:
            raw = corpus.samples[corpus.starts[k] : corpus.starts[k + 1]]
            seconds = hops(raw.astype(np.float32) / np.float32(32768))
            rows.append(ear.means(seconds).astype(np.float16))
            levels.append(np.sqrt(np.square(seconds).mean(axis=1)))
        starts = np.cumsum([0, *map(len, rows)])
        _keep(path, x=np.concatenate(rows), starts=starts, level=np.concatenate(levels))
    with np.load(path) as kept:
        cut = kept["starts"][1:-1]
        parts = np.split(kept["x"].astype(np.float32), cut), np.split(kept["level"], cut)
    return Files(
        rows=parts[0],
        levels=parts[1],
        labels=np.array([corpus.names[int(corpus.labels[k])] for k in order]),
        groups=np.array([corpus.groups[int(k)] for k in order]),
    )


def hear_nothing(data: Path, bundle: Bundle, ear: Ear, folder: Path) -> list[Array]:
    """Hear hours of nothing of test material, or read them."""
    out: list[Array] = []
    for hour in range(EMPTY_HOURS):
        path = folder / f"nothing-test-{hour}.npz"
        if not path.exists():
            material, kinds = load_material(data, bundle, "test"), {}
            for kind, minutes in EMPTY_MINUTES.items():
                settings = SceneSettings(
                    minutes=minutes, seed=500 + hour, noise_db=-30.0 - 4.0 * hour
                )
                pcm = render_sound(compose(kind, [], settings), material, settings)
                seconds = hops(pcm.astype(np.float32) / np.float32(32767))
                kinds[kind] = ear.means(seconds).astype(np.float16)
            _keep(path, **kinds)
        with np.load(path) as kept:
            out += [kept[kind].astype(np.float32) for kind in EMPTY_MINUTES]
    return out


def hear_busy(data: Path, bundle: Bundle, ear: Ear, folder: Path) -> Busy:
    """Hear an hour in which one sound follows the other, or read it."""
    path = folder / "busy-test.npz"
    if not path.exists():
        material = load_material(data, bundle, "test")
        settings = SceneSettings(minutes=BUSY_MINUTES, seed=7)
        scene = compose("sound", material.labels("sound"), settings)
        pcm = render_sound(scene, material, settings)
        told = [(e.label, str(e.onset_s), str(e.offset_s)) for e in scene.events]
        rows = ear.means(hops(pcm.astype(np.float32) / np.float32(32767))).astype(np.float16)
        _keep(path, x=rows, events=np.array(told))
    with np.load(path) as kept:
        events = tuple((str(a), float(b), float(c)) for a, b, c in kept["events"])
        return Busy(rows=kept["x"].astype(np.float32), events=events)


def _keep(path: Path, **arrays: NDArray[np.generic]) -> None:
    with written_whole(path) as temporary, temporary.open("wb") as out:
        np.savez(out, **arrays)  # type: ignore[arg-type]  # numpy's own name for arrays


def told(said: Array, on: float, events: EventSpec) -> list[tuple[float, float]]:
    """Return onsets and offsets of one label's events, s.

    Args:
        said: Logits of each hop.
        on: Where an event begins.
        events: All else of the settings. A window's clips are weighed alike here.
    """
    said = np.concatenate([said, np.repeat(said[-1:], max(0, LEAST_HOPS - len(said)))])
    newest = 1 / (1 + np.exp(-said.astype(np.float64)))
    padded = np.concatenate([np.zeros((WINDOW_CLIPS - 1) * 4), newest])
    window = np.mean([padded[4 * k : 4 * k + len(newest)] for k in range(WINDOW_CLIPS)], axis=0)
    joined = join_scores(
        window.astype(np.float32), newest.astype(np.float32), events.window_weight, True
    )
    spec = EventSpec(
        on=on, off=0.46 * on, min_duration_s=events.min_duration_s,
        merge_gap_s=events.merge_gap_s, confirm=events.confirm, smooth=events.smooth,
    )  # fmt: skip
    tracker = EventTracker(spec, ("it",))
    out: list[Event] = []
    steps = np.pad(joined >= NEAR * on, AROUND)
    near = np.lib.stride_tricks.sliding_window_view(steps, 2 * AROUND + 1).any(axis=1)
    for k in np.flatnonzero(near):  # far from all that may begin an event nothing does
        row = np.array([joined[k]])
        out += tracker.update(
            LabelScores(
                end_t_ns=(4 + int(k)) * NS_PER_HOP, scores=row, window=row.astype(np.float32)
            )
        )
    out += tracker.close((4 + len(said)) * NS_PER_HOP)
    return [
        (e.onset_t_ns / 1e9, e.offset_t_ns / 1e9)
        for e in out
        if e.phase is Phase.OFFSET and e.offset_t_ns is not None
    ]


def draws(files: Files, label: str, n: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Yield files that teach a label, of different recordings."""
    own = np.flatnonzero(files.labels == label)
    for _ in range(n):
        picked: dict[str, int] = {}
        for k in rng.permutation(own):
            picked.setdefault(str(files.groups[k]), int(k))
        yield list(picked.values())[:N_CLIPS]


def teach_table(
    files: Files, empty: Sequence[Array], busy: Busy, bundle: Bundle, reference: Reference,
    labels: Sequence[str],
) -> None:  # fmt: skip
    """Print what five clips of each label give."""
    events, rng = bundle.events, np.random.default_rng(0)
    begins = begins_at(events.on, events.window_weight, WINDOW_CLIPS)
    hours = sum(map(len, empty)) / 4 / 3600
    for label in labels:
        groups = bundle.events.groups
        related = frozenset(
            {b for a, b in groups.items() if a == label}
            | {a for a, b in groups.items() if b == label}
        )
        rows, nothing = reference.but(label, related)
        found: list[tuple[float, ...]] = []
        n_asked = 0
        for picked in draws(files, label, N_DRAWS, rng):
            taught = {str(files.groups[k]) for k in picked}
            asked = [
                k for k in np.flatnonzero(files.labels == label) if files.groups[k] not in taught
            ]
            if not asked:
                continue
            learned = learn([files.loud(k) for k in picked], rows, nothing)
            row = learned.weights.copy()
            row[-1] += begins
            hits = [bool(told(scores(row, files.rows[k]), events.on, events)) for k in asked]
            false = sum(len(told(scores(row, each), events.on, events)) for each in empty)
            spans = [
                (a - COLLAR_S, b + COLLAR_S)
                for own, a, b in busy.events
                if own in {label, *related}
            ]
            wrong = [
                (a, b)
                for a, b in told(scores(row, busy.rows), events.on, events)
                if not any(a < y and b > x for x, y in spans)
            ]
            busy_h = len(busy.rows) / 4 / 3600
            found.append((float(np.mean(hits)), false / hours, len(wrong) / busy_h, learned.recall))
            n_asked += len(asked)
        mean = np.mean(found, axis=0)
        worst = min(each[0] for each in found)
        print(
            json.dumps(
                {
                    "label": label,
                    "draws": len(found),
                    "asked": n_asked,
                    "recall": round(float(mean[0]), 3),
                    "worst": round(worst, 3),
                    "held_back": round(float(mean[3]), 3),
                    "false_an_hour_of_nothing": round(float(mean[1]), 2),
                    "false_an_hour_of_others": round(float(mean[2]), 2),
                }
            ),
            flush=True,
        )


@torch.inference_mode()
def heard_of(model: MAFnet, rows: Array) -> Array:
    """Return what the classes say of each hop, `(n, n_labels)`."""
    assert model.evidence is not None
    visual = torch.zeros(len(rows), model.config.visual_dim)
    said: Array = model.evidence(visual, torch.from_numpy(rows)[:, :, None, None])[:, 1].numpy()
    return said


def correct_table(files: Files, bundle: Bundle, reference: Reference) -> None:
    """Print what ten corrected events of a kind do to the others, and to the label elsewhere."""
    model, rng, groups = load_head(bundle), np.random.default_rng(0), bundle.events.groups
    begins = begins_at(LOW_ON, bundle.events.window_weight, WINDOW_CLIPS)
    said = [heard_of(model, rows) for rows in files.rows]
    peaks = np.array([[peak(own) for own in each.T] for each in said])  # (n_files, n_labels)
    kinds = []
    for place, label in enumerate(bundle.labels):
        right = np.flatnonzero((files.labels == label) & (peaks[:, place] >= begins))
        for source in np.unique(files.labels):
            is_related = groups.get(str(source)) == label or groups.get(label) == source
            false = np.flatnonzero((files.labels == source) & (peaks[:, place] >= begins))
            is_kind = len(false) >= LEAST_FALSE and len(right) >= LEAST_RIGHT
            if is_kind and source != label and not is_related:
                kinds.append((len(false), str(source), label, place, false, right))
    for _, source, label, place, false, right in sorted(kinds, reverse=True)[:MOST_KINDS]:
        picked = [int(k) for k in rng.permutation(false)[:N_CORRECTED]]
        fired = [files.rows[k][said[k][:, place] >= min(begins, FAINT)] for k in picked]
        highest = max(float(said[k][:, place].max()) for k in picked)
        rows, _ = reference.but(label, frozenset({source}))
        denial = deny(fired, reference.of(label), rows, highest - begins + MARGIN)
        after = {
            int(k): peak(
                said[k][:, place] - np.maximum(0, scores(denial.weights, files.rows[int(k)]))
            )
            for k in [*false, *right]
        }
        rest = [int(k) for k in false if int(k) not in picked]
        told = {
            "kind": f"{source} told as {label}",
            "corrected": len(picked),
            "others_before": len(rest),
            "others_after": sum(after[k] >= begins for k in rest),
            "right_before": len(right),
            "right_after": sum(after[int(k)] >= begins for k in right),
        }
        print(json.dumps(told), flush=True)


def main() -> None:
    """Print both tables, a line of JSON a row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True, help="what is heard is kept here")
    parser.add_argument("--labels", nargs="*", default=LABELS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with (options.data / "sounds.csv").open(newline="", encoding="utf-8-sig") as table:
        if not next(csv.DictReader(table), None):
            parser.error(f"{options.data} has no sounds")
    bundle = load_bundle("starter")
    sound, _ = load_reference(bundle)
    ear = Ear(bundle)
    files = hear_files(
        load_corpus(options.data, options.features), ear, options.features / "pooled.npz"
    )
    empty = hear_nothing(options.data, bundle, ear, options.features)
    busy = hear_busy(options.data, bundle, ear, options.features)
    teach_table(files, empty, busy, bundle, sound, options.labels)
    correct_table(files, bundle, sound)


if __name__ == "__main__":
    main()
