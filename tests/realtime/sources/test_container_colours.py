"""How PyAV is asked for colours: releases before 17 know no threads there."""

from __future__ import annotations

import pytest

from extractors.decoding.pictures import rgb_options


@pytest.mark.parametrize(
    ("version", "options"),
    [
        ("14.0.1", {"format": "rgb24"}),
        ("16.1.0", {"format": "rgb24"}),
        ("17.0.0", {"format": "rgb24", "threads": 1}),
        ("19.0.0rc1", {"format": "rgb24", "threads": 1}),
    ],
)
def test_colours_are_converted_in_one_thread_where_a_release_has_more(
    version: str, options: dict[str, object]
) -> None:
    assert rgb_options(version) == options
