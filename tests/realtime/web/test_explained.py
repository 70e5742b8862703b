"""Why an event was told, on the page: from what the history and its clip keep."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime.clock import NS_PER_S
from realtime.outputs.explain.event_trace import EventTraces
from realtime.outputs.recording.codec import AAC_SAMPLES, FrameCodec, Mp4Writer, finish_file
from web_site import Site, visit
from wire_samples import LABELS, make_prediction

SECONDS, RATE, FPS = 8, 16_000, 10


def write_clip(path: Path) -> None:
    """Write eight seconds: red, then blue from the fifth on; a tone from the fifth on."""
    part, codec = path.with_suffix(".part"), FrameCodec(720)
    with part.open("wb") as sink:
        writer = Mp4Writer(sink, (64, 48), sound=True, codec=codec)
        for n in range(SECONDS * FPS):
            colour = (200, 0, 0) if n < 5 * FPS else (0, 0, 200)
            image = np.full((48, 64, 3), colour, np.uint8)
            frame = codec.compress(n * NS_PER_S // FPS, image)
            writer.write_frame(frame, n * RATE // FPS, RATE // FPS)
        wave = 20_000 * np.sin(2 * np.pi * 1000 * np.arange(SECONDS * RATE) / RATE)
        wave[: 5 * RATE] = 0
        for start in range(0, len(wave), AAC_SAMPLES):
            writer.write_sound(wave[start : start + AAC_SAMPLES].astype(np.int16), start)
        writer.close()
    finish_file(part, path)
    part.unlink()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)  # event 1: from 10 to 14 s, its clip from 5 s on
    write_clip(site.recordings / "2026-01-02" / "a.mp4")
    trace = EventTraces(
        LABELS,
        0.25,
        lambda source, since, until: [
            make_prediction(end_t_ns=t_ns) for t_ns in range(since, until, NS_PER_S // 4)
        ],
    )
    packed = trace.of({"source": "hall", "label": LABELS[2], "onset": {"t_s": 10.0},
                       "offset": {"t_s": 14.0}})  # fmt: skip
    site.rows("INSERT INTO traces VALUES (?, ?)", site.ids[0], packed)
    return site


def test_view_has_curves_pictures_and_sound_on_one_time_axis(site: Site) -> None:
    visitor = visit(site.app())
    told = visitor.get(f"/api/events/{site.ids[0]}/explanation").json()
    assert (told["from_s"], told["zero_s"]) == (5.0, 10.0)
    assert told["to_s"] >= 13.0
    assert told["labels"][0]["label"] == LABELS[2]
    assert len(told["times"]) == len(told["labels"][0]["both"]) == 40
    assert told["events"][0]["onset_s"] == 10.0
    assert told["film"]["times"] == pytest.approx([5.0 + n for n in range(SECONDS)], abs=0.1)
    columns = np.frombuffer(base64.b64decode(told["sound"]["columns"]), np.uint8).reshape(-1, 64)
    loud_s = told["sound"]["from_s"] + 0.01 * int((columns.max(axis=1) > 100).argmax())
    assert loud_s == pytest.approx(10.0, abs=0.05)
    strip = Image.open(io.BytesIO(visitor.get(told["film"]["src"]).content)).convert("RGB")
    width = strip.width // SECONDS
    reds = [strip.getpixel((width * n + width // 2, 40))[0] > 100 for n in range(SECONDS)]
    assert reds == [True] * 5 + [False] * 3


def test_event_without_trace_or_clip_has_what_there_is(site: Site) -> None:
    visitor = visit(site.app())
    told = visitor.get(f"/api/events/{site.ids[7]}/explanation").json()
    assert (told["times"], told["film"], told["sound"]) == ([], None, None)
    assert told["events"][0]["label"] in LABELS
    assert visitor.get(f"/api/events/{site.ids[7]}/film").status_code == 404


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_clip_outside_of_the_folder_or_unfinished_is_not_looked_at(site: Site, number: int) -> None:
    visitor = visit(site.app())
    assert visitor.get(f"/api/events/{site.ids[number]}/film").status_code == 404
    assert visitor.get(f"/api/events/{site.ids[number]}/explanation").json()["film"] is None


def test_clip_that_is_no_film_is_no_fault(site: Site) -> None:
    (site.recordings / "2026-01-02" / "a.mp4").write_bytes(b"no film" * 1000)
    told = visit(site.app()).get(f"/api/events/{site.ids[0]}/explanation").json()
    assert (told["film"], told["sound"]) == (None, None)
    assert len(told["times"]) == 40


def test_event_that_is_not_there_has_no_view(site: Site) -> None:
    visitor = visit(site.app())
    assert visitor.get("/api/events/none/explanation").status_code == 404
    assert visitor.get(f"/api/events/{'x' * 400}/film").status_code == 404
