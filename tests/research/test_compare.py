from research.composed import without_wider
from research.streaming.scoring import Detection, Truth

GROUPS = {"Flute": "Music"}


def detection(label: str, onset_s: float) -> Detection:
    return Detection(label=label, onset_s=onset_s, offset_s=onset_s + 2, told_s=onset_s + 1)


def test_wider_label_is_left_out_where_a_narrower_one_is_the_event() -> None:
    truths = [Truth(label="Flute", onset_s=10, offset_s=14)]
    told = [detection("Music", 11), detection("Flute", 11), detection("Music", 30)]

    assert without_wider(told, truths, GROUPS) == told[1:]


def test_other_labels_stay_where_an_event_is() -> None:
    truths = [Truth(label="Bark", onset_s=10, offset_s=14)]
    told = [detection("Music", 11), detection("Cat", 11)]

    assert without_wider(told, truths, GROUPS) == told
