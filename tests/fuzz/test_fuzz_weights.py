"""Feature pickles and foreign weights that may be anything: read, or one sentence.

`FUZZ_S` sets how long each test draws (`fuzz.budget`).
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import pickle
import random
import signal
import tarfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from fuzz.budget import TIMEOUT_S, Budget, damaged, spliced
from mafnet.array_pickle import read_array_pickle
from mafnet.errors import FeaturesError
from tf_checkpoints import write_checkpoint
from weights import keras_reader
from weights.archive import is_archive, unpack_checkpoint
from weights.errors import WeightsError
from weights.foreign import open_foreign

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(TIMEOUT_S)]
MAX_MB = 256  # of growth, whatever the input; the seeds have some kilobytes

Answer = type[Exception]


def _one_sentence(error: Exception) -> None:
    assert str(error)
    assert "\n" not in str(error)


def _draw(budget: Budget, seeds: list[bytes]) -> Iterator[tuple[bytes, random.Random]]:
    for random_source in budget:
        one = random_source.choice(seeds)
        if random_source.random() < 0.2:
            one = spliced(one, random_source.choice(seeds), random_source)
        yield (damaged(one, random_source) if random_source.random() < 0.95 else one), random_source


def _pickles() -> list[bytes]:
    arrays = [np.ones((2, 3), kind) for kind in ("<f4", ">f8", "i2", "?")]
    arrays += [np.zeros(0, "f4"), np.asfortranarray(np.ones((3, 4), "f4")), np.ones((2,) * 5)]
    seeds = [pickle.dumps(array, protocol) for array in arrays for protocol in range(6)]
    return [*seeds, pickle.dumps({"a": [1, (2, "b")]}), pickle.dumps(np.dtype("f4"))]


def test_feature_pickles(tmp_path: Path) -> None:
    budget, path = Budget("feature pickles"), tmp_path / "a.p"
    n_read = 0
    for content, _ in _draw(budget, _pickles()):
        path.write_bytes(content)
        try:
            array = read_array_pickle(path)
            array.tobytes()
            assert array.nbytes <= len(content)
            n_read += 1
        except FeaturesError as error:
            _one_sentence(error)
    assert 0 < n_read < budget.n_inputs
    assert budget.grown_mb < MAX_MB


def _torch_files() -> list[bytes]:
    state = {"conv1.weight": torch.ones(2, 3), "n": torch.tensor(3), "b": torch.ones(3).half()}
    seeds = []
    for content in (state, {"state_dict": state}, torch.nn.BatchNorm1d(3).state_dict()):
        for as_zip in (True, False):
            buffer = io.BytesIO()
            torch.save(content, buffer, _use_new_zipfile_serialization=as_zip)
            seeds.append(buffer.getvalue())
    return seeds


def _keras_files(folder: Path) -> list[bytes]:
    seeds = []
    for kind in ("fixed", "variable"):
        path = folder / f"{kind}.h5"
        with h5py.File(path, "w") as file:
            names = [b"conv1", b"conv2"]
            file.attrs["layer_names"] = np.array(names) if kind == "fixed" else names
            for layer in names:
                group = file.create_group(layer)
                group.attrs["weight_names"] = [b"kernel:0"]
                group.create_dataset("kernel:0", data=np.ones((3, 3, 1, 4), np.float32))
        seeds.append(path.read_bytes())
    return seeds


@pytest.mark.parametrize("kind", ["torch", "keras"])
def test_single_files_of_weights(tmp_path: Path, kind: str) -> None:
    seeds = _torch_files() if kind == "torch" else _keras_files(tmp_path)
    budget, path = Budget(f"{kind} files"), tmp_path / "w.bin"
    n_read = 0
    for content, _ in _draw(budget, seeds):
        path.write_bytes(content)
        try:
            _, variables = open_foreign(path)
            for name in variables.shapes():
                assert variables.read(name).nbytes <= 4 * len(content)
            n_read += 1
        except WeightsError as error:
            _one_sentence(error)
    assert 0 < n_read < budget.n_inputs
    assert budget.grown_mb < MAX_MB


def _in_a_fork(path: Path, to: Path) -> int:
    """Read as the reader's own process does, without the half second that starting one takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
        child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a loop in C runs no handler of Python's
        signal.alarm(60)
        os._exit(keras_reader.main(path, to))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_the_reader_of_keras_files(tmp_path: Path) -> None:
    budget, path, to = Budget("keras reader"), tmp_path / "w.h5", tmp_path / "out"
    seeds = _keras_files(tmp_path)
    codes: Counter[int] = Counter()
    for content, _ in _draw(budget, seeds):
        path.write_bytes(content)
        codes[_in_a_fork(path, to)] += 1
    print(f"keras reader: exit codes {dict(codes)}")
    assert codes[-signal.SIGALRM] <= budget.n_inputs / 100  # `weights.keras_file` ends them too
    assert codes[0]
    assert codes[1]


def test_checkpoint_indexes(tmp_path: Path) -> None:
    arrays = {f"layer{n}/kernel": np.ones((2, n + 1), np.float32) for n in range(20)}
    prefix = write_checkpoint(tmp_path / "net", arrays)
    index = prefix.with_name("net.index")
    data = prefix.with_name("net.data-00000-of-00001")
    seeds, whole = [index.read_bytes()], data.read_bytes()
    budget, n_read = Budget("checkpoint indexes"), 0
    for content, random_source in _draw(budget, seeds):
        index.write_bytes(content)
        data.write_bytes(whole if random_source.random() < 0.8 else damaged(whole, random_source))
        try:
            _, variables = open_foreign(prefix)
            for name in variables.shapes():
                assert variables.read(name).nbytes <= len(whole)
            n_read += 1
        except WeightsError as error:
            _one_sentence(error)
    assert 0 < n_read < budget.n_inputs
    assert budget.grown_mb < MAX_MB


def _archives(prefix: Path) -> list[bytes]:
    files = sorted(prefix.parent.glob("net.*"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            archive.add(file, f"{'deep/' * 30}{file.name}")
    plain = buffer.getvalue()
    packers: list[Callable[[bytes], bytes]] = [gzip.compress, bz2.compress, lzma.compress]
    seeds = [plain, *(pack(plain) for pack in packers)]
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as zipped:
            for file in files:
                zipped.write(file, f"model/{file.name}")
        seeds.append(buffer.getvalue())
    return seeds


def test_archives(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    arrays = {"a": np.ones(1000, np.float32), "b": np.ones((2, 2), np.float32)}
    seeds = _archives(write_checkpoint(tmp_path / "in" / "net", arrays))
    budget, path, out = Budget("archives"), tmp_path / "archive", tmp_path / "out"
    out.mkdir()
    n_read = 0
    for content, _ in _draw(budget, seeds):
        path.write_bytes(content)
        if is_archive(path):
            try:
                unpack_checkpoint(path, out)
                n_read += 1
            except WeightsError as error:
                _one_sentence(error)
        for file in out.iterdir():
            with contextlib.suppress(OSError):
                file.unlink()
        assert sorted(p.name for p in tmp_path.iterdir()) == ["archive", "in", "out"]
    assert 0 < n_read < budget.n_inputs
    assert budget.grown_mb < MAX_MB
