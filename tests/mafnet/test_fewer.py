"""At most so many training videos of each label."""

import numpy as np
import pytest

from mafnet.feature_set import FeatureSet
from mafnet.fewer import fewer


def whole(n: int = 30) -> FeatureSet:
    random = np.random.default_rng(0)
    return FeatureSet(
        labels=("a", "b", "c"),
        visual=random.normal(size=(n, 2, 4)).astype(np.float32),
        audio=random.normal(size=(n, 2, 3, 2, 5)).astype(np.float32),
        target=np.arange(n) % 3,
        present=np.ones((n, 2, 2), np.bool_),
        names=tuple(f"video {row}" for row in range(n)),
        visual_trunk="densenet201",
    )


def test_each_label_keeps_so_many_with_all_that_is_theirs() -> None:
    features = whole()

    few = fewer(features, 4, seed=0)

    assert few.n_of_labels().tolist() == [4, 4, 4]
    for row, name in enumerate(few.names):
        before = features.names.index(name)
        assert few.target[row] == features.target[before]
        assert np.array_equal(few.visual[row], features.visual[before])
        assert np.array_equal(few.audio[row], features.audio[before])


def test_more_add_to_fewer_and_seeds_draw_others() -> None:
    features = whole()

    four, six = fewer(features, 4, seed=0), fewer(features, 6, seed=0)

    assert set(four.names) < set(six.names)
    assert set(four.names) != set(fewer(features, 4, seed=1).names)
    assert fewer(features, 4, seed=0).names == four.names


def test_label_that_has_fewer_keeps_all() -> None:
    features = whole()

    assert fewer(features, 1000, seed=0).names == features.names


def test_none_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        fewer(whole(), 0, seed=0)
