"""All that is looked at, in the order in which one thing needs another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from realtime.doctor.clocks import check_clock
from realtime.doctor.finding import Finding, State
from realtime.doctor.places import check_places, check_store
from realtime.doctor.ports import check_ports
from realtime.doctor.program import (
    check_bundle,
    check_computing,
    check_extras,
    check_libraries,
    check_opencv,
    check_python,
)

if TYPE_CHECKING:
    from realtime.clock import Clock
    from realtime.config import RunConfig

_MARKS = {State.OK: "ok  ", State.WARNING: "note", State.FAILURE: "FAIL"}


def examine(config: RunConfig, clock: Clock, *, is_source_named: bool) -> Iterator[Finding]:
    """Look at everything that a run with these settings would use; each is told when it is known.

    Args:
        config: The run's settings.
        clock: Measures rates.
        is_source_named: Whether the settings' sources were asked for; otherwise what is here is
            tried, and none of it has to be there.
    """
    yield check_python()
    libraries = list(check_libraries())
    yield from libraries
    yield check_opencv(config)
    yield from check_extras(config)
    broken = {finding.name for finding in libraries if finding.state == State.FAILURE}
    if not broken & {"torch", "torchvision", "numpy"}:
        yield from check_computing(config)
    yield check_bundle(config)
    yield check_store()
    yield from check_places(config)
    yield from check_ports(config)
    yield check_clock()
    if "numpy" in broken:
        return
    from realtime.doctor.devices import check_all_devices, check_source  # numpy

    if is_source_named:
        for source in config.sources:
            yield from check_source(source, clock)
    else:
        yield from check_all_devices(clock)


def as_text(finding: Finding) -> str:
    """Return a finding as one line, and what to do as another below it."""
    line = f"{_MARKS[finding.state]}  {finding.name}: {finding.said}"
    return f"{line}\n      -> {finding.advice}" if finding.advice else line


def as_record(finding: Finding) -> dict[str, str]:
    """Return a finding as JSON has it."""
    return {
        "name": finding.name,
        "state": finding.state.value,
        "said": finding.said,
        "advice": finding.advice,
    }


def verdict(findings: list[Finding]) -> str:
    """Return the last line: how many things are wrong."""
    n_failures = sum(finding.state == State.FAILURE for finding in findings)
    n_notes = sum(finding.state == State.WARNING for finding in findings)
    if n_failures:
        things = "1 thing" if n_failures == 1 else f"{n_failures} things"
        return f"{things} would keep this run from working"
    notes = {0: "", 1: "; 1 note above"}.get(n_notes, f"; {n_notes} notes above")
    return f"all is well{notes}"
