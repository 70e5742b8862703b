import numpy as np

from extractors.imagenet_classes import (
    AMBIGUOUS,
    LABEL_CLASSES,
    class_labels,
    kernel_of_rows,
    vectors_of_rows,
)


def test_every_label_has_its_classes_when_ranges_are_laid_out() -> None:
    labels = class_labels()

    assert set(labels) == {*LABEL_CLASSES, "", None}
    assert labels[889] == "Violin, fiddle"
    assert labels[151] == labels[268] == "Bark"


def test_no_class_is_both_a_label_and_ambiguous_when_ranges_are_edited() -> None:
    shown = {k for ranges in LABEL_CLASSES.values() for a, b in ranges for k in range(a, b + 1)}

    assert not shown & AMBIGUOUS
    assert len(shown) == sum(b - a + 1 for r in LABEL_CLASSES.values() for a, b in r)


def test_vectors_raise_their_own_logit_when_made_from_a_row() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((3, 40)).astype(np.float32)
    mean = np.full(40, 20.0, dtype=np.float32)  # far from the clamp at 0
    residuals = np.zeros((5, 40), dtype=np.float32)

    vectors = vectors_of_rows(rows, mean, residuals, 2, rng, rise=(5.0, 5.0))

    rises = np.einsum("kd,kd->k", vectors.astype(np.float32) - mean, np.repeat(rows, 2, axis=0))
    np.testing.assert_allclose(rises, 5.0, atol=0.5)  # float16 at 20 steps by 1/64


def test_kernel_holds_every_label_row_when_narrower_than_the_classifier() -> None:
    rows = np.arange(1000, dtype=np.float32)[:, None]
    labels = class_labels()

    kernel = kernel_of_rows(rows, labels, 512)

    assert kernel.shape == (512, 1)
    assert {k for k, label in enumerate(labels) if label} <= set(kernel[:, 0].astype(int).tolist())
