"""Rules tried on a history, and a profile chosen by a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realtime.client.rules import main
from realtime.clock import ManualClock
from realtime.command_line.config_file import read_config_file
from realtime.command_line.settings import rules_config
from realtime.config import HistoryConfig
from realtime.controls import Profiles
from realtime.errors import OutputError
from realtime.outputs.history.output import History
from realtime.outputs.rules.engine import RuleEngine
from realtime.outputs.wire import Quality
from realtime.packets import Phase
from realtime.stats import Stats
from wire_samples import LABELS, make_event, make_prediction, make_stamper, make_timeline

RULES = """
[rules]
time_zone = "UTC"
chosen = "{folder}/profile"

[[rule]]
name = "sure"
confidence = 0.8
cooldown_s = 60
notify = ["ntfy://u:secret@localhost/secret"]

[[rule]]
name = "bark away"
labels = ["Bark"]
profiles = ["away"]
phase = "offset"
run = ["true"]
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, list[dict[str, Any]]]:
    """Settings, a history, and the messages that made it."""
    config = tmp_path / "rules.toml"
    config.write_text(RULES.replace("{folder}", str(tmp_path)))
    history = History(HistoryConfig(file=str(tmp_path / "events.db")), None, ManualClock(), Stats())
    history.open()
    stamper, timeline = make_stamper(), make_timeline()
    told = []
    for number, label, onset_s, confidences in (
        (1, "Siren", 10.0, (0.6, 0.9)),
        (2, "Siren", 20.0, (0.95,)),
        (3, "Bark", 90.0, (0.7,)),
        (4, "Bark", 200.0, (0.99,)),
    ):
        phases = [Phase.ONSET, *[Phase.UPDATE] * (len(confidences) - 1), Phase.OFFSET]
        for phase, confidence in zip(phases, (*confidences, confidences[-1]), strict=True):
            event = make_event(
                number,
                label=label,
                onset_s=onset_s,
                offset_s=onset_s + 5 if phase is Phase.OFFSET else None,
                phase=phase,
                confidence=confidence,
            )
            told.append(
                stamper.event("hall", timeline, event, make_prediction(), LABELS, Quality())
            )
            history.write(told[-1])
    history.tick()
    history.close()
    return config, tmp_path / "events.db", [dict(message.body) for message in told]


def tried(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert main([str(word) for word in ("try", *words)]) == 0
    return capsys.readouterr().out


def test_what_would_have_held_is_told(
    files: tuple[Path, Path, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    config, history, _ = files
    lines = tried(capsys, config, history).splitlines()
    assert lines == [
        "2026-01-02T03:04:15.000Z hall Siren 0.90  sure: notify",
        "2026-01-02T03:07:25.000Z hall Bark 0.99  sure: notify",
        "sure: 2 of 4 events",
        "bark away: 0 of 4 events",
    ]


def test_why_another_did_not_is_told_too(
    files: tuple[Path, Path, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    config, history, _ = files
    said = tried(capsys, config, history, "--why")
    assert "Siren 0.95  sure: no: it held 10 s before" in said
    assert "Bark 0.70  sure: no: confidence 0.70, it wants 0.80" in said
    assert "Bark 0.99  bark away: no: profile home, it is for away" in said
    assert "Siren 0.90  bark away: no: it is for Bark" in said
    assert "secret" not in said


def test_profile_rule_and_time_narrow_it_down(
    files: tuple[Path, Path, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    config, history, _ = files
    words = ("--rule", "bark away", "--profile", "away", "--since", "2026-01-02T03:07:00")
    told = json.loads(tried(capsys, config, history, *words, "--json"))
    assert (told["label"], told["rule"], told["held"]) == ("Bark", "bark away", True)
    assert (told["profile"], told["does"], told["confidence"]) == ("away", ["run"], 0.99)


def test_history_gives_the_answers_that_the_run_gave(
    files: tuple[Path, Path, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    config, history, bodies = files
    rules = rules_config(read_config_file(config))
    assert rules is not None
    engine = RuleEngine(rules, Profiles(rules))
    live = {(v.fact.id, v.rule.name): v.why_not for body in bodies for v in engine.take(body)}
    lines = tried(capsys, config, history, "--why", "--json").splitlines()
    again = {
        (told["id"], told["rule"]): told["why_not"] or ""
        for told in (json.loads(line) for line in lines)
    }
    assert again == live
    assert len(live) == 8


def test_chosen_profile_reaches_a_run_that_goes_on(files: tuple[Path, Path, Any]) -> None:
    config, _, _ = files
    rules = rules_config(read_config_file(config))
    assert rules is not None
    running = Profiles(rules)
    assert main(["choose", str(config), "away"]) == 0
    assert running.chosen == "auto"
    running.look()
    assert running.chosen == "away"
    assert Profiles(rules).chosen == "away"  # after a restart too
    running.choose("auto")
    assert Profiles(rules).chosen == "auto"


def test_file_with_another_word_is_one_warning(
    files: tuple[Path, Path, Any], caplog: pytest.LogCaptureFixture
) -> None:
    config, _, _ = files
    rules = rules_config(read_config_file(config))
    assert rules is not None
    assert rules.chosen is not None
    running = Profiles(rules)
    running.choose("away")
    Path(rules.chosen).write_bytes(b"\xff nowhere\x1b[2J" * 100)
    for _ in range(3):
        running.look()
    assert running.chosen == "away"
    assert caplog.text.count("there is no profile") == 1
    assert "\x1b" not in caplog.text


def test_profile_holds_when_its_file_cannot_be_written(files: tuple[Path, Path, Any]) -> None:
    config, _, _ = files
    rules = rules_config(read_config_file(config))
    assert rules is not None
    assert rules.chosen is not None
    running = Profiles(rules)
    Path(rules.chosen).mkdir()
    with pytest.raises(OutputError, match="cannot be kept"):
        running.choose("away")
    running.look()
    assert running.chosen == "away"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("choose", "rules.toml", "nowhere"), "there is no profile 'nowhere'"),
        (("try", "rules.toml", "events.db", "--rule", "x"), "there is no rule 'x'"),
        (("try", "none.toml", "events.db"), "cannot be read"),
        (("try", "empty.toml", "events.db"), "has no rules"),
        (("choose", "plain.toml", "away"), "names no file for it"),
        (("try", "rules.toml", "none.db"), "there is no history"),
    ],
)
def test_wrong_words_are_one_sentence(
    files: tuple[Path, Path, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    complaint: str,
) -> None:
    monkeypatch.chdir(files[0].parent)
    Path("empty.toml").write_text("")
    Path("plain.toml").write_text('[rules]\nprofile = "away"\n')
    assert main(words) in (1, 2)
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
