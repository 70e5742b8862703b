"""Which trunks an extraction wants, before any is loaded: what another machine loads them by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.errors import ExtractorError

if TYPE_CHECKING:
    from extractors.encoders import Encoders
    from extractors.openvino_trunks import Precision
    from weights.trunk_file import NamedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderChoice:
    """Names and files; may be sent to another process.

    Attributes:
        bundle: "starter", "ave" or a bundle's folder; None where files are given.
        visual: A picture trunk with a file of its own.
        sound: A sound trunk, likewise.
        device: As `--device` names it; "auto" is chosen where the trunks are loaded.
        backend: One of `backend_flags.BACKENDS`.
        precision: What OpenVINO computes in.
    """

    bundle: str | Path | None = None
    visual: NamedFile | None = None
    sound: NamedFile | None = None
    device: str = "auto"
    backend: str = "auto"
    precision: Precision = "float32"

    def to_ask(self) -> EncoderChoice:
        """Return the same trunks where they only tell what they are: on any machine, soon."""
        if self.precision != "float32":  # which OpenVINO alone has
            return replace(self, device="cpu")
        return replace(self, device="cpu", backend="torch")

    def load(self) -> Encoders:
        """Load them; torch is imported here.

        Raises:
            ExtractorError: Something of it is not here, or does not go together.
        """
        from extractors.backends import choose_device
        from extractors.encoders import load_encoders
        from extractors.trunk_weights import WeightsMismatchError
        from weights.errors import WeightsError

        device = str(choose_device(self.device))
        try:
            return load_encoders(
                bundle=self.bundle,
                visual=self.visual,
                sound=self.sound,
                device=device,
                backend=self.backend,
                precision=self.precision,
            )
        except (WeightsError, WeightsMismatchError, ValueError) as error:
            raise ExtractorError(str(error)) from error
