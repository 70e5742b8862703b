"""What settings mean once the bundle is known."""

from __future__ import annotations

import pytest

from realtime.build import chosen_labels, find_bundle
from realtime.errors import UsageError


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        ([], ()),
        (["Bark, Siren"], ("Bark", "Siren")),
        (["Violin, fiddle"], ("Violin, fiddle",)),
        (["Bark,Violin,fiddle,Siren"], ("Bark", "Violin, fiddle", "Siren")),
        (["Siren", "Violin, fiddle"], ("Siren", "Violin, fiddle")),
    ],
)
def test_labels_are_found_when_they_hold_commas(texts: list[str], labels: tuple[str, ...]) -> None:
    assert chosen_labels(texts, find_bundle("starter")) == labels


@pytest.mark.parametrize(("text", "unknown"), [("Violin,Siren", "Violin"), ("Siren,cat", "cat")])
def test_labels_are_refused_when_the_bundle_has_them_not(text: str, unknown: str) -> None:
    with pytest.raises(UsageError, match=f"has not: {unknown};"):
        chosen_labels([text], find_bundle("starter"))
