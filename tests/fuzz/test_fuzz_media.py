"""Files that may be anything through the whole program, its recognition alone stood in for."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.media_seeds import damaged, whole_files
from fuzz.program import Findings, Outcome, judge
from quick_recognition import use_quick_recognition
from realtime.command_line.main import main

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(600)]

N_BATCHES = 12
N_OF_BATCH = 100


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_recognition(monkeypatch)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return whole_files(tmp_path_factory.mktemp("media"))


def run(file: Path, *flags: str) -> Outcome:
    words = ["--source", str(file), "--no-publish", "--log-json", *flags]
    return judge(lambda: main(words), folder=file.parent)


def test_strange_but_whole_files_either_work_or_are_one_sentence(files: list[Path]) -> None:
    findings = Findings()
    for file in files:
        outcome = run(file)
        findings.add(file.name, outcome)
        print(file.name, outcome.code, outcome.sentence)
    findings.conclude(at_least=50)
    assert findings.codes[0] >= 30  # most are read
    assert findings.codes[1] >= 8  # and some cannot be


def test_strange_files_are_recorded_into_their_folder_alone(
    files: list[Path], tmp_path: Path
) -> None:
    findings = Findings()
    for file in files:
        copy = tmp_path / file.name
        copy.write_bytes(file.read_bytes())
        findings.add(
            file.name, run(copy, "--record", str(tmp_path / "out"), "--on", "0.05", "--off", "0.01")
        )
    findings.conclude(at_least=50)


@pytest.mark.parametrize("batch", range(N_BATCHES))
def test_damaged_files_either_work_or_are_one_sentence(
    files: list[Path], tmp_path: Path, batch: int
) -> None:
    findings = Findings()
    small = [f for f in files if 0 < f.stat().st_size < 200_000 and "4k" not in f.name]
    for seed in range(batch * N_OF_BATCH, (batch + 1) * N_OF_BATCH):
        origin = small[(seed * 7) % len(small)]
        how, data = damaged(origin.read_bytes(), seed)
        file = tmp_path / f"{how}-{seed}{origin.suffix}"
        file.write_bytes(data)
        findings.add(file.name, run(file))
        file.unlink()
    print(findings.codes)
    findings.conclude(at_least=N_OF_BATCH)
