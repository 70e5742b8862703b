"""`--doctor`: prints what `realtime.doctor` finds, as it is found."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from realtime.command_line.config_file import read_config_file
from realtime.command_line.settings import make_config
from weights.printable import json_text

if TYPE_CHECKING:
    from realtime.clock import Clock


def run_doctor(arguments: argparse.Namespace, clock: Clock, answer: Callable[[str], None]) -> int:
    """Look at all that the settings ask for; return the exit code.

    Args:
        arguments: Flags; without a source, what is here is tried.
        clock: Measures rates.
        answer: Prints text.

    Raises:
        UsageError: The settings contradict one another.
    """
    from realtime.doctor.examine import as_record, as_text, examine, verdict
    from realtime.doctor.finding import State

    file: dict[str, Any] = {}
    if arguments.config is not None:
        file = read_config_file(arguments.config)
    asked = (arguments.camera, arguments.mic, arguments.source, file.get("source"))
    is_source_named = any(place is not None for place in asked)
    if not is_source_named:
        arguments.source = ["demo"]
    config = make_config(arguments, file)
    findings = []
    for finding in examine(config, clock, is_source_named=is_source_named):
        findings.append(finding)
        if not arguments.json:
            answer(f"{as_text(finding)}\n")
    is_well = all(finding.state != State.FAILURE for finding in findings)
    if arguments.json:
        record = {"well": is_well, "findings": [as_record(finding) for finding in findings]}
        answer(f"{json_text(record, indent=2)}\n")
    else:
        answer(f"\n{verdict(findings)}\n")
    return 0 if is_well else 1
