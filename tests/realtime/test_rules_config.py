"""What rules refuse, and how they are read and printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realtime.command_line.config_file import format_config
from realtime.command_line.flags import make_parser
from realtime.command_line.settings import make_config
from realtime.config import RuleConfig, RunConfig
from realtime.errors import UsageError

WHOLE = """
[rules]
profile = "home"
time_zone = "Europe/Berlin"

[[profile]]
name = "night"
times = ["23:00-06:30"]

[[rule]]
name = "glass"
labels = ["Glass shatter"]
confidence = 0.6
senses = "both"
sources = ["demo"]
times = ["22:00-06:00"]
weekdays = ["mon-fri"]
profiles = ["night", "away"]
cooldown_s = 60
per_hour = 5
text = "{label} ({confidence})"
attach = "picture"
notify = ["ntfys://tk_secret@ntfy.example/glass", "env:HALL_NTFY", "file:/etc/mafnet/ntfy"]
run = ["/usr/local/bin/light", "on", "{label}"]
post = "https://hook.example/secret"
timeout_s = 5
"""


def configure(folder: Path, text: str, *flags: str) -> RunConfig:
    file = folder / "rules.toml"
    file.write_text(text)
    return make_config(
        make_parser().parse_args(["--source", "demo", "--config", str(file), *flags])
    )


def test_rules_are_read_as_they_are_written(tmp_path: Path) -> None:
    rules = configure(tmp_path, WHOLE).rules
    assert rules is not None
    (rule,) = rules.rules
    assert (rule.name, rule.cooldown_s, rule.notify[1]) == ("glass", 60.0, "env:HALL_NTFY")
    assert rules.profile_names == ("home", "night", "away")
    assert rules.profiles[0].when.spans == ((23 * 60, 6 * 60 + 30),)


def test_no_rules_are_none(tmp_path: Path) -> None:
    assert configure(tmp_path, "").rules is None


def test_printed_settings_hold_no_address_and_are_refused_until_it_is_put_back(
    tmp_path: Path,
) -> None:
    printed = format_config(configure(tmp_path, WHOLE))
    assert "secret" not in printed
    assert "HALL_NTFY" in printed
    with pytest.raises(UsageError, match="taken out by --print-config"):
        configure(tmp_path, printed)


def test_printed_settings_read_back_when_addresses_stand_elsewhere(tmp_path: Path) -> None:
    text = WHOLE.replace('"ntfys://tk_secret@ntfy.example/glass", ', "")
    config = configure(tmp_path, text.replace("https://hook.example/secret", "env:HOOK"))
    assert configure(tmp_path, format_config(config)) == config


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "does nothing"),
        ({"name": "-x", "record": True}, "a rule's name"),
        ({"record": True, "senses": "smell"}, "senses is one of any, sound, picture, both"),
        ({"record": True, "times": ("25:00-26:00",)}, "a time is such as"),
        ({"record": True, "times": ("10:00-10:00",)}, "a time is such as"),
        ({"record": True, "weekdays": ("someday",)}, "a day is such as"),
        ({"record": True, "confidence": 1.5}, "confidence must be from 0 to 1"),
        ({"record": True, "confidence": float("nan")}, "confidence must be from 0 to 1"),
        ({"record": True, "phase": "offset"}, "what has ended cannot be recorded"),
        ({"record": True, "attach": "picture"}, "attach wants notify"),
        ({"notify": ("ntfy://h/t",), "attach": "clip"}, "a clip is there at the end"),
        ({"notify": ("ntfy",)}, "an address is such as"),
        ({"notify": ("env:",)}, "wants a name behind it"),
        ({"notify": ("ntfy://h/t",), "text": "{lable}"}, "there is no {lable}"),
        ({"post": "ftp://host/x"}, "post wants an address such as"),
        ({"post": "http://host:99999/x"}, "post wants an address such as"),
        ({"post": "http://host/\r\nX: y"}, "post wants an address such as"),
        ({"run": ("",)}, "run begins with a program"),
        ({"run": ("{label}",)}, "run begins with a program"),
        ({"run": ("echo", "{secret}")}, "there is no {secret}"),
        ({"run": ("sh", "-c", "echo {label}")}, "$MAFNET_LABEL"),
        ({"run": ("echo", "a\0b")}, "a NUL"),
    ],
)
def test_rule_that_cannot_work_is_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        RuleConfig(**{"name": "r", **settings})
    assert complaint in str(refused.value)


def test_refusal_of_an_address_does_not_repeat_it() -> None:
    with pytest.raises(UsageError) as refused:
        RuleConfig(name="r", post="htp://host/secret")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[rule]\nname = 'a'\nrecord = true", "written as [[rule]] tables"),
        ("[[rule]]\nrecord = true", "each [[rule]] wants a name"),
        ("[[rule]]\nname = 'a'\nlabel = ['x']", "there is no setting 'label'"),
        ("[[rule]]\nname = 'a'\nnotify = 'ntfy://h/t'", "notify must be a list such as"),
        ("[[rule]]\nname = 'a'\nrecord = true", "wants recordings; name their folder"),
        ("[[rule]]\nname = 'a'\nrun = ['true']\nsources = ['yard']", "source that there is not"),
        ("[[rule]]\nname = 'a'\nrun = ['true']\n" * 2, "two [[rule]] tables"),
        ("[[profile]]\nname = 'a'\n" * 2, "two [[profile]] tables"),
        ("[rules]\nrules = []", "there is no setting 'rules'"),
    ],
)
def test_file_with_a_wrong_rule_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        configure(tmp_path, text)
    assert complaint in str(refused.value)
