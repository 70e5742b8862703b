"""Weights files made to do more than hold numbers: one sentence, little memory, no other file."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from weights.archive import is_archive, unpack_checkpoint
from weights.crc32c import masked_crc32c
from weights.errors import ConvertError, FetchError
from weights.foreign import open_foreign
from weights.tf_checkpoint import TensorFlowCheckpoint

MB = 1 << 20
CONV1 = "conv1/kernel"


def _keras(path: Path, make: Callable[[Any, str], None]) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"conv1"]
        group = file.create_group("conv1")
        group.attrs["weight_names"] = [b"kernel:0"]
        make(group, "kernel:0")
    return path


def _external_storage(group: Any, name: str) -> None:
    group.create_dataset(name, (9,), "f4", external=[("/etc/passwd", 0, 36)])


def _external_link(group: Any, name: str) -> None:
    group[name] = h5py.ExternalLink("/etc/hostname.h5", "/kernel")


def _soft_link(group: Any, name: str) -> None:
    group[name] = h5py.SoftLink("/elsewhere")


def _virtual(group: Any, name: str) -> None:
    layout = h5py.VirtualLayout((9,), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname.h5", "kernel", (9,))
    group.create_virtual_dataset(name, layout)


def _compressed(group: Any, name: str) -> None:
    group.create_dataset(name, (MB,), "f4", compression="gzip", data=np.zeros(MB, "f4"))


def _unwritten(group: Any, name: str) -> None:
    group.create_dataset(name, (1 << 34,), "f4")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_external_storage, "lie in another file"),
        (_external_link, "lies elsewhere"),
        (_soft_link, "lies elsewhere"),
        (_virtual, "lie in another file"),
        (_compressed, "compressed"),
        (_unwritten, "does not hold all of"),
    ],
)
def test_keras_file_that_is_more_than_numbers_is_refused(
    tmp_path: Path, make: Callable[[Any, str], None], message: str
) -> None:
    path = _keras(tmp_path / "w.h5", make)
    with pytest.raises(ConvertError, match=f"refused.*{message}"):
        open_foreign(path)


def test_one_long_name_that_is_named_often_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.attrs.create("layer_names", ["x" * MB], dtype=h5py.string_dtype())
    with pytest.raises(ConvertError, match="texts of"):
        open_foreign(path)


def test_more_names_than_a_network_has_layers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"a"] * 5_000)
    with pytest.raises(ConvertError, match="may have 2000 names"):
        open_foreign(path)


# torch ----------------------------------------------------------------------------------------


def _torch_zip(path: Path, program: bytes, storage: bytes, compression: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("w/data.pkl", program)
        archive.writestr("w/data/0", storage)
    return path


def _state_dict(size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    """A pickled ``{"conv1.weight": tensor}`` whose storage is said to have four numbers."""

    def whole(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", value) for value in values) + b"t"

    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ"
    return (
        b"\x80\x02}X\x0c\0\0\0conv1.weightctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"K"
        + bytes([offset])
        + whole(size)
        + whole(stride)
        + b"\x89ccollections\nOrderedDict\n)RtRs."
    )


def test_hand_made_torch_file_is_read(tmp_path: Path) -> None:
    storage = np.arange(4, dtype="<f4").tobytes()
    path = _torch_zip(tmp_path / "w.pth", _state_dict((2, 2), (1, 2)), storage)
    _, variables = open_foreign(path)
    np.testing.assert_array_equal(variables.read("conv1.weight"), [[0, 2], [1, 3]])


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ((1 << 33,), (0,), 0),  # expanded: one number told eight thousand million times
        ((1 << 33,), (1,), 0),  # torch would make the storage larger
        ((2, 2), (1, 1 << 38), 0),
        ((4,), (1,), 1),
        ((4,), (-1,), 3),
        ((1,) * 9, (1,) * 9, 0),
    ],
)
def test_tensor_that_is_larger_than_its_storage_is_refused(
    tmp_path: Path, size: tuple[int, ...], stride: tuple[int, ...], offset: int
) -> None:
    path = _torch_zip(tmp_path / "w.pth", _state_dict(size, stride, offset), bytes(16))
    with pytest.raises(ConvertError, match="refused"):
        open_foreign(path)


def test_compressed_storages_are_refused_without_unpacking(tmp_path: Path) -> None:
    program = _state_dict((1 << 26,), (1,))
    path = _torch_zip(tmp_path / "w.pth", program, bytes(64 * MB), zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    with pytest.raises(ConvertError, match="compressed, which torch does not do"):
        open_foreign(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MB


def test_names_in_a_file_cannot_break_the_sentence_that_quotes_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a\nb\x1b[2J", bytes(100))
    with pytest.raises(ConvertError) as caught:
        open_foreign(tmp_path / "w.pth")
    assert str(caught.value).isprintable()


def test_sparse_tensor_is_refused(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(4, 4).to_sparse()}, tmp_path / "w.pth")
    with pytest.raises(ConvertError, match=r"it names torch\._utils\._rebuild_sparse_tensor"):
        open_foreign(tmp_path / "w.pth")


@pytest.mark.parametrize("in_a_row", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64])
def test_tensors_of_both_formats_read_as_torch_reads_them(
    tmp_path: Path, in_a_row: bool, dtype: torch.dtype
) -> None:
    tensor = torch.arange(24).reshape(2, 3, 4).to(dtype)
    state = {"a": tensor, "b": tensor.permute(2, 0, 1), "c": tensor[1:, 1:], "d": tensor.sum()}
    path = tmp_path / "w.pth"
    torch.save(state, path, _use_new_zipfile_serialization=not in_a_row)
    _, variables = open_foreign(path)
    for name, expected in state.items():
        np.testing.assert_array_equal(variables.read(name), expected.float().numpy())
        assert variables.shapes()[name] == tuple(expected.shape)


def test_doubles_beyond_float32_are_infinite_without_a_warning(tmp_path: Path) -> None:
    torch.save({"a": torch.tensor([1e300], dtype=torch.float64)}, tmp_path / "w.pth")
    _, variables = open_foreign(tmp_path / "w.pth")
    assert np.isinf(variables.read("a")).all()


def test_modules_state_with_parameters_and_buffers_is_read(tmp_path: Path) -> None:
    module = torch.nn.BatchNorm2d(3)
    torch.save({"epoch": 1, "state_dict": module.state_dict()}, tmp_path / "w.pth")
    torch.save(dict(module.named_parameters()), tmp_path / "parameters.pth")
    _, variables = open_foreign(tmp_path / "w.pth")
    assert variables.shapes() == {name: tuple(t.shape) for name, t in module.state_dict().items()}
    _, parameters = open_foreign(tmp_path / "parameters.pth")
    np.testing.assert_array_equal(parameters.read("weight"), np.ones(3, np.float32))


# TensorFlow's index ---------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _index(prefix: Path, entries: bytes, n_times: int = 1) -> Path:
    """An index of one block, named ``n_times`` times, beside an empty data file."""

    def block(body: bytes) -> bytes:
        whole = body + struct.pack("<II", 0, 1) + b"\0"
        return whole + struct.pack("<I", masked_crc32c(whole))

    first = block(entries)
    handle = _varint(0) + _varint(len(first) - 5)
    handles = b"".join(
        _varint(0) + _varint(8) + _varint(len(handle)) + struct.pack(">Q", n) + handle
        for n in range(n_times)
    )
    root = block(handles)
    footer = _varint(0) + _varint(0) + _varint(len(first)) + _varint(len(root) - 5)
    raw = first + root + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    prefix.with_name(f"{prefix.name}.index").write_bytes(raw)
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").touch()
    return prefix


def _entry(shared: int, own: bytes, value: bytes = b"") -> bytes:
    return _varint(shared) + _varint(len(own)) + _varint(len(value)) + own + value


HEADER = _entry(0, b"", b"\x08\x01")


@pytest.mark.parametrize(
    ("entries", "n_times", "message"),
    [
        (HEADER + _entry(0, b"x" * 20_000) + _entry(20_000, b"y") * 60_000, 1, "more than 1000"),
        (HEADER + b"".join(_entry(0, b"%d" % n) for n in range(20_000)), 1, "more than 10000"),
        (HEADER + _entry(0, b"x" * 900) * 400, 1_000, "lie over each other"),
        (HEADER + _entry(0, b"a", b"\x12\x28" + b"\x12\x02\x08\x01" * 10), 1, "8 dimensions"),
    ],
)
def test_index_that_unpacks_to_more_than_it_is_is_refused(
    tmp_path: Path, entries: bytes, n_times: int, message: str
) -> None:
    prefix = _index(tmp_path / "net", entries, n_times)
    tracemalloc.start()
    with pytest.raises(ConvertError, match=message):
        open_foreign(prefix)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * MB


# Archives -------------------------------------------------------------------------------------


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weights.archive._MAX_BYTES", 2 * MB)


def _tar(path: Path, members: dict[str, bytes], mode: str = "w:bz2") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # mode is any text
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("name", ["net.data-00000-of-00001", "unasked"])
def test_bz2_bomb_is_refused_while_it_is_unpacked(tmp_path: Path, name: str) -> None:
    archive = _tar(tmp_path / "a.tar.bz2", {name: bytes(8 * MB), "net.index": b""})
    assert archive.stat().st_size < 10_000
    (tmp_path / "out").mkdir()
    with pytest.raises(FetchError, match="unpacks to more than"):
        unpack_checkpoint(archive, tmp_path / "out")


@pytest.mark.usefixtures("small_limit")
def test_zip_bomb_is_refused_while_it_is_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("net.data-00000-of-00001", bytes(8 * MB))
    (tmp_path / "out").mkdir()
    with pytest.raises(FetchError, match="unpacks to more than"):
        unpack_checkpoint(archive, tmp_path / "out")


def test_tar_header_that_announces_gigabytes_of_text_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("net.index")
    info.type, info.size = tarfile.XHDTYPE, 1 << 32
    (tmp_path / "a.tar.bz2").write_bytes(bz2.compress(info.tobuf() + bytes(8 * MB)))
    (tmp_path / "out").mkdir()
    tracemalloc.start()
    with pytest.raises(FetchError, match="not an undamaged archive"):
        unpack_checkpoint(tmp_path / "a.tar.bz2", tmp_path / "out")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * MB


@pytest.mark.parametrize("packed", [bz2.compress, gzip.compress, lzma.compress])
def test_asking_whether_it_is_an_archive_reads_no_more_than_a_header(
    tmp_path: Path, packed: Callable[[bytes], bytes]
) -> None:
    info = tarfile.TarInfo("net.index")
    info.type, info.size = tarfile.XHDTYPE, 1 << 32
    (tmp_path / "a.tar").write_bytes(packed(info.tobuf() + bytes(24 * MB)))
    tracemalloc.start()
    is_archive(tmp_path / "a.tar")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * MB


def test_xz_that_asks_for_gigabytes_of_memory_is_refused(tmp_path: Path) -> None:
    raw = bytearray(_tar(tmp_path / "a.tar.xz", {"net.index": b"i"}, "w:xz").read_bytes())
    n_header = 4 * (raw[12] + 1)  # of the first block, behind the stream's 12 bytes (xz 1.2, 3.1)
    raw[raw.index(b"\x21\x01", 12) + 2] = 40  # LZMA2's dictionary: 4 GiB
    raw[8 + n_header : 12 + n_header] = struct.pack("<I", zlib.crc32(raw[12 : 8 + n_header]))
    (tmp_path / "a.tar.xz").write_bytes(raw)
    (tmp_path / "out").mkdir()
    with pytest.raises(FetchError, match=r"not an undamaged archive .*[Mm]emory"):
        unpack_checkpoint(tmp_path / "a.tar.xz", tmp_path / "out")


def test_xz_of_several_streams_is_read_and_half_of_one_is_not(tmp_path: Path) -> None:
    plain = _tar(tmp_path / "a.tar", {"net.index": b"i" * 3000, "net.data-0": b"d" * 512}, "w")
    raw = plain.read_bytes()
    halves = [lzma.compress(raw[:2000]), bytes(8), lzma.compress(raw[2000:])]
    plain.write_bytes(b"".join(halves))
    (tmp_path / "out").mkdir()
    unpack_checkpoint(plain, tmp_path / "out")
    assert (tmp_path / "out" / "net.index").read_bytes() == b"i" * 3000
    plain.write_bytes(plain.read_bytes()[: -len(halves[2]) // 2])
    (tmp_path / "again").mkdir()
    with pytest.raises(FetchError, match="not an undamaged archive"):
        unpack_checkpoint(plain, tmp_path / "again")


def test_zip_packed_by_lzma_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("net.index", b"i")
    (tmp_path / "out").mkdir()
    with pytest.raises(FetchError, match="packed by method 14"):
        unpack_checkpoint(archive, tmp_path / "out")


def test_state_file_of_any_size_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"a: 1\n" * (4 * MB))
    tracemalloc.start()
    with pytest.raises(ConvertError, match="0 checkpoints there"):
        TensorFlowCheckpoint(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * MB


def test_tar_whose_member_is_larger_than_any_file_is_one_sentence(tmp_path: Path) -> None:
    info = tarfile.TarInfo("unasked")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\x80" + b"\xff" * 11  # a size of 95 bits
    header[148:156] = b" " * 8
    header[148:155] = b"%06o\0" % sum(header)
    (tmp_path / "a.tar").write_bytes(bytes(header) + bytes(2048))
    (tmp_path / "out").mkdir()
    with pytest.raises(FetchError):
        unpack_checkpoint(tmp_path / "a.tar", tmp_path / "out")


def test_damaged_deflate_is_one_sentence(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("net.index", bytes(range(256)) * 100)
    raw = bytearray(archive.read_bytes())
    raw[40:60] = b"\xff" * 20
    archive.write_bytes(raw)
    (tmp_path / "out").mkdir()
    with pytest.raises(FetchError, match="not an undamaged archive"):
        unpack_checkpoint(archive, tmp_path / "out")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_checkpoint_comes_out_of_each_kind_of_tar(tmp_path: Path, mode: str) -> None:
    archive = _tar(tmp_path / "a", {"m/net.index": b"i", "m/net.data-00000-of-00001": b"d"}, mode)
    (tmp_path / "out").mkdir()
    assert is_archive(archive)
    unpack_checkpoint(archive, tmp_path / "out")
    assert (tmp_path / "out" / "net.index").read_bytes() == b"i"
