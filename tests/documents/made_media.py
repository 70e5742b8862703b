"""Small files of the kinds that the documents' commands name; each is written into a folder."""

from __future__ import annotations

import contextlib
import runpy
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from integration.held_out_folder import write_data
from integration.readme_blocks import ROOT, blocks
from integration.stand_in import write_ave, write_tables, write_video
from track_media import write_tracks

LABELS = ("Bark", "Cat", "Drum", "Acoustic guitar")


def clip(name: str) -> Callable[[Path], None]:
    """Return what makes ten seconds with a siren, by `.ci/make_clip.py`."""

    def make(at: Path) -> None:
        with contextlib.chdir(at):
            runpy.run_path(str(ROOT / ".ci" / "make_clip.py"))
        (at / "clip.mp4").rename(at / name)

    return make


def film(at: Path) -> None:
    """Two tones, one a sound track."""
    write_tracks(at / "film.mkv", sounds=(0.3, 0.5), pictures=(90,), seconds=3.0)


def tables(at: Path) -> None:
    """Sounds and pictures of four labels, each with its table."""
    write_tables(at, LABELS)


def labelled(name: str, *labels: str) -> Callable[[Path], None]:
    """Return what makes a folder of videos for each label; two cuts of each recording."""

    def make(at: Path) -> None:
        for label in labels:
            (at / name / label).mkdir(parents=True)
            for k, recording in enumerate("abcdef"):
                for cut in (1, 2):
                    path = at / name / label / f"{recording}_{cut}.mp4"
                    write_video(path, label, 1.0, 2 * k + cut)
            write_video(at / name / label / "c.mp4", label, 3.0)

    return make


def ave(at: Path) -> None:
    """AVE's layout."""
    write_ave(at / "AVE")


def web_sets(at: Path) -> None:
    """Tables of VGGSound, AudioSet and LLP, and the cuts that they name."""
    (at / "cuts").mkdir()
    (at / "tables").mkdir()
    ids = [f"id-{k}" for k in range(12)]
    for k, name in enumerate(ids):
        write_video(at / "cuts" / f"{name}_{k:06d}.mp4", ("Bark", "Siren")[k % 2], 1.0, k)
    split = dict(zip(ids, ["test", "test"] + ["train"] * 10, strict=True))
    kind = dict(zip(ids, ["dog", "siren"] * 6, strict=True))
    rows = [f"{name},{k},{kind[name]},{split[name]}" for k, name in enumerate(ids)]
    write(at / "vggsound.csv", "\n".join(rows) + "\n")
    write(at / "class_labels_indices.csv",
          'index,mid,display_name\n0,/m/dog,"dog"\n1,/m/siren,"siren"\n')  # fmt: skip
    for table, part in (("balanced_train_segments", "train"), ("eval_segments", "test")):
        rows = [f'{name}, {k}.000, {k + 10}.000, "/m/{kind[name]}"'
                for k, name in enumerate(ids) if split[name] == part]  # fmt: skip
        write(at / f"{table}.csv", "# YTID, start, end, labels\n" + "\n".join(rows) + "\n")
    for table, part in (("AVVP_train", ids[4:]), ("AVVP_val_pd", ids[2:4]),
                        ("AVVP_test_pd", ids[:2])):  # fmt: skip
        rows = [f"{name}_{ids.index(name)}_{ids.index(name) + 10}\t{kind[name]}" for name in part]
        write(at / "tables" / f"{table}.csv",
              "filename\tevent_labels\n" + "\n".join(rows) + "\n")  # fmt: skip


def data_folder(at: Path) -> None:
    """What `research` calls DATA, of three labels."""
    write_data(at / "DATA")


def kettle(at: Path) -> None:
    """Five clips of something new."""
    (at / "kettle").mkdir()
    for k in range(5):
        write_video(at / "kettle" / f"{k}.mp4", "Kettle", 4.0, k)


def times(at: Path) -> None:
    """A table of where the event lies in a longer file, as docs/guide/teaching.md has it."""
    (text,) = blocks("docs/guide/teaching.md", "csv")
    rows = [row.split(",") for row in text.split()[1:]]
    lines = [f"{name},{k * 5 + 0.5},{k * 5 + 4}" for k, (name, *_) in enumerate([*rows, rows[0]])]
    write(at / "times.csv", "\n".join([text.split()[0], *lines]) + "\n")
    write_video(at / rows[0][0], "Kettle", 16.0)


def rules(at: Path) -> None:
    """The complete example of docs/guide/rules.md, with targets that are here."""
    text = next(text for text in blocks("docs/guide/rules.md", "toml") if "rules.toml" in text)
    for there, here in (
        ("env:HALL_NTFY", "json://127.0.0.1:9/x"),
        ("file:/etc/mafnet/phones", "json://127.0.0.1:9/y"),
        ("/usr/local/bin/light", "/bin/true"),
    ):
        assert there in text
        text = text.replace(there, here)
    write(at / "rules.toml", text)


def events_of(history: Path) -> list[str]:
    """Return the IDs of a history's events."""
    with closing(sqlite3.connect(history)) as connection:
        return [str(row[0]) for row in connection.execute("SELECT id FROM events")]


def cameras(at: Path) -> None:
    """The settings of docs/guide/many-streams.md, with files in the place of cameras."""
    text = blocks("docs/guide/many-streams.md", "toml")[0]
    for k, name in ((1, "a.mp4"), (2, "b.mp4")):
        assert f"rtsp://10.0.0.1{k}/stream" in text
        text = text.replace(f"rtsp://10.0.0.1{k}/stream", name)
        clip(name)(at)
    write(at / "cameras.toml", text.replace('transport = "udp"\n', ""))


def robot(at: Path) -> None:
    """The settings of docs/guide/robots.md; each camera is one that the run gets."""
    text = blocks("docs/guide/robots.md", "toml")[0]
    for name in ("LEFT", "RIGHT"):
        assert f"/dev/v4l/by-id/{name}" in text
        text = text.replace(f"/dev/v4l/by-id/{name}", "{camera}")
    write(at / "robot.toml", text)


def pool(at: Path) -> None:
    """The settings of docs/guide/cluster.md."""
    write(at / "pool.toml", blocks("docs/guide/cluster.md", "toml")[0])


def stream(at: Path) -> None:
    """Settings that name a file."""
    clip("clip.mp4")(at)
    write(at / "stream.toml", '[source]\nname = "clip"\nkind = "media"\nmedia = "clip.mp4"\n')


def write(path: Path, text: str) -> None:
    """Write a text."""
    path.write_text(text, encoding="utf-8")
