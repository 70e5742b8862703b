"""Settles a head's temperature and event thresholds on simulated streams of the validation split.

Place in the flow: after training a head, before its bundle is written. A stream asks the head
about the window and about the newest clip, and joins both answers (`realtime.event_tracker`); so
thresholds are chosen on that joined score, on streams of events between stretches of nothing,
for few false alarms first and hits second.
"""

import dataclasses
import logging
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mafnet.compose import ComposeConfig, FeatureBank, WindowComposer
from mafnet.model import MAFnet
from weights.bundle import EventSpec

logger = logging.getLogger(__name__)

CONTEXT = 0.25  # share of the window in the joined score; every `off` lies above it
WINDOW_CLIPS = 10
STREAM_CLIPS = 24
N_STREAMS = 150
SEED = 17
# A false alarm costs more than a miss: of clips in which a label does not happen, this share may
# score at its threshold.
FALSE_SHARE = 0.002
# One voice taken for another is a wrong name, not a false alarm: it must not silence both.
KIN = ("Female speech, woman speaking", "Male speech, man speaking")
ON_RANGE = (0.47, 0.95)
OFF_OF_ON = 0.6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the validation split settled.

    Attributes:
        temperature: What logits are divided by.
        events: Thresholds and times.
        figures: What they give on the simulated streams.
    """

    temperature: float
    events: EventSpec
    figures: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    window: Tensor  # (M, n_labels) logits of the window that ends with each clip
    newest: Tensor  # (M, n_labels) logits of that clip alone
    labels: Tensor  # (M,)


def calibrate(model: MAFnet, bank: FeatureBank, n_streams: int = N_STREAMS) -> Calibration:
    """Choose temperature and thresholds.

    Args:
        model: In evaluation mode.
        bank: Features of the validation split.
        n_streams: Streams to simulate.

    Returns:
        The calibration.
    """
    answers = simulate_streams(model, bank, n_streams)
    temperature = _temperature(answers.newest, answers.labels)
    scores = _joined(answers, temperature)
    labels = answers.labels.numpy()
    per_label: dict[str, MappingProxyType[str, float]] = {}
    for k, name in enumerate(bank.labels):
        if name == bank.background:
            continue
        kin = [bank.labels.index(other) for other in KIN if name in KIN and other in bank.labels]
        elsewhere = scores[~np.isin(labels, [k, *kin]), k]
        on = float(np.clip(np.quantile(elsewhere, 1 - FALSE_SHARE), *ON_RANGE))
        per_label[name] = MappingProxyType({"on": round(on, 3), "off": round(on * OFF_OF_ON, 3)})
    default = float(np.median([pair["on"] for pair in per_label.values()]))
    events = EventSpec(
        on=round(default, 3),
        off=round(default * OFF_OF_ON, 3),
        per_label=MappingProxyType(per_label),
        min_duration_s=0.25,
        merge_gap_s=1.0,
        cool_down_s=0.0,
        confirm=(2, 3),
        context=CONTEXT,
        kin=(KIN,) if set(KIN) <= set(bank.labels) else (),
    )
    figures = _figures(scores, labels, bank, events)
    figures["temperature"] = round(temperature, 3)
    return Calibration(temperature=temperature, events=events, figures=figures)


@torch.inference_mode()
def simulate_streams(model: MAFnet, bank: FeatureBank, n_streams: int) -> "_Answers":
    """Answer for each clip of composed streams, as a stream would be answered at a hop of 1 s.

    Args:
        model: In evaluation mode.
        bank: The split's features.
        n_streams: How many.

    Returns:
        Logits of window and newest clip, and what is heard, for each clip of each stream.
    """
    config = ComposeConfig(nothing=0.3, no_picture=0.2, no_sound=0.0, gap=0.0)
    composer = WindowComposer(bank, config, SEED)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for number in range(n_streams):
        stream = composer.draw(1, number, STREAM_CLIPS)
        codes = model.encode_clips(stream.visual, stream.audio, stream.present)
        alone = model.decide(codes.vectors[:, None], codes.scores[:, None], stream.present[:, None])
        # The window that ends with clip k: clips k-9 … k, those before the start missing.
        at = torch.arange(STREAM_CLIPS)[:, None] - torch.arange(WINDOW_CLIPS - 1, -1, -1)
        inside = at >= 0
        at = at.clamp_min(0)
        window = model.decide(
            codes.vectors[at], codes.scores[at], stream.present[at] & inside[:, :, None]
        )
        parts.append((window.logits, alone.logits, stream.clip_labels))
    window_logits, newest_logits, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    return _Answers(window=window_logits, newest=newest_logits, labels=labels)


def _temperature(logits: Tensor, labels: Tensor) -> float:
    candidates = np.exp(np.linspace(np.log(0.3), np.log(3.0), 47))
    losses = [float(F.cross_entropy(logits / t, labels)) for t in candidates]
    return round(float(candidates[int(np.argmin(losses))]), 3)


def _joined(answers: _Answers, temperature: float) -> NDArray[np.float64]:
    window = torch.softmax(answers.window / temperature, dim=1).double().numpy()
    newest = torch.softmax(answers.newest / temperature, dim=1).double().numpy()
    joined: NDArray[np.float64] = CONTEXT * window + (1 - CONTEXT) * newest
    return joined


def _figures(
    scores: NDArray[np.float64], labels: NDArray[np.int64], bank: FeatureBank, events: EventSpec
) -> dict[str, Any]:
    nothing = bank.labels.index(bank.background)
    on = np.array([events.per_label.get(name, {"on": 2.0})["on"] for name in bank.labels])
    fires = scores >= on
    happening = labels != nothing
    hits = fires[np.arange(len(labels)), labels][happening]
    wrong = fires.copy()
    wrong[np.arange(len(labels)), labels] = False
    quiet = fires[~happening].any(axis=1)
    return {
        "clips": len(labels),
        "event clips over their label's threshold": _share(hits),
        "event clips with another label over its threshold": _share(wrong[happening].any(axis=1)),
        "quiet clips with any label over its threshold": _share(quiet),
        "event clips named by the strongest score": _share(
            scores[happening].argmax(axis=1) == labels[happening]
        ),
    }


def _share(those: NDArray[np.bool_]) -> float:
    return round(float(those.mean()), 4) if len(those) else 0.0
