"""What the view draws: bounded whatever the stream's length, and at the right times."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any

import numpy as np
import pytest
import torch

from extractors.log_mel import LogMel
from extractors.mel_frames import log_mel_frames
from realtime.clock import NS_PER_S
from realtime.outputs.explain.event_trace import EventTraces, unpacked
from realtime.outputs.explain.material import Film, MelStrip
from realtime.outputs.explain.page import page
from realtime.outputs.explain.trace import Trace
from realtime.packets import SAMPLE_RATE, Prediction
from wire_samples import LABELS, make_prediction


def at(end_s: float, siren: float = 0.5) -> Prediction:
    return make_prediction(
        end_t_ns=round(end_s * NS_PER_S), probabilities=(0.0, siren, 0.1, 0.1, 0.1)
    )


def test_numpy_log_mel_equals_the_networks() -> None:
    wave = np.random.default_rng(0).uniform(-1, 1, 16_000).astype(np.float32)
    theirs = LogMel()(torch.from_numpy(wave)[None])[0, 0].numpy()
    np.testing.assert_allclose(log_mel_frames(wave)[:96], theirs, atol=2e-4)
    assert log_mel_frames(wave[:399]).shape == (0, 64)
    with pytest.raises(ValueError, match="mono"):
        log_mel_frames(wave[None])


def test_trace_is_bounded_and_loses_no_peak() -> None:
    trace = Trace(0.25, limit=16)
    for n in range(1, 1001):
        trace.add(at(n / 4, siren=0.99 if n == 613 else 0.2))
    told = trace.told(LABELS, ["Bark"])
    assert len(told["times"]) <= 16
    assert told["times"] == sorted(told["times"])
    assert told["times"][-1] == 250.0
    assert [each["label"] for each in told["labels"]][:2] == ["Bark", "Siren"]
    siren = told["labels"][1]["both"]
    peak = siren.index(max(siren))
    assert max(siren) == pytest.approx(0.99, abs=0.01)
    assert told["times"][peak - 1] < 613 / 4 <= told["times"][peak]
    assert len(told["attention"]["picture"]) == len(told["times"])


def test_sense_that_nobody_asked_is_unknown_and_not_zero() -> None:
    trace = Trace(0.25, limit=4)
    trace.add(at(1.0))
    assert trace.told(LABELS)["labels"][0]["picture"] == [None]


def test_film_is_bounded_and_spread_over_the_stream() -> None:
    film = Film(limit=8)
    for n in range(1600):
        film.add(n / 16, np.full((20, 30, 3), n % 255, np.uint8))
    assert len(film.times_s) <= 8
    assert film.times_s[0] == 0.0
    assert film.times_s[-1] > 75.0
    steps = np.diff(film.times_s)
    assert steps.max() < 2.5 * steps.min()
    jpeg = film.jpeg()
    assert jpeg is not None
    assert jpeg.startswith(b"\xff\xd8")
    assert Film().jpeg() is None


@pytest.mark.parametrize("seconds", [2, 90])
def test_sound_is_bounded_and_a_click_stays_where_it_was(seconds: int) -> None:
    strip = MelStrip(from_s=3.0, limit=400)
    wave = np.zeros(seconds * SAMPLE_RATE, np.float32)
    wave[SAMPLE_RATE : SAMPLE_RATE + 40] = 0.9  # at 4 s
    for start in range(0, len(wave), 3333):
        strip.add(wave[start : start + 3333])
    told = strip.told()
    assert told is not None
    columns = np.frombuffer(base64.b64decode(told["columns"]), np.uint8).reshape(-1, told["bands"])
    assert len(columns) <= 400
    width_s = (told["to_s"] - told["from_s"]) / len(columns)
    loud = columns.max(axis=1).argmax()
    assert told["from_s"] + loud * width_s == pytest.approx(4.0, abs=width_s + 0.02)
    assert told["to_s"] == pytest.approx(3.0 + seconds, abs=width_s + 0.03)
    assert columns[-1].max() == 0


def test_trace_of_an_event_is_small_and_read_back() -> None:
    asked: list[tuple[str, int, int]] = []

    def decisions(source: str, since_t_ns: int, until_t_ns: int) -> list[Prediction]:
        asked.append((source, since_t_ns, until_t_ns))
        return [at(n / 4) for n in range(4, 100)]

    body: dict[str, Any] = {
        "source": "hall", "label": "Bark", "onset": {"t_s": 10.0}, "offset": {"t_s": 12.0}
    }  # fmt: skip
    packed = EventTraces(LABELS, 0.25, decisions).of(body)
    assert asked == [("hall", 7 * NS_PER_S, 15 * NS_PER_S)]
    assert packed is not None
    assert len(packed) < 4000
    told = unpacked(packed)
    assert told is not None
    assert told["labels"][0]["label"] == "Bark"
    assert EventTraces(LABELS, 0.25, lambda *_: []).of(body) is None


@pytest.mark.parametrize("packed", [b"", b"no", zlib.compress(b"[1"), zlib.compress(b"0" * 10**7)])
def test_trace_that_is_none_of_ours_tells_nothing(packed: bytes) -> None:
    assert unpacked(packed) is None


def test_page_holds_its_text_as_text_and_asks_nobody() -> None:
    hostile = "</script><script>alert(1)</script><!--"
    text = page({"label": hostile}, hostile, "by us")
    assert "alert(1)</script>" not in text
    assert text.count("<script") == 2
    found = re.search(r'id="told">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    assert json.loads(found[1]) == {"label": hostile}
    assert "default-src 'none'" in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "import " not in text.partition('type="module">')[2].replace("imports nothing", "")
