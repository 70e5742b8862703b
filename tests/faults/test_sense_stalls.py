"""The shipped bundle while a sense stalls, in quiet and in events: what it tells, and what not.

The scene is the built-in one, a siren and a car horn between quiet seconds. Where the real clips
are, those whose picture alone names what their sound denies are stalled too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import av
import numpy as np
import pytest
import torch

from faults.fault_layer import Fault
from faults.starter_rig import Material, Span, demo_material, kept_models, play, spans
from integration.processes import CLIPS
from realtime.build import frame_transform
from realtime.bundle_settings import find_bundle
from realtime.packets import GRID_HZ, SAMPLE_RATE
from realtime.recognition.models import Models
from realtime.sources.demo_scene import SCRIPT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

LENGTH_S = 23.0
REAL_LENGTH_S = 24.0
CLIP_S = 1.0
SETTLE_S = 3.0  # after a stall: the last clip that missed something, and confirming
NEAR_S = 0.75
TRUTH = [event for event in SCRIPT if event.offset_s < LENGTH_S]
STARTS_S = {"quiet": 1.6, "before the horn": 15.2, "in the siren": 7.0, "in the horn": 17.2}
LENGTHS_S = (0.3, 1.0, 3.0, 8.0)
MERGE_GAP_S = find_bundle("starter").events.merge_gap_s
LOUD_PICTURES = ("bark_1.mp4", "bark_2.mp4", "guitar_2.mp4", "real_cow_a.mp4", "real_frying_1.mp4")


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    n_threads = torch.get_num_threads()
    models = kept_models()
    torch.set_num_threads(1)  # many small steps
    yield models
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def scene() -> Material:
    return demo_material(LENGTH_S)


def stall(sense: str, start_s: float, length_s: float, kind: str = "drop") -> list[Fault]:
    return [Fault(kind=kind, sense=sense, start_s=start_s, length_s=length_s)]


def test_scene_without_a_stall_is_told(models: Models, scene: Material) -> None:
    told = spans(play(models, scene))

    assert [span.label for span in told] == [event.label for event in TRUTH]
    assert all(span.newest_senses == ("picture", "sound") for span in told)


@pytest.mark.parametrize("sense", ["sound", "picture"])
@pytest.mark.parametrize("start", STARTS_S)
def test_stalled_sense_invents_nothing(
    models: Models, scene: Material, sense: str, start: str
) -> None:
    for length_s, kind in itertools.product(LENGTHS_S, ("drop", "stall")):
        start_s = STARTS_S[start]
        told = spans(play(models, scene, stall(sense, start_s, length_s, kind)))

        where = f"{sense} {kind} of {length_s:g} s at {start_s:g} s: {told}"
        assert [span for span in told if not is_true(span)] == [], where
        for span in told:
            if sense == "sound" and is_cut(span, start_s, length_s):
                assert span.reason == "sense gone", where
                assert span.offset_s <= start_s + CLIP_S, where
        if sense == "picture":  # what is heard is told all the same
            assert [span.label for span in told] == [event.label for event in TRUTH], where


def test_sound_that_is_gone_for_half_a_minute_invents_nothing(
    models: Models, scene: Material
) -> None:
    long = Material([*scene.frames] * 2, np.tile(scene.waveform, 2))

    told = spans(play(models, long, stall("sound", 1.6, 30.0)))

    assert [span for span in told if span.onset_s < 31.0] == []
    assert {span.label for span in told} <= {event.label for event in TRUTH}


def is_true(span: Span) -> bool:
    """Whether what was told goes on then."""
    return any(
        span.label == event.label
        and event.onset_s - NEAR_S <= span.onset_s
        and span.offset_s <= event.offset_s + NEAR_S
        for event in TRUTH
    )


def is_cut(span: Span, start_s: float, length_s: float) -> bool:
    """Whether an event was going on when the stall began that was longer than its merge gap."""
    return span.told_s < start_s < span.offset_s + CLIP_S and length_s > MERGE_GAP_S + 2 * CLIP_S


@pytest.mark.parametrize("name", LOUD_PICTURES)
def test_silenced_real_clip_tells_nothing_new(models: Models, name: str) -> None:
    """Its picture goes on and says what its sound denies, or no more says."""
    path = CLIPS / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    material = looped(str(path), REAL_LENGTH_S)
    whole = spans(play(models, material))

    for start_s, length_s in ((6.1, 0.6), (9.3, 1.0), (6.1, 3.0), (8.0, 12.0)):
        told = spans(play(models, material, stall("sound", start_s, length_s)))

        new = [span for span in told if start_s <= span.told_s <= start_s + length_s + CLIP_S]
        assert [span for span in new if not any(overlap(span, w) for w in whole)] == [], name
        for span in told:
            if is_cut(span, start_s, length_s):
                assert span.offset_s <= start_s + CLIP_S


def overlap(span: Span, other: Span) -> bool:
    return (
        span.label == other.label
        and span.onset_s < other.offset_s + SETTLE_S
        and other.onset_s < span.offset_s + SETTLE_S
    )


def looped(path: str, length_s: float) -> Material:
    """Read a clip's pictures at the grid's rate and its sound, again and again."""
    resize = frame_transform(find_bundle("starter")).resize
    frames, sounds = [], []
    with av.open(path) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        next_s = 0.0
        for frame in container.decode(video=0, audio=0):
            if isinstance(frame, av.AudioFrame):
                sounds += [part.to_ndarray()[0] for part in resampler.resample(frame)]
            elif frame.time is not None and frame.time >= next_s:
                frames.append(resize(frame.to_ndarray(format="rgb24")))
                next_s = len(frames) / GRID_HZ
    n_seconds = int(min(len(frames) / GRID_HZ, sum(map(len, sounds)) / SAMPLE_RATE))
    n_loops = -(-int(length_s) // n_seconds)
    waveform = np.concatenate(sounds)[: n_seconds * SAMPLE_RATE]
    return Material(frames[: n_seconds * GRID_HZ] * n_loops, np.tile(waveform, n_loops))
