"""Settings of a training run, checked when they are made."""

from dataclasses import dataclass
from typing import Literal

from mafnet.attention import Attention
from mafnet.balance import BALANCES, Balance

RecipeName = Literal["authors", "modern"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Settings of a run.

    Attributes:
        recipe: authors or modern.
        n_epochs: At most this many.
        batch_size: Videos a step; what is left of an epoch is dropped, as the authors do.
        patience: Epochs in a row without a better one after which the run stops at the next.
        lr: Learning rate; None means the recipe's own.
        seed: Base of every random choice.
        film: See `mafnet.model.MAFnetConfig`; off in an ablation.
        attention: Likewise.
        balance: What is done for rare labels; see `mafnet.balance`. For the modern recipe.
        rates: Parts and what their learning rates are multiplied with; see `mafnet.rates`.
    """

    recipe: RecipeName = "authors"
    n_epochs: int = 300
    batch_size: int = 32
    patience: int = 50
    lr: float | None = None
    seed: int = 0
    film: bool = True
    attention: Attention = "joint"
    balance: Balance = "none"
    rates: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if self.recipe not in ("authors", "modern"):
            raise ValueError(f"recipe must be authors or modern, got {self.recipe!r}")
        if self.n_epochs < 1 or self.patience < 0:
            raise ValueError("n_epochs must be at least 1, patience at least 0")
        if self.batch_size < 2:
            raise ValueError(
                f"batch_size must be at least 2, got {self.batch_size}: the network normalises "
                "over a batch"
            )
        if self.lr is not None and not self.lr > 0:
            raise ValueError(f"lr must be above 0, got {self.lr}")
        if self.balance not in BALANCES:
            raise ValueError(f"balance must be one of {BALANCES}, got {self.balance!r}")
        if self.balance != "none" and self.recipe != "modern":
            raise ValueError("--balance is for --recipe modern: the authors' training has none")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
