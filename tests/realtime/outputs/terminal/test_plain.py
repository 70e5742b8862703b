import io
from dataclasses import replace

from realtime.outputs.base import DashboardSnapshot, RunView, StreamView
from realtime.outputs.terminal.plain import PlainLines, summary
from realtime.packets import Sense, SenseState, SenseStatus
from realtime.stats import Stats, StatsSnapshot
from snapshots import changed
from wire_samples import LABELS, make_event, make_prediction


def make_stats(**counts: int) -> StatsSnapshot:
    stats = Stats()
    for name, n in counts.items():
        stats.count(name, n)
    stats.observe_step(35.0, 41.0)
    return stats.snapshot()


def make_snapshot(**fields: object) -> DashboardSnapshot:
    snapshot = DashboardSnapshot(
        source="demo",
        run=RunView(labels=LABELS),
        stream=StreamView(t_s=40.0, prediction=make_prediction()),
        elapsed_s=10.0,
        stats=make_stats(events=1, predictions=160, frames=640, dropped_frames=1),
    )
    return changed(snapshot, **fields)


HOSTILE = "\x1b[2J\x9b2J\u202egnp.exe\n"


def test_nothing_foreign_moves_the_cursor_of_lines_or_summary() -> None:
    stream = io.StringIO()
    event = make_event(label=HOSTILE, offset_s=12.5)
    snapshot = make_snapshot(
        source=HOSTILE, bundle=HOSTILE, backend=HOSTILE, recent=(replace(event, reason=HOSTILE),)
    )
    snapshot = replace(snapshot, others=(replace(snapshot, source=f"other{HOSTILE}"),))
    PlainLines(stream).show(snapshot)
    for text in (stream.getvalue(), summary(snapshot)):
        assert all(line.isprintable() for line in text.split("\n"))
        assert "gnp.exe" in text


def test_an_event_is_told_once_at_its_start_and_once_at_its_end() -> None:
    stream = io.StringIO()
    lines = PlainLines(stream)
    begun, ended = make_event(), make_event(offset_s=12.5)
    for snapshot in (
        make_snapshot(active=(begun,), picture_share={1: 0.2}),
        make_snapshot(active=(begun,), picture_share={1: 0.2}),
        make_snapshot(recent=(ended,), picture_share={1: 0.2}),
        make_snapshot(recent=(ended,), picture_share={1: 0.2}),
    ):
        lines.show(snapshot)
    first, second = stream.getvalue().splitlines()
    assert first.split() == ["0:10.25", "▶", "onset", "Siren", "0.97", "sound", "80%"]
    assert second.split()[:3] == ["0:12.50", "■", "offset"]
    assert second.endswith("2.25 s")


def test_lines_say_what_each_sense_said_alone_where_it_is_known() -> None:
    stream = io.StringIO()
    ended = replace(make_event(offset_s=12.5), alone=(0.81, 0.62))
    lone = replace(make_event(2, offset_s=12.5), alone=(None, 0.97))
    snapshot = make_snapshot(recent=(ended, lone), picture_share={1: 0.02, 2: 0.0})

    PlainLines(stream).show(snapshot)

    onset, _, offset, other = stream.getvalue().splitlines()
    assert onset.endswith("0.97  heard 0.62 seen 0.81")
    assert offset.endswith("0.97  heard 0.62 seen 0.81  2.25 s")
    assert "heard 0.97 seen -  2.25 s" in other
    assert "0.97  heard 0.62 seen 0.81" in summary(snapshot)


def test_events_between_two_looks_are_told_in_order_of_time() -> None:
    stream = io.StringIO()
    first = make_event(1, onset_s=1.0, offset_s=5.0)
    second = make_event(2, "Bark", onset_s=2.0, offset_s=3.0)
    PlainLines(stream).show(make_snapshot(recent=(second, first)))
    times = [line.split()[0] for line in stream.getvalue().splitlines()]
    assert times == ["0:01.00", "0:02.00", "0:03.00", "0:05.00"]


def test_an_event_that_left_the_list_is_not_told_again() -> None:
    stream = io.StringIO()
    lines = PlainLines(stream)
    events = tuple(make_event(n, onset_s=n, offset_s=n + 0.5) for n in range(1, 6))
    for n in range(1, 5):
        lines.show(make_snapshot(recent=events[n - 1 : n + 1]))
    assert len(stream.getvalue().splitlines()) == 10


def test_a_stream_without_unicode_gets_question_marks() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream:
        PlainLines(stream).show(make_snapshot(active=(make_event(),)))
        assert raw.getvalue().split()[1:4] == [b"?", b"onset", b"Siren"]


def test_the_summary_lists_events_losses_and_times() -> None:
    text = summary(
        make_snapshot(
            recent=(make_event(offset_s=12.5),), picture_share={1: 0.2}, bundle="starter 0.1.0"
        )
    )
    assert "40.0 s of stream in 10.0 s (4.0 × real time)" in text
    assert "0:10.25    0:12.50    2.25 s  Siren" in text
    assert "0.97  sound 80%" in text
    assert "1 event, 160 decisions from 640 frames; lost: 1 frame, 0 sound samples" in text
    assert "step p50 35 ms, p95 35 ms; latency p50 41 ms, p95 41 ms" in text


def test_the_summary_says_that_an_event_goes_on() -> None:
    assert "goes on" in summary(make_snapshot(active=(make_event(),)))


def test_the_summary_says_that_what_an_absent_device_did_not_send_is_not_counted() -> None:
    lost = SenseStatus(sense=Sense.SOUND, state=SenseState.RECONNECTING, detail="unplugged")
    there = SenseStatus(sense=Sense.PICTURE, state=SenseState.OK, detail="")
    assert "sound gone at the end" in summary(make_snapshot(senses=(there, lost)))
    back = make_snapshot(senses=(there,), stats=make_stats(reconnects=1))
    assert "a device was away" in summary(back)
    assert "counted" not in summary(make_snapshot(senses=(there,), stats=make_stats()))


def test_the_summary_says_that_recordings_are_not_whole() -> None:
    stats = make_stats()
    assert "recording" not in summary(make_snapshot(stats=stats))
    stats = make_stats(broken_recordings=2, lost_recordings=1)
    told = "2 recordings could not be completed, 1 could not be begun"
    assert told in summary(make_snapshot(stats=stats))


def test_the_summary_says_what_recordings_lack() -> None:
    stats = make_stats(recordings=3, record_dropped_frames=40, record_dropped_blocks=1)
    told = "in 3 recordings there lack 40 frames and 1 sound block"
    assert told in summary(make_snapshot(stats=stats))


def test_the_summary_says_that_there_was_nothing() -> None:
    assert "No events." in summary(make_snapshot(stats=make_stats()))


def test_the_summary_of_many_events_shows_the_last_and_counts_the_rest() -> None:
    events = tuple(make_event(n, onset_s=n, offset_s=n + 0.5) for n in range(1, 121))
    text = summary(make_snapshot(recent=events, stats=make_stats(events=1000)))
    assert "950 earlier" in text
    assert text.count("Siren") == 50


def test_no_line_is_wider_than_a_terminal() -> None:
    label = "Fixed-wing aircraft, airplane, and much else that has no place on a line at all"
    event = make_event(label=label, onset_s=360_000, offset_s=400_000)
    stream = io.StringIO()
    snapshot = make_snapshot(recent=(event,), picture_share={1: 0.5}, bundle="x" * 100)
    PlainLines(stream).show(snapshot)
    told = changed(snapshot, recent=(replace(event, number=2, alone=(0.5, 0.5)),))
    PlainLines(stream).show(told)
    text = stream.getvalue() + summary(snapshot) + summary(told)
    assert max(len(line) for line in text.splitlines()) <= 80


def test_lines_bear_the_streams_name_when_there_are_several() -> None:
    stream = io.StringIO()
    lines = PlainLines(stream)
    other = make_snapshot(source="yard", active=(make_event(1, "Bark", 3.0),))
    snapshot = make_snapshot(source="door", active=(make_event(1, "Siren", 2.0),), others=(other,))
    lines.show(snapshot)
    lines.show(snapshot)

    told = stream.getvalue().splitlines()
    assert [line.split()[0] for line in told] == ["door", "yard"]
    assert "Siren" in told[0]
    assert "Bark" in told[1]


def test_summary_has_every_stream() -> None:
    text = summary(make_snapshot(source="yard", others=(make_snapshot(source="door"),)))

    assert text.index("door:") < text.index("yard:")
