"""Training by several processes beside one: gloo over loopback, on tiny features."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_features import Silent, small_set, write_small

from mafnet.__main__ import main
from mafnet.compute import Compute
from mafnet.errors import MafnetError, RunError
from mafnet.feature_set import load_feature_set
from mafnet.load import load_model
from mafnet.processes import Processes
from mafnet.torchrun import among_processes
from mafnet.train import train
from mafnet.train_config import TrainConfig

_ROOT = Path(__file__).parents[2]
# float32 sums are taken in another order, and Adam makes whole steps of gradients that are nothing
# but rounding: so a few weights part, and what the network says does not.
_MOST_APART = 1e-3  # logits; with one thread and with two a process parts from itself by 3e-4
_FEW = 2e-3  # of the weights are more than 2e-5 apart: biases before a batch norm, above all


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Odd counts, and senses that are missing here and there: no two shares are alike."""
    sets = {
        split: small_set([row % 3 for row in range(n)], seed)
        for seed, (split, n) in enumerate({"train": 23, "val": 21}.items())
    }
    folder = write_small(tmp_path / "features", sets)
    present = np.ones((23, 1, 2), np.bool_)
    present[:9, :, 0] = False
    np.save(folder / "train_present.npy", present)
    return folder


def _command(features: Path, to: Path, *more: str) -> list[str]:
    command = ["train", "--features", str(features), "--to", str(to), "--no-bundle"]
    return [*command, "--batch-size", "5", *more]


def _by_processes(n: int, command: list[str]) -> list[subprocess.CompletedProcess[str]]:
    """Run a command as torchrun does, without torchrun's own half a minute."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1",
              "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(n)}  # fmt: skip
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "mafnet", *command],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(n)
    ]
    done = []
    for process in running:
        out, err = process.communicate(timeout=240)
        done.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
    return done


def _check_same(one: Path, other: Path, features: Path) -> None:
    files = [to / "run" / "best.safetensors" for to in (one, other)]
    rows = load_feature_set(features, "val").batch(np.arange(21))
    with torch.inference_mode():
        said = [load_model(file)(rows.visual, rows.audio, rows.present).logits for file in files]
    torch.testing.assert_close(said[0], said[1], atol=_MOST_APART, rtol=0)
    first, second = map(load_file, files)
    apart = torch.cat([(first[name] - second[name]).abs().flatten() for name in first])
    assert float((apart > 2e-5).float().mean()) < _FEW


@pytest.mark.parametrize("recipe", ["modern", pytest.param("authors", marks=pytest.mark.soak)])
def test_two_processes_train_what_one_does(recipe: str, features: Path, tmp_path: Path) -> None:
    flags = ["--recipe", recipe, "--epochs", "2"]

    assert main(_command(features, tmp_path / "one", *flags)) == 0
    first, second = _by_processes(2, _command(features, tmp_path / "two", *flags))

    assert first.returncode == 0, first.stderr
    assert second.returncode == 0, second.stderr
    assert second.stdout == ""  # the first alone tells
    assert "2 epochs" in first.stdout
    _check_same(tmp_path / "one", tmp_path / "two", features)
    rows = [(tmp_path / to / "run" / "metrics.csv").read_text() for to in ("one", "two")]
    for one, two in zip(*(text.splitlines()[1:] for text in rows), strict=True):
        ours, theirs = one.split(","), two.split(",")
        assert ours[2] == theirs[2]  # training accuracy
        assert float(ours[1]) == pytest.approx(float(theirs[1]), abs=1e-4)


@pytest.mark.soak
def test_run_goes_on_with_another_number_of_processes(features: Path, tmp_path: Path) -> None:
    flags = ["--recipe", "authors"]
    assert main(_command(features, tmp_path / "one", *flags, "--epochs", "3")) == 0

    assert main(_command(features, tmp_path / "two", *flags, "--epochs", "1")) == 0
    for n, epochs in ((2, "2"), (3, "3")):
        more = ["--epochs", epochs, "--resume"]
        done = _by_processes(n, _command(features, tmp_path / "two", *flags, *more))
        assert [each.returncode for each in done] == [0] * n, done[0].stderr

    _check_same(tmp_path / "one", tmp_path / "two", features)


@pytest.mark.soak
def test_torchrun_starts_the_command(features: Path, tmp_path: Path) -> None:
    command = _command(features, tmp_path / "to", "--epochs", "1")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

    done = subprocess.run(
        [sys.executable, *torchrun, "-m", "mafnet", *command],
        env={**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("1 epochs; the weights are epoch 1's") == 1


def test_more_processes_than_a_batch_has_videos_are_refused(features: Path, tmp_path: Path) -> None:
    sets = (load_feature_set(features, split) for split in ("train", "val"))
    compute = Compute(processes=Processes(rank=1, n=3))

    with pytest.raises(RunError, match="3 processes share batches of 2: start fewer, or give"):
        train(tmp_path / "run", *sets, TrainConfig(batch_size=2), Silent(), compute=compute)


def test_all_but_the_first_process_say_which_they_are() -> None:
    told = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}
    compute = replace(Compute(), device=torch.device("mps"))

    with (
        pytest.raises(MafnetError, match=r"^process 1 of 2: several processes train on"),
        among_processes(compute, "auto", told),
    ):
        pass


def test_shares_are_all_of_a_batch_and_weigh_one_together() -> None:
    processes = [Processes(rank=rank, n=3) for rank in range(3)]

    rows = [list(range(32))[each.share(32)] for each in processes]

    assert [row for share in rows for row in share] == list(range(32))
    assert {len(each) for each in rows} == {10, 11}
    assert sum(each.weight(32) for each in processes) == pytest.approx(3)
    assert Processes().weight(7) == 1.0


def test_other_commands_refuse_torchrun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], features: Path
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    code = main(["test", "--features", str(features), "--bundle", "starter"])

    assert code == 1
    assert "test runs in one process: torchrun is for train alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "named", "n_here", "said"),
    [
        ("mps", "auto", "2", "not on mps"),
        ("cuda", "cuda:0", "2", "one GPU for 2 processes"),
        ("cuda", "cuda", "4096", "4096 processes want a GPU each"),
    ],
)
def test_devices_that_cannot_be_shared_are_refused(
    kind: str, named: str, n_here: str, said: str
) -> None:
    told = {"WORLD_SIZE": n_here, "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": n_here}
    compute = replace(Compute(), device=torch.device(kind))

    with pytest.raises(MafnetError, match=said), among_processes(compute, named, told):
        pass
