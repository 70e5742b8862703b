"""What the starter contains of others travels with their notice and their licence's text."""

import pytest

from weights.bundle import load_bundle

STARTER = load_bundle("starter")


@pytest.mark.skipif(STARTER.audio.trunk != "yamnet", reason="the starter contains no YAMNet")
def test_yamnet_travels_with_its_notice_and_licence() -> None:
    notice = (STARTER.path / "NOTICE.txt").read_text()
    licence = (STARTER.path / "LICENCE-APACHE-2.0.txt").read_text()

    assert "YAMNet" in notice
    assert "LICENCE-APACHE-2.0.txt" in notice
    assert "Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert "Apache-2.0" in STARTER.licence
