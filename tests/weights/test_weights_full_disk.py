import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from full_disk import files_in, room_for
from weights.__main__ import main
from weights.archive import unpack_checkpoint
from weights.errors import FetchError

Arrays = dict[str, NDArray[np.float32]]


def test_conversion_leaves_the_target_as_it_was_when_the_disk_is_full(
    torch_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out" / "w.safetensors"
    target.parent.mkdir()
    target.write_bytes(b"before")
    with room_for(100_000):
        code = main(["convert", str(torch_file), "--as", "vggish", "--to", str(target)])
    error = capsys.readouterr().err
    assert code == 1
    assert "cannot be written" in error
    assert len(error.splitlines()) == 1
    assert files_in(target.parent) == ["w.safetensors"]
    assert target.read_bytes() == b"before"


def test_store_holds_nothing_half_when_the_disk_is_full(
    torch_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    arguments = ["--home", str(home), "fetch", "vggish-torch", "--any-hash"]
    with room_for(100_000):
        code = main([*arguments, "--from", str(torch_file)])
    error = capsys.readouterr().err
    assert code == 1
    assert "cannot be written" in error
    assert len(error.splitlines()) == 1
    assert files_in(home) == []


def test_store_that_cannot_be_made_is_one_sentence(
    torch_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").write_text("a file where the store should be")
    arguments = ["--home", str(tmp_path / "home"), "fetch", "vggish-torch", "--any-hash"]
    assert main([*arguments, "--from", str(torch_file)]) == 1
    error = capsys.readouterr().err
    assert "cannot store vggish-torch" in error
    assert len(error.splitlines()) == 1


def test_full_disk_is_not_taken_for_a_damaged_archive(
    tmp_path: Path, write_checkpoint: Callable[..., Path]
) -> None:
    prefix = write_checkpoint(tmp_path / "in" / "net", {"a": np.zeros(50_000, np.float32)})
    with tarfile.open(tmp_path / "net.tar", "w") as archive:
        for file in sorted(prefix.parent.iterdir()):
            archive.add(file, file.name)
    (tmp_path / "out").mkdir()
    with room_for(100_000), pytest.raises(FetchError, match="cannot write"):
        unpack_checkpoint(tmp_path / "net.tar", tmp_path / "out")
