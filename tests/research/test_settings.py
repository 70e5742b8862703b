from research.compare import PLAIN
from research.settings import EVENTS
from weights.event_spec import EventSpec


def test_settings_are_what_a_bundle_takes() -> None:
    assert EventSpec(**EVENTS).on == EVENTS["on"]
    assert EventSpec(**{**EVENTS, **PLAIN}).on == PLAIN["on"]
