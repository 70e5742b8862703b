"""Keywords of `recognize` to a run's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.api.options import make_run_config
from realtime.config import RunConfig, SourceConfig
from realtime.errors import UsageError


def test_nothing_goes_out_unless_asked() -> None:
    run = make_run_config("clip.mp4", None)

    assert (run.publisher, run.record, run.metrics) == (None, None, None)
    assert run.source == SourceConfig(name="clip", kind="media", media="clip.mp4")


def test_camera_alone_is_not_heard() -> None:
    run = make_run_config(None, None, camera=0)

    assert (run.source.camera, run.source.microphone) == ("0", None)


def test_camera_and_microphone_make_a_live_stream() -> None:
    run = make_run_config(None, None, camera=0, microphone="default")

    assert (run.source.camera, run.source.microphone) == ("0", "default")


def test_microphone_alone_will_do() -> None:
    run = make_run_config(None, None, microphone=2)

    assert (run.source.camera, run.source.microphone) == (None, "2")


def test_several_sources_get_names_of_their_own() -> None:
    whole = SourceConfig(name="door", kind="live", camera="0")

    run = make_run_config(["a.mp4", whole, "b/a.mp4"], None)

    assert [source.name for source in run.sources] == ["a", "door", "a-2"]
    assert run.sources[1] is whole


def test_path_is_a_file_whatever_it_is_called(tmp_path: Path) -> None:
    run = make_run_config(tmp_path / "demo", None)

    assert (run.source.kind, run.source.media) == ("media", str(tmp_path / "demo"))


def test_demo_is_the_scene() -> None:
    assert make_run_config("demo", None).source.kind == "demo"


def test_keywords_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "stream.toml"
    file.write_text(
        'bundle = "ave"\n[source]\nkind = "demo"\nname = "scene"\n'
        "[window]\nhop_s = 0.5\nn_clips = 4\n[events]\nmerge_gap_s = 1.5\n"
    )

    run = make_run_config(
        None, file, bundle="starter", hop=0.25, on=0.6, off=0.4, per_label={"Bark": (0.7, 0.2)}
    )

    assert (run.source.name, run.bundle) == ("scene", "starter")
    assert (run.window.hop_s, run.window.n_clips) == (0.25, 4)
    assert run.events == {
        "merge_gap_s": 1.5,
        "on": 0.6,
        "off": 0.4,
        "per_label": {"Bark": {"on": 0.7, "off": 0.2}},
    }
    assert run.publisher is None


def test_file_that_publishes_is_taken_at_its_word(tmp_path: Path) -> None:
    file = tmp_path / "stream.toml"
    file.write_text('[source]\nkind = "demo"\n[publisher]\nbind = "tcp://127.0.0.1:5999"\n')

    run = make_run_config(None, file)

    assert run.publisher is not None
    assert run.publisher.bind == "tcp://127.0.0.1:5999"


def test_publish_and_record_are_asked_for(tmp_path: Path) -> None:
    run = make_run_config(
        "demo", None, publish="tcp://127.0.0.1:0", record=tmp_path, record_labels=["Bark"]
    )

    assert run.publisher is not None
    assert run.publisher.bind == "tcp://127.0.0.1:0"
    assert run.record is not None
    assert (run.record.directory, run.record.labels) == (str(tmp_path), ("Bark",))


def test_finished_settings_stay_as_they_are() -> None:
    run = RunConfig(source=SourceConfig(name="scene", kind="demo"))

    assert make_run_config(None, run) is run
    with pytest.raises(UsageError, match="a RunConfig says all; change it instead of giving hop"):
        make_run_config(None, run, hop=0.5)


@pytest.mark.parametrize("source", [None, []])
def test_nothing_to_watch_says_what_to_write(source: list[str] | None) -> None:
    with pytest.raises(UsageError, match=r'recognize\("clip\.mp4"\)'):
        make_run_config(source, None)


def test_source_and_camera_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="--source stands alone"):
        make_run_config("a.mp4", None, camera=0)


def test_page_and_broker_are_asked_for_by_keywords() -> None:
    run = make_run_config("clip.mp4", None, web="127.0.0.1:0", mqtt="broker:1884")

    assert run.web is not None
    assert run.web.bind == "127.0.0.1:0"
    assert run.mqtt is not None
    assert (run.mqtt.host, run.mqtt.port) == ("broker", 1884)
