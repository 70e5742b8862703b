"""What a user shows is found and checked, and no clip outside the recordings is opened."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from realtime.outputs.history.reader import correct
from realtime.outputs.history.schema import open_to_write
from teaching.errors import TeachError
from teaching.shown import of_folder, of_history, of_table
from web_site import Site


def test_folder_gives_its_media_files(tmp_path: Path) -> None:
    for name in ("b.wav", "a.MP4", "notes.txt", "c.jpg"):
        (tmp_path / name).touch()

    shown = of_folder(tmp_path, "Kettle")

    assert [each.name for each in shown] == ["a.MP4", "b.wav", "c.jpg"]
    assert {each.label for each in shown} == {"Kettle"}


@pytest.mark.parametrize("name", ["", "missing", "file.txt"])
def test_folder_without_clips_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").touch()
    with pytest.raises(TeachError):
        of_folder(tmp_path / name, "Kettle")


def test_table_gives_stretches_with_what_is_around_them(tmp_path: Path) -> None:
    table = tmp_path / "times.csv"
    table.write_text("file,onset_s,offset_s,note\nlong.mp4,10,12.5,x\nlong.mp4,0.5,1.5,\n")

    first, second = of_table(table, "Kettle")

    assert (first.path, first.span.start_s, first.span.end_s) == (tmp_path / "long.mp4", 8.0, 14.5)
    assert first.event == (2.0, 4.5)
    assert (second.span.start_s, second.event) == (0.0, (0.5, 1.5))


@pytest.mark.parametrize(
    "text",
    ["", "file,onset_s\na,1\n", "file,onset_s,offset_s\n", "file,onset_s,offset_s\na,2,1\n",
     "file,onset_s,offset_s\na,x,1\n", "file,onset_s,offset_s\na,0,inf\n",
     "file,onset_s,offset_s\na,-1,2\n"],
)  # fmt: skip
def test_table_that_makes_no_sense_is_one_sentence(tmp_path: Path, text: str) -> None:
    table = tmp_path / "times.csv"
    table.write_text(text)
    with pytest.raises(TeachError):
        of_table(table, "Kettle")


def test_history_gives_reviewed_events_whose_clips_lie_in_the_recordings(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with closing(open_to_write(site.history)) as connection:
        for event in site.ids[:6]:
            correct(connection, event, "wrong")
        correct(connection, site.ids[0], "other", "Kettle")

    shown, n_left = of_history(site.history, site.recordings)

    assert [each.path.name for each in shown] == ["a.mp4"]
    assert n_left == 5
    (only,) = shown
    assert only.label == "Kettle"
    assert only.was_told is not None
    assert only.event is not None
    assert only.span.start_s + only.event[0] == pytest.approx(5.0)


def test_named_events_are_of_the_label_whatever_was_said_of_them(tmp_path: Path) -> None:
    site = Site(tmp_path)

    shown, _ = of_history(site.history, site.recordings, (site.ids[0],), "Kettle")

    assert [(each.label, each.was_told) for each in shown] == [("Kettle", None)]
    with pytest.raises(TeachError, match="1 of the 2 events"):
        of_history(site.history, site.recordings, (site.ids[0], "nobody"), "Kettle")


def test_history_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database" * 99)
    with pytest.raises(TeachError):
        of_history(tmp_path / "x.db", tmp_path)
