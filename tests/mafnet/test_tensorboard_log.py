import csv
import sys
from pathlib import Path

import pytest
from small_features import Silent, small_folder, small_set

from mafnet.__main__ import main
from mafnet.tensorboard_log import TensorBoardLog
from mafnet.train import train
from mafnet.train_config import TrainConfig


def curves(folder: Path) -> dict[str, dict[int, float]]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {
        name: {event.step: event.value for event in events.Scalars(name)}
        for name in events.Tags()["scalars"]
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of tensorboard's own reader
def test_curves_are_those_of_the_metrics_and_go_on_after_a_stop(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    sets = small_set([0, 1, 2] * 3), small_set([0, 1, 2], seed=1)
    config = TrainConfig(recipe="modern", n_epochs=3, batch_size=3)
    with pytest.raises(KeyboardInterrupt), TensorBoardLog(tmp_path / "curves", Silent(2)) as log:
        train(tmp_path, *sets, config, log)
    with TensorBoardLog(tmp_path / "curves", Silent()) as log:
        train(tmp_path, *sets, config, log, resume=True)

    found = curves(tmp_path / "curves")
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    for curve, column in (("loss/train", "train_loss"), ("lr", "lr")):
        assert sorted(found[curve]) == [0, 1, 2]
        for row in rows:
            assert found[curve][int(row["epoch"])] == pytest.approx(float(row[column]), rel=1e-6)


def test_nothing_is_written_unless_it_is_asked_for(tmp_path: Path) -> None:
    features = small_folder(tmp_path / "features")
    command = ["train", "--features", str(features), "--to", str(tmp_path / "to"), "--no-bundle"]
    assert main([*command, "--epochs", "1", "--batch-size", "2"]) == 0
    assert not list(tmp_path.rglob("events.out.*"))


def test_missing_package_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    features = small_folder(tmp_path / "features")
    command = ["train", "--features", str(features), "--to", str(tmp_path / "to"), "--no-bundle"]
    assert main([*command, "--batch-size", "2", "--tensorboard"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith("needs the package: pip install 'mafnet-live[tensorboard]'")
    assert not (tmp_path / "to").exists()
