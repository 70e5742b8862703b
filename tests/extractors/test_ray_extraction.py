"""Extraction on a real Ray, started on this machine for each test: some 20 s each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from extractor_fakes import MakeVideo

pytestmark = pytest.mark.soak
pytest.importorskip("ray")
_ROOT = Path(__file__).parents[2]
# Trunks that end the process on what is nearly white; each process counts what it computes.
_DEADLY = """
import os, sys
from pathlib import Path
from extractor_fakes import FakePictureEncoder, FakeSoundEncoder
from extractors.datasets import DataSet, read_folders
from extractors.encoders import Encoders
from extractors.extract import ExtractConfig, extract
from extractors.on_ray import RayRunner
from weights.dependencies import restrain

class Picture(FakePictureEncoder):
    def encode(self, frames):
        if frames.mean() > 200:
            os._exit(1)
        return super().encode(frames)

class Choice:
    device = "cpu"
    def load(self):
        return Encoders(picture=Picture(), sound=FakeSoundEncoder())

restrain(Path(sys.argv[2]))
data = read_folders(Path(sys.argv[1]))
with RayRunner("local", Choice(), n_threads=2, n_actors=1) as runner:
    config = ExtractConfig(n_clips=1)
    extract(data, Choice().load(), Path(sys.argv[2]), config, lambda *_: None, runner)
"""


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    paths = [str(_ROOT), str(_ROOT / "tests" / "extractors")]
    return subprocess.run(
        [sys.executable, *command],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def test_cluster_makes_the_store_of_the_plain_command(
    make_video: MakeVideo, tmp_path: Path
) -> None:
    for k in range(6):
        make_video(f"set/{'bark' if k % 2 else 'cat'}/{k}.mkv", n_frames=16)
    (tmp_path / "set" / "bark" / "broken.mp4").write_bytes(b"nothing")
    command = ["-m", "extractors", "extract", "--folders", str(tmp_path / "set"), "--clips", "1"]
    backend = ["--backend", "torch", "--device", "cpu"]

    plain = _run(*command, *backend, "--to", str(tmp_path / "plain"))
    by_ray = _run(
        *command, *backend, "--to", str(tmp_path / "by-ray"), "--ray", "local", "--workers", "1"
    )

    assert plain.returncode == 0, plain.stderr
    assert by_ray.returncode == 0, by_ray.stderr
    assert "broken.mp4" in by_ray.stderr
    files = sorted(path.name for path in (tmp_path / "plain").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "by-ray").iterdir())
    for name in files:
        one, other = tmp_path / "plain" / name, tmp_path / "by-ray" / name
        if one.suffix == ".npy":  # an actor's torch has one thread, the plain command's all
            np.testing.assert_allclose(np.load(one), np.load(other), atol=1e-5, err_msg=name)
        else:
            assert one.read_bytes() == other.read_bytes(), name


def test_file_that_ends_actors_is_left_out_and_the_others_are_there(
    make_video: MakeVideo, tmp_path: Path
) -> None:
    for k in range(8):
        make_video(f"set/bark/{k}.mkv", n_frames=16)
    make_video("set/bark/deadly.mkv", n_frames=25, rate=25)  # its last frames are bright
    program = tmp_path / "deadly.py"
    program.write_text(_DEADLY.replace("> 200", "> 100"))

    done = _run(str(program), str(tmp_path / "set"), str(tmp_path / "to"))

    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "to" / "features.json").read_text())
    (left_out,) = manifest["left_out"]
    assert "ended the process that decoded it, 2 times" in left_out["reason"]
    assert sum(manifest["n_windows"].values()) == 8


def test_cluster_that_is_not_there_is_one_sentence(make_video: MakeVideo, tmp_path: Path) -> None:
    make_video("set/bark/a.mkv")

    done = _run(
        "-m", "extractors", "extract", "--folders", str(tmp_path / "set"),
        "--to", str(tmp_path / "to"), "--ray", "127.0.0.1:1",
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "error: cannot join the Ray cluster at 127.0.0.1:1 ("
    )
