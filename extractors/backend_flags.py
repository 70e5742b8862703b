"""What computes the trunks, where and how precisely: the choices, listed once; loads no torch."""

from __future__ import annotations

import argparse

BACKENDS = ("auto", "torch", "openvino")
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
FEATURE_PRECISIONS = ("float32", "bfloat16")  # of features that are kept


def add_backend_flags(parser: argparse._ActionsContainer, backend: str) -> None:
    """Add `--backend` and `--precision` to a parser or to a group of one; `backend` is default."""
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default=backend,
        help=f"what runs the trunks on a CPU (default: {backend})",
    )
    parser.add_argument(
        "--precision",
        choices=FEATURE_PRECISIONS,
        default="float32",
        help="of OpenVINO; bfloat16 is faster where the processor has units for it",
    )
