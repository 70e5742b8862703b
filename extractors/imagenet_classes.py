"""Which ImageNet classes show a label of the starter, and what their classifier rows say of it.

Place in the flow: before training only. The picture trunk's own classifier knows labels that the
starter has no pictures of (cello, chain saw, ox, ram, hen …) and knows the others in real scenes.
A step along its row, with the deviations of real pictures, gives vectors that such pictures may
have had. With twelve labels held out a linear probe trained so named 76 % of their real test
pictures that it had never seen, 95 % with the pictures (docs/starter.md).
"""

import numpy as np
from numpy.typing import NDArray

# ImageNet-1k positions, first and last, that show a label; names beside them.
LABEL_CLASSES: dict[str, tuple[tuple[int, int], ...]] = {
    "Acoustic guitar": ((402, 402),),
    "Banjo": ((420, 420),),
    "Bark": ((151, 268),),  # every breed of dog
    "Bird": ((10, 24), (80, 100), (127, 146)),
    "Cat": ((281, 285),),
    "Cello": ((486, 486),),
    "Chainsaw": ((491, 491),),
    "Chicken": ((8, 8),),  # hen
    "Clock": ((409, 409), (892, 892)),  # analog clock, wall clock
    "Cow": ((345, 345),),  # ox
    "Drilling": ((740, 740),),  # power drill
    "Drum": ((541, 542),),  # drum, drumstick
    "Fire crackling": ((556, 556),),  # fire screen
    "Flute": ((558, 558),),
    "Frog": ((30, 32),),
    "Gunshot": ((413, 413), (471, 471), (763, 764)),  # rifles, cannon, revolver
    "Lion": ((291, 291),),
    "Monkey": ((370, 382),),
    "Rooster": ((7, 7),),  # cock
    "Saxophone": ((776, 776),),
    "Sea waves": ((977, 978),),  # sandbar, seashore
    "Sheep": ((348, 348),),  # ram
    "Siren": ((407, 407), (555, 555), (734, 734)),  # ambulance, fire engine, police van
    "Trombone": ((875, 875),),
    "Violin, fiddle": ((889, 889),),
}
# Too near a label to stand for "something else": apes, oboe, cornet, electric guitar, hog …
AMBIGUOUS: frozenset[int] = frozenset(
    {9, 269, 270, 271, 272, 273, 274, 275, 286, 287, 288, 289, 290, 292, 293, 339, 346, 349, 350}
    | {365, 366, 367, 368, 369, 383, 384, 513, 530, 531, 546, 577, 594, 683, 822, 826, 899}
)


def class_labels(n_classes: int = 1000) -> list[str | None]:
    """The label that each ImageNet class shows.

    Args:
        n_classes: Rows of the classifier.

    Returns:
        A label, "" where the class shows none, None where it is too near one to say.
    """
    labels: list[str | None] = [None if k in AMBIGUOUS else "" for k in range(n_classes)]
    for label, ranges in LABEL_CLASSES.items():
        for first, last in ranges:
            labels[first : last + 1] = [label] * (last - first + 1)
    return labels


def vectors_of_rows(
    rows: NDArray[np.float32],
    mean: NDArray[np.float32],
    residuals: NDArray[np.float32],
    n_each: int,
    rng: np.random.Generator,
    rise: tuple[float, float] = (3.0, 9.0),
) -> NDArray[np.float16]:
    """Vectors that pictures of some ImageNet classes may have had.

    Args:
        rows: Classifier rows `(K, D)`.
        mean: Mean vector of pictures `(D,)`.
        residuals: Deviations of real pictures from their own label's mean `(N, D)`.
        n_each: Vectors a row.
        rng: Source of the deviations and rises.
        rise: Lowest and highest rise of the class's own logit over the mean picture's; in real
            pictures of twelve labels it is 3 to 8 on average.

    Returns:
        `(K · n_each, D)` float16, not negative, row by row.
    """
    steps = np.repeat(rows / (rows * rows).sum(axis=1, keepdims=True), n_each, axis=0)
    rises = rng.uniform(*rise, (len(steps), 1)).astype(np.float32)
    deviation = residuals[rng.integers(0, len(residuals), len(steps))]
    vectors: NDArray[np.float32] = np.maximum(0.0, mean + rises * steps + deviation)
    return vectors.astype(np.float16)


def kernel_of_rows(
    rows: NDArray[np.float32], labels: list[str | None], n_rows: int
) -> NDArray[np.float32]:
    """Classifier rows to start a layer with: those of labels first, then others evenly.

    Args:
        rows: The whole classifier `(1000, D)`.
        labels: From `class_labels`.
        n_rows: How many the layer has.

    Returns:
        `(n_rows, D)`.
    """
    shown = [k for k, label in enumerate(labels) if label]
    others = [k for k, label in enumerate(labels) if not label]
    picked = np.linspace(0, len(others) - 1, n_rows - len(shown)).astype(np.int64)
    kernel: NDArray[np.float32] = rows[shown + [others[k] for k in picked]]
    return kernel
