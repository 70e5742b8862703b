from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from weights.errors import ConvertError
from weights.tf_checkpoint import TensorFlowCheckpoint

ARRAYS = {
    "dense/bias": np.arange(4, dtype=np.float32),
    "dense/kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
    "dense_1/kernel": np.ones((1, 1, 2, 2), np.float32),
    "scalar": np.float32(7).reshape(()),
}
Writer = Callable[..., Path]


@pytest.fixture
def prefix(tmp_path: Path, write_checkpoint: Writer) -> Path:
    return write_checkpoint(tmp_path / "model" / "net", ARRAYS)


@pytest.mark.parametrize("suffix", ["", ".index", ".data-00000-of-00001"])
def test_every_variable_reads_back_by_any_of_its_paths(prefix: Path, suffix: str) -> None:
    checkpoint = TensorFlowCheckpoint(prefix.with_name(prefix.name + suffix))
    assert list(checkpoint.shapes()) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(checkpoint.read(name), array)


def test_folder_reads_the_checkpoint_its_state_file_names(
    prefix: Path, write_checkpoint: Writer
) -> None:
    write_checkpoint(prefix.with_name("older"), {"old": np.zeros(1, np.float32)})
    (prefix.parent / "checkpoint").write_text('model_checkpoint_path: "/somewhere/else/net"\n')
    assert "scalar" in TensorFlowCheckpoint(prefix.parent).shapes()


def test_folder_around_the_checkpoints_folder_will_do(prefix: Path) -> None:
    assert "scalar" in TensorFlowCheckpoint(prefix.parents[1]).shapes()


def test_folder_with_two_checkpoints_asks_which(prefix: Path, write_checkpoint: Writer) -> None:
    write_checkpoint(prefix.with_name("other"), ARRAYS)
    with pytest.raises(ConvertError, match="2 checkpoints there; name one"):
        TensorFlowCheckpoint(prefix.parent)


def test_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=r"looked for net\.index"):
        TensorFlowCheckpoint(tmp_path / "net")


def test_missing_data_is_named(prefix: Path) -> None:
    prefix.with_name("net.data-00000-of-00001").unlink()
    with pytest.raises(ConvertError, match="data-00000-of-00001: cannot be read"):
        TensorFlowCheckpoint(prefix)


def test_truncated_data_is_told_before_anything_is_read(prefix: Path) -> None:
    data = prefix.with_name("net.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(ConvertError, match="truncated: scalar ends at byte"):
        TensorFlowCheckpoint(prefix)


def test_flipped_bit_in_the_data_is_told(prefix: Path) -> None:
    data = prefix.with_name("net.data-00000-of-00001")
    raw = bytearray(data.read_bytes())
    raw[20] ^= 1
    data.write_bytes(raw)
    with pytest.raises(ConvertError, match="damaged at dense/kernel"):
        TensorFlowCheckpoint(prefix).read("dense/kernel")


def test_any_damage_to_the_index_is_one_error(prefix: Path) -> None:
    index = prefix.with_name("net.index")
    whole = index.read_bytes()
    for at in range(0, len(whole) - 48, 3):  # all blocks; the footer's padding means nothing
        broken = bytearray(whole)
        broken[at] ^= 0x41
        index.write_bytes(broken)
        with pytest.raises(ConvertError):
            TensorFlowCheckpoint(prefix)


def test_index_cut_anywhere_is_one_error(prefix: Path) -> None:
    index = prefix.with_name("net.index")
    whole = index.read_bytes()
    for n_bytes in range(0, len(whole), 7):
        index.write_bytes(whole[:n_bytes])
        with pytest.raises(ConvertError, match="not an undamaged checkpoint index"):
            TensorFlowCheckpoint(prefix)


def test_other_number_types_are_refused(tmp_path: Path, write_checkpoint: Writer) -> None:
    prefix = write_checkpoint(tmp_path / "net", ARRAYS, dtype=9)
    with pytest.raises(ConvertError, match="must be float32, got type 9"):
        TensorFlowCheckpoint(prefix).read("scalar")
