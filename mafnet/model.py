"""MAFnet itself, split where streaming needs it: a per-clip part and a part that joins clips.

With the statistics of evaluation nothing before the softmax looks at another clip, so
`encode_clips` can run once for a second of stream and `decide` once a step over cached codes;
`forward` is the two in a row, so the offline and the live answer are one computation.

A trunk's own classes may speak beside the vectors (`mafnet.evidence`): their evidence for each
label is added up over the window by the same attention, and the head's logits correct it.

Tensors in, tensors out. A missing sense is told by ``present`` and never by zeros.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mafnet.attention import (
    ATTENTIONS,
    HIDDEN,
    PICTURE,
    SOUND,
    Attention,
    ModalityTemporalAttention,
)
from mafnet.evidence import ClassEvidence, EvidenceClasses
from mafnet.film import SOUND_CHANNELS, Film, FilmedBlock
from mafnet.norm import DECAY, BatchNorm

Activation = Literal["softmax", "sigmoid"]
SOUND_MAP = (SOUND_CHANNELS, 12, 8)  # VGGish conv4_2 of 96 mel frames × 64 bands


@dataclass(frozen=True, slots=True, kw_only=True)
class MAFnetConfig:
    """What may differ between two MAFnets.

    Attributes:
        visual_dim: Width D of the visual vector; 1920 in the paper.
        n_labels: Labels; 28 in the paper.
        activation: softmax (one label a window, the paper) or sigmoid (any number of labels).
        temperature: What the logits are divided by on their way to probabilities, and only
            there: reported logits are unscaled.
        norm_decay: Decay of the moving averages; see `BatchNorm`.
        sound_map: Channels, time and mel of the sound maps (C, H, W); the paper's are VGGish's.
        evidence: Which of the trunks' own classes mean each label; None, as in the paper, leaves
            all to the head.
        film: The picture modulates the sound; without, gamma is 1 and beta 0 (an ablation).
        attention: joint as in the paper; see `ModalityTemporalAttention`.
    """

    visual_dim: int = 1920
    n_labels: int = 28
    sound_map: tuple[int, int, int] = SOUND_MAP
    evidence: EvidenceClasses | None = None
    activation: Activation = "softmax"
    temperature: float = 1.0
    norm_decay: float = DECAY
    film: bool = True
    attention: Attention = "joint"

    def __post_init__(self) -> None:
        if self.visual_dim < 1 or self.n_labels < 1:
            raise ValueError(
                "visual_dim and n_labels must be at least 1, "
                f"got {self.visual_dim} and {self.n_labels}"
            )
        if len(self.sound_map) != 3 or min(self.sound_map) < 1:
            raise ValueError(f"sound_map must be channels, time and mel, got {self.sound_map}")
        if self.evidence is not None and len(self.evidence.sound) != self.n_labels:
            raise ValueError(
                f"evidence must name classes of {self.n_labels} labels, "
                f"got {len(self.evidence.sound)}"
            )
        if self.activation not in ("softmax", "sigmoid"):
            raise ValueError(f"activation must be softmax or sigmoid, got {self.activation!r}")
        if self.attention not in ATTENTIONS:
            raise ValueError(
                f"attention must be one of {', '.join(ATTENTIONS)}, got {self.attention!r}"
            )
        if not self.temperature > 0.0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")
        if not 0.0 <= self.norm_decay < 1.0:
            raise ValueError(f"norm_decay must lie in [0, 1), got {self.norm_decay}")


class ClipCodes(NamedTuple):
    """The per-clip part of N clips: all that later steps need of them.

    Attributes:
        vectors: `(N, 2, 512)`, the normalised, rectified vectors of picture and sound.
        scores: `(N, 2)`, attention scores before the softmax.
        film_gamma: `(N, 512)`, with the 1 added.
        film_beta: `(N, 512)`.
        evidence: `(N, 2, n_labels)`, what each trunk's own classes say; None without evidence.
    """

    vectors: Tensor
    scores: Tensor
    film_gamma: Tensor
    film_beta: Tensor
    evidence: Tensor | None = None


class Decision(NamedTuple):
    """What joining T clips gives: `(B, n_labels)` twice, `(B, T, 2)`, `(B, 1024)`."""

    logits: Tensor
    probabilities: Tensor
    attention: Tensor
    fused: Tensor


class MAFnetOutput(NamedTuple):
    """A `Decision` with the FiLM parameters `(B, T, 512)` that led to it (gamma has its 1)."""

    logits: Tensor
    probabilities: Tensor
    attention: Tensor
    fused: Tensor
    film_gamma: Tensor
    film_beta: Tensor


class MAFnet(nn.Module):
    """The network of the paper for any visual width, number of clips and number of labels."""

    def __init__(self, config: MAFnetConfig) -> None:
        super().__init__()
        self.config = config
        self.film = Film(config.visual_dim) if config.film else None
        self.filmed_block = FilmedBlock(config.norm_decay, config.sound_map[0])
        self.picture_dense = nn.Linear(config.visual_dim, HIDDEN)
        self.picture_norm = BatchNorm(HIDDEN, config.norm_decay)
        self.sound_dense = nn.Linear(SOUND_CHANNELS, HIDDEN)
        self.sound_norm = BatchNorm(HIDDEN, config.norm_decay)
        self.attention = ModalityTemporalAttention(config.attention)
        self.head = nn.Linear(2 * HIDDEN, config.n_labels)
        self.head_norm = BatchNorm(config.n_labels, config.norm_decay)
        self.evidence: ClassEvidence | None = None
        if config.evidence is not None:
            self.evidence = ClassEvidence(
                config.evidence, visual_dim=config.visual_dim, sound_channels=config.sound_map[0]
            )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the start of the authors' training: Glorot-uniform kernels, zero biases."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def encode_clips(
        self,
        visual: Tensor,
        audio: Tensor,
        present: Tensor | None = None,
        convolve: Callable[[Tensor], Tensor] | None = None,
    ) -> ClipCodes:
        """Compute what depends on one clip alone.

        Args:
            visual: Pooled visual features `(N, D)`, float32.
            audio: Sound maps `(N, C, H, W)`, float32, time before mel.
            present: bool `(N, 2)`, picture first; None means both are there. What stands in a
                missing sense's place is not looked at, and FiLM leaves gamma 1, beta 0.
            convolve: Computes `FilmedBlock.convolve` elsewhere, in evaluation; None for here.

        Returns:
            The codes, row for row.

        Raises:
            ValueError: A shape does not fit.
        """
        self._check_clips(visual, audio, present)
        picture_rows = sound_rows = None
        if present is not None:
            picture_rows, sound_rows = present[:, PICTURE], present[:, SOUND]
            visual = torch.where(picture_rows[:, None], visual, 0.0)
            audio = torch.where(sound_rows[:, None, None, None], audio, 0.0)

        if self.film is None:
            gamma = visual.new_ones(len(visual), SOUND_CHANNELS)
            beta = torch.zeros_like(gamma)
        else:
            gamma, beta = self.film(visual)  # (N, 512) each
        if picture_rows is not None:
            gamma = torch.where(picture_rows[:, None], gamma, 1.0)
            beta = torch.where(picture_rows[:, None], beta, 0.0)
        if convolve is None:
            heard = self.filmed_block(audio, gamma, beta, sound_rows)  # (N, 512)
        else:
            x, residual = convolve(audio).unbind(dim=1)
            heard = self.filmed_block.modulate(x, residual, gamma, beta)
        picture = F.relu(self.picture_norm(self.picture_dense(visual), picture_rows))
        sound = F.relu(self.sound_norm(self.sound_dense(heard), sound_rows))
        vectors = torch.stack((picture, sound), dim=1)  # (N, 2, 512)
        evidence = None if self.evidence is None else self.evidence(visual, audio)
        return ClipCodes(vectors, self.attention.score(vectors), gamma, beta, evidence)

    def unmodulated(self, codes: ClipCodes, convolved: Tensor) -> ClipCodes:
        """Return the same clips' codes as if no picture had modulated their sound.

        FiLM is all that a sense's code has of the other; so these are the codes of each sense by
        itself. The convolutions, nearly all of the work, are not done again.

        Args:
            codes: What `encode_clips` gave, in evaluation.
            convolved: What `FilmedBlock.convolve` gave for the same clips, `(N, 2, 512, H, W)`.
        """
        x, residual = convolved.unbind(dim=1)
        gamma, beta = torch.ones_like(codes.film_gamma), torch.zeros_like(codes.film_beta)
        heard = self.filmed_block.modulate(x, residual, gamma, beta)
        sound = F.relu(self.sound_norm(self.sound_dense(heard)))
        vectors = torch.stack((codes.vectors[:, PICTURE], sound), dim=1)
        return ClipCodes(vectors, self.attention.score(vectors), gamma, beta, codes.evidence)

    def decide(
        self,
        vectors: Tensor,
        scores: Tensor,
        present: Tensor | None = None,
        evidence: Tensor | None = None,
    ) -> Decision:
        """Join T clips into one answer.

        Args:
            vectors: `(B, T, 2, 512)`.
            scores: `(B, T, 2)`.
            present: bool `(B, T, 2)`; None means everything is there.
            evidence: `(B, T, 2, n_labels)` of a network that has it, else None.

        Returns:
            The decision. Where a whole window has nothing present, attention and fused are 0.

        Raises:
            ValueError: A shape does not fit.
        """
        if vectors.ndim != 4 or vectors.shape[2:] != (2, HIDDEN) or vectors.shape[1] < 1:
            raise ValueError(f"vectors must be (B, T, 2, {HIDDEN}), got {tuple(vectors.shape)}")
        if scores.shape != vectors.shape[:3]:
            raise ValueError(
                f"scores must be {tuple(vectors.shape[:3])}, got {tuple(scores.shape)}"
            )
        if present is None:
            present = torch.ones_like(scores, dtype=torch.bool)
        _check_present(present, tuple(vectors.shape[:3]))
        attention, fused = self.attention.fuse(vectors, scores, present)
        logits = self.head_norm(self.head(fused))  # BN on the logits
        if (evidence is None) != (self.evidence is None):
            raise ValueError("evidence must be given where the network has it, and only there")
        if self.evidence is not None and evidence is not None:
            logits = logits + self.evidence.fuse(evidence, scores, present)
        return Decision(logits, self.activate(logits), attention, fused)

    def activate(self, logits: Tensor) -> Tensor:
        """Turn logits `(B, n_labels)` into probabilities, by temperature and activation."""
        scaled = logits / self.config.temperature
        if self.config.activation == "sigmoid":
            return torch.sigmoid(scaled)
        return torch.softmax(scaled, dim=1)

    def forward(self, visual: Tensor, audio: Tensor, present: Tensor | None = None) -> MAFnetOutput:
        """Name the event of B windows of T clips.

        Args:
            visual: `(B, T, D)`, float32.
            audio: `(B, T, C, H, W)`, float32.
            present: bool `(B, T, 2)`, picture first; None means everything is there.

        Returns:
            The decision and the FiLM parameters.

        Raises:
            ValueError: A shape does not fit.
        """
        if visual.ndim != 3 or visual.shape[1] < 1:
            raise ValueError(
                f"visual must be (B, T, {self.config.visual_dim}), got {tuple(visual.shape)}"
            )
        n_batch, n_clips, _ = visual.shape
        sound_map = self.config.sound_map
        if audio.shape != (n_batch, n_clips, *sound_map):
            raise ValueError(
                f"audio must be {(n_batch, n_clips, *sound_map)}, got {tuple(audio.shape)}"
            )
        if present is not None:
            _check_present(present, (n_batch, n_clips, 2))
        codes = self.encode_clips(
            visual.flatten(0, 1),
            audio.flatten(0, 1),
            None if present is None else present.flatten(0, 1),
        )
        vectors, scores, gamma, beta = (
            code.reshape(n_batch, n_clips, *code.shape[1:]) for code in codes[:4]
        )
        evidence = codes.evidence
        if evidence is not None:
            evidence = evidence.reshape(n_batch, n_clips, *evidence.shape[1:])
        return MAFnetOutput(*self.decide(vectors, scores, present, evidence), gamma, beta)

    def _check_clips(self, visual: Tensor, audio: Tensor, present: Tensor | None) -> None:
        if visual.ndim != 2 or visual.shape[1] != self.config.visual_dim:
            raise ValueError(
                f"visual must be (N, {self.config.visual_dim}), got {tuple(visual.shape)}"
            )
        n_clips = visual.shape[0]
        sound_map = self.config.sound_map
        if audio.shape != (n_clips, *sound_map):
            raise ValueError(f"audio must be {(n_clips, *sound_map)}, got {tuple(audio.shape)}")
        if present is not None:
            _check_present(present, (n_clips, 2))


def _check_present(present: Tensor, shape: tuple[int, ...]) -> None:
    if present.dtype != torch.bool or present.shape != shape:
        raise ValueError(
            f"present must be bool {shape}, got {present.dtype} {tuple(present.shape)}"
        )
