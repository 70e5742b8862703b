"""Windows composed from features of sounds and pictures that were not recorded together.

Place in the flow: training of a head where no audio-visual recordings are at hand. Arrays in,
tensors out. A window's label is what *happens*, that is, what is heard in it: the picture may
agree, show nothing in particular, or show something else. Events start and stop inside a window;
each sense is missing at times. It refuses to invent features: every vector and map is one that a
trunk computed, or that its caller made.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Maps = NDArray[np.float16]  # (N, 512, 12, 8)
Vectors = NDArray[np.float16]  # (N, V, D): V frames of one picture


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FeatureBank:
    """Features by label, of one split.

    Attributes:
        labels: The head's labels, in the order of its outputs.
        background: Which of them means that nothing happens.
        maps: Sound maps `(N, 512, 12, 8)`.
        rows: Rows of `maps` of each label.
        pictures: Picture vectors `(N, V, D)` of each label that can be seen.
        unrelated: Picture vectors that show none of the labels.
        silent: Labels that a picture alone does not tell (a face is no speech).
        picture_kernel: Rows `(K, D)` to start the head's picture layer with, K at most 512.
    """

    labels: tuple[str, ...]
    background: str
    maps: Maps
    rows: Mapping[str, NDArray[np.int64]]
    pictures: Mapping[str, Sequence[Vectors]]
    unrelated: Sequence[Vectors]
    silent: frozenset[str]
    picture_kernel: NDArray[np.float32] | None = None

    @property
    def visual_dim(self) -> int:
        """Width D of a picture vector."""
        return int(self.unrelated[0].shape[2])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComposeConfig:
    """Shares of what windows show; each is a probability.

    Attributes:
        nothing: Windows in which nothing happens.
        matching: Event windows whose picture shows the event; the rest of the probability goes
            to pictures of nothing in particular and, by `contrary`, of another label.
        contrary: Event windows whose picture shows another label.
        shown_silent: Nothing-windows whose picture shows a label all the same.
        no_picture: Windows without a picture.
        no_sound: Windows without sound.
        gap: Clips that lose one sense alone.
        overlay: Picture vectors blended with one of nothing in particular.
        doubtful: Event windows whose sound is blended with that of another label. The picture
            then tells which of the two is meant; where it does not, the louder one is. Without
            them a head that knows its training sounds by heart never learns to look.
        lengths: How likely each number of clips is.
    """

    nothing: float = 0.25
    matching: float = 0.55
    contrary: float = 0.15
    shown_silent: float = 0.6
    no_picture: float = 0.15
    no_sound: float = 0.08
    gap: float = 0.03
    overlay: float = 0.5
    doubtful: float = 0.0
    lengths: Mapping[int, float] = dataclasses.field(
        default_factory=lambda: {1: 0.62, 2: 0.13, 3: 0.08, 4: 0.06, 5: 0.04, 7: 0.04, 10: 0.03}
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Some windows as one flat run of clips.

    Attributes:
        visual: `(M, D)` float32.
        audio: `(M, 512, 12, 8)` float32.
        present: bool `(M, 2)`, picture first.
        clip_labels: int64 `(M,)`: what is heard in each clip.
        n_clips: int64 `(B,)`: clips of each window; the clips stand in order, window by window.
        labels: int64 `(B,)`: what happens in each window.
        rows: int64 `(M,)`: rows of the bank's maps.
        other_rows: int64 `(M,)`: what is blended into them.
        shares: float32 `(M,)`: share of `rows` in the blend, 1 where nothing is blended in.
    """

    visual: Tensor
    audio: Tensor
    present: Tensor
    clip_labels: Tensor
    n_clips: Tensor
    labels: Tensor
    rows: Tensor
    other_rows: Tensor
    shares: Tensor

    def blend(self, of_rows: NDArray[np.float16] | NDArray[np.float32]) -> Tensor:
        """Blend what belongs to the bank's rows as the sounds are blended.

        Args:
            of_rows: `(N, …)`, a value a row of the bank's maps.

        Returns:
            `(M, …)`, float32.
        """
        blended = torch.from_numpy(of_rows[self.rows.numpy()].astype(np.float32))
        doubtful = torch.nonzero(self.shares < 1.0).squeeze(1)
        if len(doubtful):
            share = self.shares[doubtful].view(-1, *(1,) * (blended.ndim - 1))
            others = of_rows[self.other_rows[doubtful].numpy()].astype(np.float32)
            blended[doubtful] = share * blended[doubtful] + (1.0 - share) * torch.from_numpy(others)
        return blended


class WindowComposer:
    """Draws windows from a bank; a step number and the seed fix what is drawn."""

    def __init__(self, bank: FeatureBank, config: ComposeConfig, seed: int) -> None:
        self.bank = bank
        self.config = config
        self.seed = seed
        # A small split may lack a label (Jackhammer has no validation files).
        self._events = [n for n in bank.labels if n != bank.background and len(bank.rows[n])]
        counts = np.array([len(bank.rows[name]) for name in self._events], dtype=np.float64)
        self._chances = np.sqrt(counts) / np.sqrt(counts).sum()
        self._seen = [n for n in self._events if n in bank.pictures and n not in bank.silent]

    def draw(self, n_windows: int, step: int, n_clips: int | None = None) -> Windows:
        """Compose the windows of one step.

        Args:
            n_windows: How many.
            step: Step number.
            n_clips: Clips of every window, or None to draw by `ComposeConfig.lengths`.

        Returns:
            The windows.
        """
        rng = np.random.default_rng((self.seed, step))
        lengths = list(self.config.lengths)
        chances = np.array(list(self.config.lengths.values()))
        drawn = [
            self._window(n_clips or int(rng.choice(lengths, p=chances / chances.sum())), rng)
            for _ in range(n_windows)
        ]
        rows, others, shares, visual, present, heard = (
            torch.from_numpy(np.concatenate(parts)) for parts in list(zip(*drawn, strict=True))[:6]
        )
        windows = Windows(
            visual=visual,
            audio=torch.empty(0),
            present=present,
            clip_labels=heard,
            n_clips=torch.tensor([len(window[0]) for window in drawn]),
            labels=torch.tensor([window[6] for window in drawn]),
            rows=rows,
            other_rows=others,
            shares=shares,
        )
        return dataclasses.replace(windows, audio=windows.blend(self.bank.maps))

    def _window(
        self, n_clips: int, rng: np.random.Generator
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.float32],
        NDArray[np.float32],
        NDArray[np.bool_],
        NDArray[np.int64],
        int,
    ]:
        config, bank = self.config, self.bank
        present = np.ones((n_clips, 2), dtype=np.bool_)
        sense = rng.random()
        if sense < config.no_sound:
            present[:, 1] = False
        elif sense < config.no_sound + config.no_picture:
            present[:, 0] = False
        if rng.random() < 0.2 and n_clips > 1:
            lost = rng.random(n_clips) < config.gap / 0.2
            present[lost, int(rng.integers(0, 2))] = False
            present[~present.any(axis=1), :] = True
        nothing = bank.labels.index(bank.background)
        happens = np.zeros(n_clips, dtype=np.bool_)
        if rng.random() < config.nothing:
            name = bank.background
        else:
            name = str(rng.choice(self._events, p=self._chances))
            if sense < config.no_sound:  # only what can be seen can be told
                name = str(rng.choice(self._seen))
            length = int(rng.integers(1, n_clips + 1))
            onset = int(rng.integers(0, n_clips - length + 1))
            if rng.random() < 0.35:  # going on since before the window
                length, onset = n_clips, 0
            happens[onset : onset + length] = True
        heard = np.where(happens, bank.labels.index(name), nothing)
        rows = np.where(
            happens,
            rng.choice(bank.rows[name], n_clips),
            rng.choice(bank.rows[bank.background], n_clips),
        )
        if sense < config.no_sound:
            # Without sound the picture must tell, so it shows the label exactly while it happens.
            visual = self._pictures(name, happens, rng)
            shown = name
        else:
            shown, when = self._shown(name, n_clips, happens, rng)
            visual = self._pictures(shown, when, rng)
        told = shown == name and bool(present[:, 0].all())
        others, shares = self._doubts(rows, happens, told, rng)
        label = bank.labels.index(name) if happens.any() else nothing
        return rows, others, shares, visual, present, heard.astype(np.int64), label

    def _doubts(
        self,
        rows: NDArray[np.int64],
        happens: NDArray[np.bool_],
        told: bool,
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Choose what to blend into the sound of the event; `told`: the picture shows it."""
        shares = np.ones(len(rows), dtype=np.float32)
        if self.config.doubtful == 0.0 or rng.random() >= self.config.doubtful:
            return rows, shares
        others = rng.choice(self.bank.rows[str(rng.choice(self._events))], len(rows))
        low, high = (0.25, 0.7) if told else (0.6, 0.95)
        shares[happens] = np.float32(rng.uniform(low, high))
        return others, shares

    def _shown(
        self, name: str, n_clips: int, happens: NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[str, NDArray[np.bool_]]:
        config, bank = self.config, self.bank
        whole = np.ones(n_clips, dtype=np.bool_)
        if name == bank.background:
            if rng.random() < config.shown_silent:
                return str(rng.choice(sorted(bank.pictures))), whole
            return name, whole
        chance = rng.random()
        if chance < config.matching and name in bank.pictures:
            return name, whole if rng.random() < 0.7 else happens
        if chance > 1 - config.contrary:
            return str(rng.choice(sorted(bank.pictures))), whole
        return bank.background, whole

    def _pictures(
        self, name: str, shown: NDArray[np.bool_], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        other = self._picture(self.bank.unrelated, rng)
        pools = self.bank.pictures.get(name)
        visual = self._frames(other, len(shown), rng)
        if pools is not None:
            part = self._frames(self._picture(pools, rng), len(shown), rng)
            if rng.random() < self.config.overlay:
                share = np.float32(rng.uniform(0.5, 1.0))
                part = share * part + (1 - share) * visual
            visual[shown] = part[shown]
        return visual

    def _picture(self, pools: Sequence[Vectors], rng: np.random.Generator) -> NDArray[np.float16]:
        pool = pools[int(rng.integers(0, len(pools)))]
        picture: NDArray[np.float16] = pool[int(rng.integers(0, len(pool)))]
        return picture

    def _frames(
        self, picture: NDArray[np.float16], n_clips: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        shares = rng.dirichlet(np.ones(len(picture)), n_clips).astype(np.float32)
        return shares @ picture.astype(np.float32)
