import numpy as np
import pytest
from matplotlib.offsetbox import AnnotationBbox

from mafnet.feature_set import FeatureSet
from mafnet.figures import N_SHOWN, attention, pick, reliability
from mafnet.metrics import measure
from mafnet.test import SENSES, Answers, Examination

T = 3


@pytest.fixture
def features() -> FeatureSet:
    present = np.ones((4, T, 2), np.bool_)
    present[0, 1, 0] = False
    return FeatureSet(
        labels=("a", "b"),
        visual=np.zeros((4, T, 2), np.float32),
        audio=np.zeros((4, T, 12, 8, 512), np.float16),
        target=np.array([0, 1, 0, 1]),
        present=present,
        names=("folder/one.mp4", "two", "three", "four"),
        visual_trunk="densenet201",
        frames=np.full((4, T, 6, 8, 3), 128, np.uint8),
    )


@pytest.fixture
def result(features: FeatureSet) -> Examination:
    logits = np.array([[2, 0], [3, 0], [1, 0], [0, 4]], np.float32)  # the second is wrong
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    weights = np.random.default_rng(0).random((4, T, 2), np.float32)
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    answers = Answers(logits=logits, probabilities=probabilities, attention=weights)
    return Examination(
        labels=features.labels,
        target=features.target,
        answers=dict.fromkeys(SENSES, answers),
        metrics=dict.fromkeys(SENSES, measure(probabilities, features.target)),
    )


def test_videos_named_wrongly_come_first_and_every_label_is_shown() -> None:
    target = np.repeat(np.arange(4), 25)
    said = target.copy()
    said[[3, 4, 5]] = 1
    shown = pick(target, said)
    assert shown[:3] == [3, 4, 5]
    assert sorted({int(target[row]) for row in shown[3:]}) == [0, 1, 2, 3]
    assert len(shown) == len(set(shown)) == N_SHOWN


def test_attention_is_drawn_on_one_scale_under_the_frames_that_are_there(
    result: Examination, features: FeatureSet
) -> None:
    figure = attention(result, features)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["two: b, said a", "one.mp4: a", "four: b", "three: a"]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    n_frames = [
        sum(isinstance(artist, AnnotationBbox) for artist in axes.artists) for axes in figure.axes
    ]
    assert n_frames == [3, 2, 3, 3]
    figure.canvas.draw()  # a layout that does not fit would warn


def test_reliability_tells_how_many_answers_each_bin_has(result: Examination) -> None:
    figure = reliability(result)
    numbers = [int(text.get_text()) for text in figure.axes[0].texts]
    assert sum(numbers) == 4
