"""No command reaches out or writes outside the store and its output unless it was asked to."""

from __future__ import annotations

from pathlib import Path

import pytest
from fresh_home import FreshHome, Visit

from fuzz.media_seeds import write as write_media


@pytest.fixture
def fresh(tmp_path: Path) -> FreshHome:
    return FreshHome(tmp_path / "machine")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_media(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=1.5)


def _assert_stayed(visit: Visit) -> None:
    assert visit.code == 0, visit.said
    assert visit.reached == []
    assert visit.outside == []


@pytest.mark.parametrize("consent", ["", "1"], ids=["fresh", "another program's consent"])
def test_openvino_reports_to_nobody_when_it_is_imported(fresh: FreshHome, consent: str) -> None:
    pytest.importorskip("openvino")
    if consent:
        (fresh.home / "intel").mkdir()
        (fresh.home / "intel" / "openvino_telemetry").write_text(consent)

    visit = fresh.run(
        "-c",
        "from extractors.openvino_graphs import import_openvino;"
        "print(import_openvino().Core().available_devices)",
    )

    _assert_stayed(visit)
    assert "CPU" in visit.said


@pytest.mark.soak
@pytest.mark.parametrize("backend", ["torch", "openvino", "auto"])
def test_run_of_a_file_stays_at_home_when_proxies_listen(
    fresh: FreshHome, clip: Path, random_bundle: Path, backend: str
) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino")
    bundle = ("--bundle", str(random_bundle), "--backend", backend)

    visit = fresh.run(
        "run_stream.py", "--source", str(clip), "--bind", "tcp://127.0.0.1:*", *bundle
    )

    _assert_stayed(visit)


@pytest.mark.soak
def test_features_tests_and_reports_stay_at_home_when_proxies_listen(
    fresh: FreshHome, clip: Path, random_bundle: Path
) -> None:
    pytest.importorskip("matplotlib")
    data = fresh.to / "labelled"
    for label in ("Bark", "Siren", "Background"):
        for split in ("train", "test"):
            (data / split / label).mkdir(parents=True)
            (data / split / label / "a.mp4").write_bytes(clip.read_bytes())
    bundle = ("--bundle", str(random_bundle))
    one, many, said = (str(fresh.to / name) for name in ("one.npz", "many", "said.npz"))
    report = str(fresh.to / "report")

    for words in (
        ("-m", "extractors", "features", str(clip), "--to", one, *bundle),
        ("-m", "mafnet", "predict", "--features", one, "--to", said, *bundle),
        (
            "-m",
            "extractors",
            "extract",
            "--folders",
            str(data),
            "--to",
            many,
            "--clips",
            "2",
            *bundle,
        ),
        ("-m", "mafnet", "test", "--features", many, "--report", report, *bundle),
    ):
        _assert_stayed(fresh.run(*words))


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "weights", "list"),
        ("run_stream.py", "--print-config"),
        ("-m", "realtime.subscribe", "--help"),
    ],
    ids=lambda words: " ".join(words),
)
def test_asking_what_there_is_stays_at_home(fresh: FreshHome, words: tuple[str, ...]) -> None:
    _assert_stayed(fresh.run(*words))
