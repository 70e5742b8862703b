"""`--backend` and `--precision` of the commands that run trunks; loads no torch."""

from __future__ import annotations

import argparse

BACKENDS = ("auto", "torch", "openvino")
PRECISIONS = ("float32", "bfloat16")


def add_backend_flags(parser: argparse._ActionsContainer, backend: str) -> None:
    """Add both flags to a parser or to a group of one; `backend` is the default."""
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default=backend,
        help=f"what runs the trunks on a CPU (default: {backend})",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="of OpenVINO; bfloat16 is faster where the processor has units for it",
    )
