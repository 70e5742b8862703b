"""Teaching from the page: what may be asked, what the process is told, what the page is told."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from realtime.swap_state import SwapState
from realtime.web.passwords import PasswordHash
from realtime.web.teacher import Teacher
from web_site import Site, visit

ECHO = """
import json, sys
print(json.dumps({"step": "listening", "done": 1, "of": 3}), flush=True)
print(json.dumps({"taught": "starter 8+taught.1", "text": sys.argv[1:]}), flush=True)
"""
FAULT = "import sys; print('noise', file=sys.stderr); sys.exit('error: nothing was learned: few')"
WAIT = "import sys; sys.stdin.close(); import time; time.sleep(600)"


class Taught:
    """A teacher whose command is a script, and what the run was asked to take."""

    def __init__(self, folder: Path, script: str, bundle: str = "starter") -> None:
        self.taken: list[str] = []
        self.teacher = Teacher(
            folder / "history.db",
            folder,
            bundle,
            state=lambda: SwapState(bundle="starter 8"),
            take=self.taken.append,
            words=[sys.executable, "-c", script],
        )

    def ended(self) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while (told := self.teacher.told())["step"] is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        return dict(told)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAFNET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_run_takes_the_bundle_when_teaching_ended_well(tmp_path: Path, home: Path) -> None:
    taught = Taught(tmp_path, ECHO)

    assert taught.teacher.begin("-Kettle; rm", ["a", "--undo"])

    told = taught.ended()
    assert told["fault"] == ""
    assert told["result"]["text"] == [
        f"--from-history={tmp_path / 'history.db'}",
        f"--recordings={tmp_path}",
        "--bundle=starter",
        "--label=-Kettle; rm",
        "--event=a",
        "--event=--undo",
        f"--to={home / 'taught'}",
        "--json",
    ]
    assert taught.taken == [str(home / "taught")]


def test_page_is_told_the_sentence_and_the_run_keeps_its_bundle_when_nothing_was_learned(
    tmp_path: Path,
) -> None:
    taught = Taught(tmp_path, FAULT)

    assert taught.teacher.begin(None, [])

    assert taught.ended()["fault"] == "nothing was learned: few"
    assert taught.taken == []


def test_only_one_is_taught_at_a_time_and_the_end_of_the_page_ends_it(tmp_path: Path) -> None:
    taught = Taught(tmp_path, WAIT)

    assert taught.teacher.begin(None, [])
    assert not taught.teacher.begin(None, [])
    assert not taught.teacher.undo()
    taught.teacher.close()

    assert taught.ended()["fault"]
    assert taught.taken == []
    assert not taught.teacher.begin(None, [])


def test_folder_that_was_taught_into_is_taught_further(tmp_path: Path) -> None:
    (tmp_path / "mine" / "before").mkdir(parents=True)
    taught = Taught(tmp_path, ECHO, bundle=str(tmp_path / "mine"))

    assert taught.teacher.undo()

    words = taught.ended()["result"]["text"]
    assert words == ["--undo", f"--to={tmp_path / 'mine'}", "--json"]


@pytest.mark.parametrize(
    "body",
    [
        {"label": "Kettle"},
        {"events": ["a", "b", "c"]},
        {"label": "", "events": ["a"]},
        {"label": "a\nb", "events": ["a"]},
        {"label": "x" * 201, "events": ["a"]},
        {"label": 7, "events": ["a"]},
        {"label": "Kettle", "events": "abc"},
        {"label": "Kettle", "events": [1]},
        {"label": "Kettle", "events": ["a"] * 41},
        {"label": "Kettle", "events": ["a"], "to": "/etc"},
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_started(
    site: Site, tmp_path: Path, body: dict[str, object]
) -> None:
    taught = Taught(tmp_path, ECHO)
    visitor = visit(site.app(teacher=taught.teacher))
    answered = visitor.post("/api/teaching", json=body)

    assert answered.status_code == 400
    assert visitor.get("/api/teaching").json()["step"] is None
    assert visitor.get("/api/teaching").json()["result"] is None


def test_page_teaches_and_says_how_it_goes(site: Site, tmp_path: Path) -> None:
    taught = Taught(tmp_path, ECHO)
    visitor = visit(site.app(teacher=taught.teacher))
    assert visitor.post("/api/teaching", json={}).status_code == 202
    taught.ended()
    told = visitor.get("/api/teaching").json()

    assert told["result"]["taught"] == "starter 8+taught.1"
    assert (told["bundle"], told["undo"], told["not_taken"]) == ("starter 8", 0, "")


def test_nobody_teaches_without_the_password_or_from_another_site(
    site: Site, tmp_path: Path
) -> None:
    taught = Taught(tmp_path, ECHO)
    password = PasswordHash.of("open sesame 123")
    visitor = visit(site.app(teacher=taught.teacher, password=password))
    assert visitor.get("/api/teaching").status_code == 401
    assert visitor.post("/api/teaching", json={}).status_code == 401
    assert visitor.delete("/api/teaching").status_code == 401
    visitor = visit(site.app(teacher=taught.teacher))
    form = visitor.post("/api/teaching", data={"label": "x"})
    headers = {"sec-fetch-site": "cross-site"}
    assert form.status_code == 415
    assert visitor.post("/api/teaching", json={}, headers=headers).status_code == 403
    assert visitor.delete("/api/teaching", headers=headers).status_code == 403

    assert taught.teacher.told()["step"] is None
    assert taught.teacher.told()["result"] is None


def test_there_is_nothing_to_teach_from_without_a_history(site: Site) -> None:
    visitor = visit(site.app())
    assert visitor.get("/api/teaching").status_code == 404
