import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from realtime.outputs.base import DashboardSnapshot
from realtime.outputs.terminal.dashboard import Dashboard, RateMeter, render, terminal_console
from realtime.outputs.terminal.text_parts import STATE_STYLES
from realtime.packets import Event, SenseState
from realtime.stats import Stats
from snapshots import make_snapshot, make_stats
from wire_samples import LABELS, make_event, make_prediction, make_senses

HOSTILE = "\x1b[2J\x9b2J\u202egnp.exe\n"


@pytest.mark.parametrize("size", [(80, 24), (60, 30), (200, 60), (40, 8)])
def test_nothing_foreign_moves_the_cursor_whatever_field_it_is_in(size: tuple[int, int]) -> None:
    event = replace(make_event(9, HOSTILE), reason=HOSTILE)
    senses = tuple(replace(status, detail=HOSTILE) for status in make_senses())
    snapshot = make_snapshot(
        source=HOSTILE, labels=(HOSTILE,) * 5, active=(event,), recent=(event,), senses=senses,
        bundle=HOSTILE, backend=HOSTILE, endpoint=HOSTILE, load=HOSTILE, warnings=(HOSTILE,),
    )  # fmt: skip
    for recording in ("", HOSTILE):
        shown = replace(snapshot, recording=recording, others=(replace(snapshot, others=()),))
        lines = draw(shown, *size)
        assert len(lines) <= size[1]
        assert all(line.isprintable() for line in lines)
        assert max(map(cell_len, lines)) <= size[0]


def draw(snapshot: DashboardSnapshot, columns: int = 80, rows: int = 24, **how: bool) -> list[str]:
    console = Console(width=columns, height=rows, file=io.StringIO(), legacy_windows=False)
    with console.capture() as captured:
        console.print(render(snapshot, (columns, rows), **how))
    return captured.get().splitlines()


CROWDED: dict[str, Any] = {
    "source": "a-name-that-goes-on-and-on-for-the-whole-of-the-first-line-and-beyond-it",
    "bundle": "a bundle with a long name 2026.11.23",
    "endpoint": "ipc:///run/user/1000/recognizers/front-door/in-a-very-deep-folder/events",
    "active": tuple(make_event(n, label, 1) for n, label in enumerate(LABELS * 3)),
    "warnings": ("a warning that is far longer than any terminal is wide " * 5,) * 9,
    "t_s": 4_000_000.0,
    "elapsed_s": 4_000_000.0,
    "stats": make_stats(
        -200.0, dropped_frames=10**9, audio_gap_samples=10**12, dropped_messages=10**9
    ),
    "frames_hz": 123456.7,
    "hops_hz": 98765.4,
}
ALONE = {
    "active": tuple(replace(event, alone=(0.81, 0.62)) for event in CROWDED["active"]),
    "recent": (replace(make_event(1, LABELS[3], 8, 9), alone=(None, 0.62)),),
}
EMPTY = {
    "prediction": None,
    "active": (),
    "recent": (),
    "warnings": (),
    "endpoint": None,
    "n_subscribers": None,
    "frames_hz": None,
    "hops_hz": None,
    "stats": Stats().snapshot(),
}


@pytest.mark.parametrize(
    "size",
    [(80, 24), (120, 40), (200, 60), (76, 24), (75, 24), (60, 50), (44, 12), (40, 8), (9, 3)],
)
@pytest.mark.parametrize(
    "fields", [{}, CROWDED, EMPTY, ALONE], ids=["usual", "crowded", "empty", "each alone"]
)
def test_nothing_goes_beyond_the_terminal(fields: dict[str, object], size: tuple[int, int]) -> None:
    columns, rows = size
    lines = draw(make_snapshot(**fields), columns, rows)
    assert len(lines) <= rows
    assert max(cell_len(line) for line in lines) <= columns


def test_a_wide_terminal_shows_what_each_sense_said_alone() -> None:
    text = "\n".join(draw(make_snapshot(**ALONE), 160, 50))
    assert "heard 0.62 seen 0.81" in text
    assert "heard 0.62 seen -" in text


@pytest.mark.parametrize("n_clips", [1, 2, 9, 10, 25, 600])
def test_a_window_of_any_length_fits(n_clips: int) -> None:
    lines = draw(make_snapshot(prediction=make_prediction(n_clips), window_clips=n_clips))
    assert len(lines) == 24
    assert max(cell_len(line) for line in lines) <= 80


def test_wide_characters_do_not_break_the_frame() -> None:
    labels = ("背景", "サイレン" * 10, "男性の話し声", "飛行機", "犬の鳴き声")
    events = (make_event(1, labels[1], 80.0), make_event(2, labels[2], 81.0))
    lines = draw(make_snapshot(labels=labels, active=events, source="玄関" * 30))
    assert len(lines) == 24
    assert max(cell_len(line) for line in lines) <= 80


def test_everything_that_matters_is_on_80_by_24() -> None:
    text = "\n".join(draw(make_snapshot()))
    for part in (
        "camera-0",
        "starter 0.1.0",
        "tcp://127.0.0.1:5556 → 2",
        "picture ok",
        "sound stale",
        "▶ Siren",
        "▶ Male speech, man…",
        "Fixed-wing aircraft…",
        "Attention, 10 clips",
        "25%",
        "75%",
        "strongest: sound, newest second",
        "-23 dB",
        "p50 41 ms  p95 41 ms",
        "16.0 frames/s  4.0 hops/s",
        "+12 ms",
        "3 frames",
        "Recent events",
        "the microphone gave nothing for 2 s",
        "1:23",
    ):
        assert part in text, part


def test_the_newest_event_comes_first() -> None:
    text = "\n".join(draw(make_snapshot()))
    assert text.index("1:04.00") < text.index("0:56.00")


def test_that_a_camera_records_is_said_before_what_cannot_be_recorded() -> None:
    full = make_snapshot(source="gate", recording="recording stopped: the disk is almost full")
    yard = make_snapshot(source="yard", recording="recording 1_Bark.mp4")
    head = draw(replace(full, others=(yard,)), 150)[0]
    assert "yard: recording 1_Bark.mp4 and 1 more" in head
    assert "gate: recording stopped" in draw(replace(make_snapshot(), others=(full,)), 150)[0]


def test_a_larger_terminal_shows_more_events() -> None:
    small, large = (
        sum("sound " in line for line in draw(make_snapshot(), 120, n)) for n in (24, 50)
    )
    assert large > small


def test_attention_is_shaded_by_its_share_and_marks_a_missing_sense() -> None:
    prediction = make_prediction(4)
    present = prediction.present.copy()
    present[:2, 0] = False
    attention = np.array([[0, 0.1], [0, 0.1], [0.05, 0.35], [0, 0.4]], np.float32)
    lines = draw(
        make_snapshot(prediction=replace(prediction, present=present, attention=attention))
    )
    picture = next(line for line in lines if "│ picture " in line)
    sound = next(line for line in lines if "│ sound " in line)
    assert "······░░░░░░" in picture
    assert "▒▒▒▒▒▒██████" in sound


def test_a_file_read_at_full_speed_shows_the_step_instead_of_a_latency() -> None:
    stats = Stats()
    stats.observe_step(35.0, None)
    text = "\n".join(draw(make_snapshot(stats=stats.snapshot())))
    assert "step    p50 35 ms" in text
    assert "latency" not in text


def test_a_label_cannot_move_the_cursor_or_be_markup() -> None:
    event = make_event(label="\x1b[2J[bold]Bell[/nothing]\n")
    text = "\n".join(draw(make_snapshot(active=(event,), source="[red]x")))
    assert "\x1b[2J" not in text
    assert "[bold]Bell" in text
    assert "[red]x" in text


def test_ascii_terminals_get_bars_of_ascii() -> None:
    text = "\n".join(draw(make_snapshot(), ascii_only=True))
    assert "█" not in text
    assert "####" in text


def test_more_events_than_rows_are_counted() -> None:
    events: tuple[Event, ...] = tuple(make_event(n, "Bark", 80.0) for n in range(8))
    assert "and 4 more" in "\n".join(draw(make_snapshot(active=events)))


def test_rates_are_means_over_the_last_seconds() -> None:
    meter = RateMeter()
    rates = []
    for second in range(20):
        stats = make_stats(frames=second * 30, predictions=second * 4)
        measured = meter.measure(
            make_snapshot(elapsed_s=float(second), stats=stats, frames_hz=None, hops_hz=None)
        )
        rates.append((measured.frames_hz, measured.hops_hz))
    assert rates[0] == (None, None)
    assert set(rates[1:]) == {(30.0, 4.0)}


def test_the_terminal_is_left_as_it_was() -> None:
    stream = io.StringIO()
    dashboard = Dashboard(Console(file=stream, force_terminal=True, width=80, height=24))
    dashboard.show(make_snapshot())
    dashboard.close()
    dashboard.close()
    enter, leave = "\x1b[?1049h", "\x1b[?1049l"
    text = stream.getvalue()
    assert (text.count(enter), text.count(leave)) == (1, 1)
    assert text.index(enter) < text.index("Siren") < text.index(leave)


def test_a_pipe_gets_no_dashboard() -> None:
    assert terminal_console(io.StringIO()) is None


def test_every_state_of_a_sense_has_a_look_and_only_ok_is_green() -> None:
    assert set(STATE_STYLES) == set(SenseState)
    assert [state for state, style in STATE_STYLES.items() if "green" in style] == [SenseState.OK]


@pytest.mark.parametrize(
    "state", [SenseState.FROZEN, SenseState.BLACK, SenseState.SILENT, SenseState.RECONNECTING]
)
def test_dashboard_shows_a_sense_in_trouble_by_name(state: SenseState) -> None:
    senses = make_senses(sound=state)

    assert f"sound {state}" in "\n".join(draw(make_snapshot(senses=senses)))


def make_several(n: int) -> DashboardSnapshot:
    others = tuple(make_snapshot(source=f"door-{number}", active=()) for number in range(1, n))
    return make_snapshot(others=others)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 50), (44, 12), (9, 3)])
@pytest.mark.parametrize("n", [2, 40])
def test_picture_fits_when_there_are_several_sources(size: tuple[int, int], n: int) -> None:
    lines = draw(make_several(n), *size)

    assert len(lines) <= size[1]
    assert max(cell_len(line) for line in lines) <= size[0]


def test_each_source_has_a_row_with_its_senses_and_events() -> None:
    text = draw(make_several(3), 100, 40)

    (row,) = [line for line in text if "door-2" in line]
    assert "ok" in row
    assert "stale" in row
    assert any("camera-0" in line and "Siren" in line for line in text)


def test_rows_that_do_not_fit_are_counted() -> None:
    assert any("more" in line for line in draw(make_several(40), 80, 24))


def test_dashboard_says_what_is_given_up_to_keep_up() -> None:
    text = "\n".join(draw(make_snapshot(load="to keep up: 4 of 16 pictures a second"), 120, 40))

    assert "4 of 16 pictures" in text


def test_dashboard_counts_pictures_that_recordings_lack() -> None:
    stats = make_stats(record_dropped_frames=40)

    assert "40 recorded" in "\n".join(draw(make_snapshot(stats=stats), 120, 40))
