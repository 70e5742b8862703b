"""Which ImageNet classes show a label of the starter, and what their classifier rows say of it.

Place in the flow: before training only. The picture trunk's own classifier knows labels that the
starter has no pictures of (cello, chain saw, ox, ram, hen …) and knows the others in real scenes.
Its rows are turned into vectors that such pictures would have had.

The step from a row to a vector is linear discriminant analysis read backwards: for classes of one
covariance C, the row is C⁻¹(mean of the class − mean of all), so the class's mean lies along
C·row.
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


def within_covariance(
    vectors: NDArray[np.float32], groups: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean over groups and covariance inside them.

    Args:
        vectors: `(N, D)`.
        groups: Group of each row.

    Returns:
        Mean of the group means `(D,)` and residuals from the group means `(N, D)`.
    """
    names = np.unique(groups)
    means = np.stack([vectors[groups == name].mean(axis=0) for name in names])
    residuals = vectors - means[np.searchsorted(names, groups)]
    return means.mean(axis=0), residuals


def vectors_of_rows(
    rows: NDArray[np.float32],
    mean: NDArray[np.float32],
    residuals: NDArray[np.float32],
    n_each: int,
    rng: np.random.Generator,
    gain_logits: tuple[float, float] = (6.0, 14.0),
) -> NDArray[np.float16]:
    """Vectors that pictures of some ImageNet classes may have had.

    Args:
        rows: Classifier rows `(K, D)`.
        mean: Mean vector of pictures `(D,)`.
        residuals: Deviations of real pictures from their own class's mean `(N, D)`.
        n_each: Vectors a row.
        rng: Source of the deviations and gains.
        gain_logits: Lowest and highest rise of the class's own logit over the mean's.

    Returns:
        `(K · n_each, D)` float16, not negative, row by row.
    """
    directions = (residuals.T @ (residuals @ rows.T) / len(residuals)).T  # C · row
    rise = (directions * rows).sum(axis=1, keepdims=True)  # of the logit along the direction
    directions = np.repeat(directions / rise, n_each, axis=0)
    gains = rng.uniform(*gain_logits, (len(directions), 1)).astype(np.float32)
    deviation = residuals[rng.integers(0, len(residuals), len(directions))]
    return np.maximum(0.0, mean + gains * directions + deviation).astype(np.float16)
