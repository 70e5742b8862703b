"""Each kind of target on its own: what it tells, what it leaves alone, and its time limit."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import silent_server, wait_until, web_server
from rule_scene import BERLIN, Scene, at, event_body, make_rule

from realtime.errors import OutputError
from realtime.outputs.rules.command import Command
from realtime.outputs.rules.job import Job
from realtime.outputs.rules.places import addresses_of
from realtime.outputs.rules.post import Post
from realtime.outputs.rules.target import Outcome
from realtime.outputs.rules.targets import secrets_of, targets_of

WRITE = (sys.executable, "-c")
SECRET = "tk_very_secret"


def make_job(rule: Any = None, **event: Any) -> Job:
    body = event_body(**event)
    (verdict,) = Scene(rule or make_rule()).engine.take(body)
    return Job.of(verdict, body, verdict.fact.onset.astimezone(BERLIN), 0)


def test_text_is_filled_in() -> None:
    rule = make_rule(
        text="{label} at {source}, {time} {confidence} {duration}{other", phase="onset"
    )
    job = make_job(rule, onset=at("2026-11-30 23:05:07"))
    assert job.text == "Siren at hall, 23:05:07 0.90 {other"


def test_value_is_not_looked_through_for_placeholders() -> None:
    assert make_job(make_rule(text="{label}"), label="{source}").text == "{source}"


def test_value_loses_what_a_terminal_would_obey() -> None:
    assert make_job(make_rule(text="{label}"), label="a\x1b[2Jb\nc").text == "a�[2Jb�c"


def test_post_sends_the_event() -> None:
    with web_server() as server:
        answer = Post("r", f"{server.url}/hook?key=1", 5.0).tell(make_job(label="Bark"))
    assert answer.outcome is Outcome.DONE
    ((path, headers, body),) = server.asked
    assert (path, headers["Content-Type"]) == ("/hook?key=1", "application/json")
    told = json.loads(body)
    assert (told["rule"], told["profile"], told["event"]["label"]) == ("tell", "home", "Bark")


def test_post_gives_its_user_where_the_address_has_one() -> None:
    with web_server() as server:
        Post("r", f"http://hall:p%40ss@127.0.0.1:{server.port}/", 5.0).tell(make_job())
    assert server.asked[0][1]["Authorization"] == "Basic aGFsbDpwQHNz"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(204, Outcome.DONE), (404, Outcome.GIVEN_UP), (429, Outcome.AGAIN), (503, Outcome.AGAIN)],
)
def test_post_tries_again_what_may_go_better(status: int, outcome: Outcome) -> None:
    with web_server(status) as server:
        assert Post("r", server.url, 5.0).tell(make_job()).outcome is outcome


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_post_follows_no_redirect(status: int) -> None:
    with web_server() as elsewhere, web_server(status, location=elsewhere.url) as server:
        answer = Post("r", f"{server.url}/?key={SECRET}", 5.0).tell(make_job())
    assert answer.outcome is Outcome.GIVEN_UP
    assert "leads elsewhere" in answer.why
    assert elsewhere.asked == []


def test_post_asks_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as proxy, web_server() as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert Post("r", server.url, 5.0).tell(make_job()).outcome is Outcome.DONE
    assert (len(server.asked), proxy.asked) == (1, [])


@pytest.mark.parametrize("trickle", [b"", b"H"], ids=["silent", "a byte now and then"])
def test_post_ends_in_time_when_nobody_answers(trickle: bytes) -> None:
    with silent_server(trickle) as port:
        answer = Post("r", f"http://127.0.0.1:{port}/{SECRET}", 0.4).tell(make_job())
    assert answer == (Outcome.AGAIN, "no answer within 0.4 s")


def test_post_says_that_nobody_is_there() -> None:
    with silent_server() as port:
        pass
    answer = Post("r", f"http://127.0.0.1:{port}/{SECRET}", 5.0).tell(make_job())
    assert (answer.outcome, answer.why) == (Outcome.AGAIN, "Connection refused")


def test_command_gets_words_and_variables(tmp_path: Path) -> None:
    code = (
        "import json, os, sys; json.dump([sys.argv[1:], {k: v for k, v in os.environ.items() "
        f"if k.startswith('MAFNET_')}}], open({str(tmp_path / 'got')!r}, 'w'))"
    )
    command = Command("r", (*WRITE, code, "{label}", "--at={time}", "$HOME", "*"), 20.0, ())
    assert command.tell(make_job()).outcome is Outcome.DONE
    words, variables = json.loads((tmp_path / "got").read_text())
    assert words == ["Siren", "--at=12:00:00", "$HOME", "*"]
    assert variables["MAFNET_LABEL"] == "Siren"
    assert json.loads(variables["MAFNET_EVENT"])["label"] == "Siren"


@pytest.mark.parametrize(
    "name",
    [
        "--output=/etc/passwd",
        "-rf",
        "@/etc/passwd",
        "; rm -rf /",
        "$(id)",
        "`id`",
        "a\nb",
        "\0",
        "-",
    ],
)
def test_hostile_name_is_one_word_and_no_flag(tmp_path: Path, name: str) -> None:
    got = tmp_path / "got"
    code = f"import json, sys; json.dump(sys.argv[1:], open({str(got)!r}, 'w'))"
    command = Command("r", (*WRITE, code, "{label}", "{source}", "x {label}"), 20.0, ())
    assert command.tell(make_job(label=name, source=name)).outcome is Outcome.DONE
    words = json.loads(got.read_text())
    assert len(words) == 3
    assert all(not word or word[0].isalnum() for word in words)
    assert all(word.isprintable() for word in words)


@given(st.text(max_size=50), st.text(max_size=50))
def test_no_word_that_begins_with_a_value_can_be_a_flag(label: str, source: str) -> None:
    words = make_job(label=label, source=source).arguments(
        ("p", "{label}", "{source}{label}", "-x")
    )
    assert words[0] == "p"
    assert words[3] == "-x"
    assert all(not word or word[0].isalnum() for word in words[1:3])
    assert all("\0" not in word for word in words)


def test_command_gets_none_of_the_programs_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAFNET_MQTT_PASSWORD", SECRET)
    monkeypatch.setenv("HALL_NTFY", SECRET)
    got = tmp_path / "got"
    rule = make_rule(
        run=(*WRITE, f"import os; open({str(got)!r}, 'w').write(str(dict(os.environ)))"),
        post="env:HALL_NTFY",
    )
    Command("r", rule.run, 20.0, secrets_of([rule])).tell(make_job())
    assert SECRET not in got.read_text()


def test_command_says_how_it_ended() -> None:
    answers = [
        Command("r", (*WRITE, code), 20.0, ()).tell(make_job())
        for code in ("raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)")
    ]
    assert [answer.why for answer in answers] == [
        "it ended with exit code 3",
        "it was ended by signal 9",
    ]
    assert {answer.outcome for answer in answers} == {Outcome.GIVEN_UP}


def test_command_and_its_children_end_at_the_limit(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "os.fork()\n"
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        "time.sleep(600)\n"
    )
    # Long enough for a loaded machine to start both.
    answer = Command("r", (*WRITE, code), 5.0, ()).tell(make_job())
    assert answer.why == "it took longer than 5 s and was ended"
    written = [int(pid) for pid in pids.read_text().split()]
    assert len(written) == 2
    wait_until(lambda: not any(_runs(pid) for pid in written))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" not in status.read_text()


def test_command_that_is_not_there_is_refused_before_the_run() -> None:
    with pytest.raises(OutputError, match="no such program"):
        Command("r", ("/no/such/program",), 1.0, ())


def test_addresses_come_from_a_variable_or_a_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "places"
    file.write_text(f"# phones\nntfy://h/{SECRET}\n\n  ntfy://h/two  \n")
    file.chmod(0o600)
    assert addresses_of(f"file:{file}", "r") == [f"ntfy://h/{SECRET}", "ntfy://h/two"]
    assert addresses_of("env:HALL", "r", {"HALL": "ntfy://h/three"}) == ["ntfy://h/three"]
    assert addresses_of("ntfy://h/four", "r") == ["ntfy://h/four"]
    assert caplog.text == ""
    file.chmod(0o644)
    addresses_of(f"file:{file}", "r")
    assert "can be read by others" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("content", [None, "", "# none\n", b"\xff\xfe"])
def test_place_without_an_address_is_refused(tmp_path: Path, content: str | bytes | None) -> None:
    file = tmp_path / "places"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(0o600)
    with pytest.raises(OutputError, match="rule 'r': file:"):
        addresses_of(f"file:{file}", "r")
    with pytest.raises(OutputError, match="rule 'r': env:NOT_SET: the variable is not set"):
        addresses_of("env:NOT_SET", "r", {})


class TestApprise:
    @pytest.fixture(autouse=True)
    def _library(self) -> None:
        pytest.importorskip("apprise")

    def test_ntfy_is_told_with_the_picture(self) -> None:
        with web_server() as server:
            (target,) = targets_of(
                make_rule(run=(), notify=(f"ntfy://127.0.0.1:{server.port}/hall",)), ()
            )
            job = make_job()
            job.picture = b"\xff\xd8jpeg"
            assert target.tell(job).outcome is Outcome.DONE
        ((path, _, body),) = server.asked
        assert path.startswith("/hall?")
        assert "filename=picture.jpg" in path
        assert body == b"\xff\xd8jpeg"

    def test_mail_is_sent_with_the_clip(self, tmp_path: Path) -> None:
        controller = pytest.importorskip("aiosmtpd.controller")
        mails: list[bytes] = []

        class Inbox:
            async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802
                mails.append(envelope.content)
                return "250 OK"

        clip = tmp_path / "a?b=%41.mp4"
        clip.write_bytes(b"clip" * 100)
        server = controller.Controller(Inbox(), hostname="127.0.0.1", port=0)
        server.port = _free_port()
        server.start()
        try:
            address = (
                f"mailto://127.0.0.1:{server.port}/?from=hall@example.org&to=me@example.org"
                "&mode=insecure"
            )
            (target,) = targets_of(make_rule(run=(), notify=(address,)), ())
            job = make_job()
            job.clip = clip
            answer = target.tell(job)
        finally:
            server.stop()
        assert answer.outcome is Outcome.DONE, answer
        (mail,) = mails
        assert b"Siren at hall" in mail
        assert b"mp4" in mail

    def test_service_that_is_not_there_is_told_without_its_address(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with silent_server() as port:
            pass
        (target,) = targets_of(
            make_rule(run=(), notify=(f"ntfy://u:{SECRET}@127.0.0.1:{port}/{SECRET}",)), ()
        )
        answer = target.tell(make_job())
        assert (answer.outcome, answer.why) == (Outcome.AGAIN, "it was not taken")
        assert SECRET not in caplog.text + target.name

    def test_service_that_redirects_is_not_followed(self) -> None:
        with web_server() as elsewhere, web_server(302, location=elsewhere.url) as server:
            (target,) = targets_of(
                make_rule(run=(), notify=(f"json://127.0.0.1:{server.port}/x",)), ()
            )
            assert target.tell(make_job()).outcome is Outcome.AGAIN
        assert elsewhere.asked == []

    def test_service_that_hangs_is_left_in_time(self) -> None:
        with silent_server() as port:
            rule = make_rule(run=(), notify=(f"ntfy://127.0.0.1:{port}/x",), timeout_s=0.3)
            (target,) = targets_of(rule, ())
            assert target.tell(make_job()).outcome is Outcome.AGAIN

    def test_address_that_no_service_has_is_refused_without_it(self) -> None:
        with pytest.raises(OutputError, match="does not know the address") as refused:
            targets_of(make_rule(run=(), notify=(f"nosuch://{SECRET}",)), ())
        assert SECRET not in str(refused.value)


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
