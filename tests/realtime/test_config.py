"""What the settings refuse, and that printed settings read back as the same run."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from pathlib import Path

import pytest

from realtime.addresses import split_address
from realtime.bundle_settings import grid_hz_of
from realtime.command_line.config_file import MAX_FILE_BYTES, format_config
from realtime.command_line.flags import make_parser
from realtime.command_line.main import main
from realtime.command_line.settings import make_config
from realtime.config import PublisherConfig, RunConfig, WindowConfig
from realtime.errors import UsageError
from weights.bundle import load_bundle


def configure(*flags: str) -> RunConfig:
    return make_config(make_parser().parse_args(flags))


def write(folder: Path, text: str) -> str:
    file = folder / "stream.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("hop_s", [0.0, 0.3, 1.0625, -0.25, float("nan"), float("inf")])
def test_hop_is_refused_when_it_lies_off_the_grid(hop_s: float) -> None:
    with pytest.raises(UsageError, match="hop"):
        WindowConfig(hop_s=hop_s)


@pytest.mark.parametrize(
    "bind", ["tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:99999", "tcp://[::1]:x"]
)
def test_endpoint_is_refused_when_its_port_does_not_exist(bind: str) -> None:
    with pytest.raises(UsageError, match="port"):
        PublisherConfig(bind=bind)


@pytest.mark.parametrize(
    ("bind", "meant"),
    [
        ("tcp://::1:5577", "tcp://[::1]:5577"),
        ("tcp://::1:*", "tcp://[::1]:*"),
        ("tcp://fd00::7:5577", "tcp://[fd00::7]:5577"),
        ("tcp://fe80::1%eth0:5577", "tcp://[fe80::1%eth0]:5577"),
        ("tcp://:::5577", "tcp://[::]:5577"),
        ("tcp://::1", "tcp://[::1]:5556"),
        ("tcp://::ffff:127.0.0.1:5577", "tcp://[::ffff:127.0.0.1]:5577"),
    ],
)
def test_ipv6_address_without_brackets_is_told_how_it_is_meant(bind: str, meant: str) -> None:
    with pytest.raises(UsageError, match="stands in brackets") as refused:
        PublisherConfig(bind=bind)
    assert meant in str(refused.value)
    if "5577" in bind:
        PublisherConfig(bind=meant)
        with pytest.raises(UsageError, match="stands in brackets"):
            split_address(bind.removeprefix("tcp://"))


@pytest.mark.parametrize(
    "flags",
    [
        ["--camera", "0"],
        ["--camera", "0", "--no-mic"],
        ["--camera", "0", "--mic", "none"],
        ["--mic", "USB"],
        ["--source", "demo", "--no-publish"],
        ["--source", "demo", "--curve", "keys", "--metrics", "127.0.0.1:9464"],
        ["--source", "demo", "--web", "0.0.0.0:8080", "--web-password-file", "password"],
        ["--source", "demo", "--log-format", "json"],
        ["--source", "demo", "--record", "events", "--record-labels", "Bark,Siren"],
        ["--source", "demo", "--record", "e", "--record-labels", "A, b", "--record-labels", "C"],
        ["--source", "clip.mp4", "--pace", "--duration", "5", "--hop", "1", "--on", "0.7"],
        ["--source", "rtsp://host/stream", "--bind", "tcp://127.0.0.1:*", "--no-dashboard"],
    ],
)
def test_printed_settings_read_back_as_the_same_run(flags: list[str], tmp_path: Path) -> None:
    config = configure(*flags)

    again = configure("--config", write(tmp_path, format_config(config)))

    assert again == config


@pytest.mark.parametrize("flags", [[], ["--no-mic"], ["--hop", "0.5"]])
def test_printed_settings_are_a_cameras_when_no_source_is_given(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--print-config", *flags]) == 0

    printed = capsys.readouterr()
    config = configure("--config", write(tmp_path, printed.out))
    assert config == configure("--camera", "0", *flags)
    assert "--camera 0" in printed.err


def test_camera_brings_the_default_microphone_unless_it_is_declined(tmp_path: Path) -> None:
    file = write(tmp_path, '[source]\ncamera = 0\nmicrophone = "none"\n')

    assert configure("--camera", "0").source.microphone == "default"
    assert configure("--config", file).source.microphone is None
    assert configure("--config", file, "--mic", "USB").source.microphone == "USB"


def test_endpoint_flag_wins_when_the_file_publishes_nothing(tmp_path: Path) -> None:
    file = write(tmp_path, 'publisher = false\n[source]\nkind = "demo"\n')

    assert configure("--config", file).publisher is None
    assert configure("--config", file, "--bind", "tcp://127.0.0.1:5999").publisher is not None


def test_single_source_may_be_written_as_a_list(tmp_path: Path) -> None:
    file = write(tmp_path, '[[source]]\nkind = "demo"\nname = "hall"\n')

    assert configure("--config", file).source.name == "hall"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hop_s = 1", "no setting 'hop_s'"),
        ('[source]\nkind = "media"', "file or a URL"),
        ('[source]\nkind = "demo"\n[window]\nhop_s = nan', "hop"),
        ('[source]\nkind = "demo"\nhold_s = 1' + "0" * 400, "hold_s"),
        ("duration_s = 1" + "0" * 5000, "not valid TOML"),
        ('[[source]]\nkind = "demo"\nname = "a"\n' * 2, "a name of its own"),
        (
            '[[source]]\nkind = "demo"\nname = "Yard"\n[[source]]\nkind = "demo"\nname = "yard"\n',
            "'Yard' and 'yard'",
        ),
        ("source = []", "at least one"),
        ("source = [1, 2]", "[source] must be a table"),
        ("source = 3", "[source]"),
        ("[[source", "not valid TOML"),
        ('[source]\nkind = "demo"\nloop = "yes"', "loop must be bool"),
        (
            '[source]\nkind = "demo"\n[events]\nconfusable = ["Bark"]',
            "confusable must be lists such as",
        ),
        ('[source]\nkind = "demo"\n[events]\nconfusable = 3', "confusable must be lists such as"),
        ('[source]\nkind = "demo"\nretry_s = 5', "retry_s must be a list"),
        ('[source]\nkind = "demo"\nretry_s = []', "retry_s must be a list"),
        ('[source]\nkind = "demo"\nretry_s = [1, 0]', "each wait of retry_s"),
        ('[source]\nkind = "demo"\nstale_s = 0', "stale_s must be from 0.5"),
        ("[publisher]\nsend_hwm = true", "send_hwm must be int"),
        ("[events.per_label]\nBark = 0.5", "per_label.Bark"),
    ],
)
def test_file_is_refused_in_one_sentence_when_a_setting_does_not_fit(
    text: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refusal:
        configure("--config", write(tmp_path, text))

    assert words in str(refusal.value)


@pytest.mark.timeout(60)
def test_file_is_refused_when_it_is_a_pipe_a_device_or_endless(tmp_path: Path) -> None:
    pipe, large = tmp_path / "pipe", tmp_path / "large.toml"
    os.mkfifo(pipe)
    large.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    for path, words in (
        (pipe, "ordinary file"),
        (Path("/dev/zero"), "ordinary file"),
        (tmp_path, "ordinary file"),
        (large, "larger than 1 MiB"),
    ):
        with pytest.raises(UsageError, match=words) as refusal:
            configure("--config", str(path))
        assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    "flags",
    [
        ["--source", "demo", "--camera", "0"],
        ["--source", "demo", "--no-mic"],
        ["--camera", "0", "--mic", "0", "--no-mic"],
        ["--source", "demo", "--no-publish", "--bind", "tcp://127.0.0.1:5999"],
        ["--source", "demo", "--record", "events", "--record-labels", "Bark,,Siren"],
        ["--no-mic"],
        [],
    ],
)
def test_flags_are_refused_when_they_contradict_each_other(flags: list[str]) -> None:
    with pytest.raises(UsageError):
        configure(*flags)


def test_live_source_comes_back_unless_that_is_declined(tmp_path: Path) -> None:
    text = "[source]\ncamera = 0\nretry_s = [2, 30]\nstale_s = 5\n"
    source = configure("--config", write(tmp_path, text)).source

    assert (source.reconnect, source.retry_s, source.stale_s) == (True, (2.0, 30.0), 5.0)
    assert not configure("--camera", "0", "--no-reconnect").source.reconnect


def test_printed_settings_tell_the_values_that_hold_where_nothing_was_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--print-config", "--source", "demo", "--off", "0.2"]) == 0

    printed = capsys.readouterr().out
    assert "\noff = 0.2\n" in printed
    assert "# off = " not in printed
    bundle = load_bundle("starter")
    assert f"# on = {bundle.events.on:g}" in printed
    assert f"# merge_gap_s = {bundle.events.merge_gap_s}" in printed
    assert "# pre_roll_s = 5.0" in printed


def test_printed_thresholds_and_groups_of_labels_can_be_taken_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(load_bundle("starter").path, tmp_path / "own")
    manifest = tmp_path / "own" / "bundle.json"
    settings = json.loads(manifest.read_text())
    settings["events"]["per_label"] = {label: {"on": 0.9, "off": 0.1} for label in ("Bark", "Cat")}
    settings["events"]["groups"] = {"Rooster": "Chicken"}
    manifest.write_text(json.dumps(settings))

    assert main(["--print-config", "--source", "demo", "--bundle", str(tmp_path / "own")]) == 0

    printed = capsys.readouterr().out
    begin = printed.index("# [events]")
    table = "\n".join(
        line.removeprefix("# ") for line in printed[begin:].split("\n\n")[0].splitlines()
    )
    events = tomllib.loads(table)["events"]
    assert events["per_label"].keys() == {"Bark", "Cat"}
    assert events["groups"] == {"Rooster": "Chicken"}
    (tmp_path / "taken.toml").write_text(f'[source]\nkind = "demo"\n\n{table}\n')
    taken = configure("--config", str(tmp_path / "taken.toml"))
    assert taken.events["groups"] == {"Rooster": "Chicken"}


@pytest.mark.parametrize("groups", ['"Music"', "{ Piano = 1 }", '["Piano"]'])
def test_groups_that_are_no_table_of_labels_are_one_sentence(tmp_path: Path, groups: str) -> None:
    text = f'[source]\nkind = "demo"\n[events]\ngroups = {groups}\n'
    with pytest.raises(UsageError, match="groups must be a table such as"):
        configure("--config", write(tmp_path, text))


def test_printing_says_of_a_bundle_that_is_not_there_that_its_events_cannot_be_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--print-config", "--source", "demo", "--bundle", "/no/such"]) == 0
    assert "# [events] cannot be told" in capsys.readouterr().out


def test_small_profile_gives_way_to_the_file_and_to_flags(tmp_path: Path) -> None:
    file = tmp_path / "stream.toml"
    file.write_text("[window]\ngrid_hz = 4\n")

    def window(*flags: str) -> tuple[float, int | None]:
        arguments = make_parser().parse_args(["--source", "demo", *flags])
        made = make_config(arguments).window
        return made.hop_s, made.grid_hz

    assert window() == (0.25, None)
    assert window("--profile", "full") == (0.25, None)
    assert window("--profile", "small") == (0.5, 2)
    assert window("--profile", "small", "--hop", "1") == (1.0, 2)
    assert window("--profile", "small", "--config", str(file)) == (0.5, 4)


def test_pictures_a_second_are_the_bundles_at_most() -> None:
    bundle = load_bundle("starter")

    assert grid_hz_of(bundle, None) == bundle.visual.grid_hz
    assert grid_hz_of(bundle, 16) == bundle.visual.grid_hz
    assert grid_hz_of(bundle, 2) == 2
    with pytest.raises(UsageError, match="grid_hz is one of"):
        WindowConfig(grid_hz=3)
