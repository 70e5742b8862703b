"""Bundles that may be anything: loaded whole, or one sentence; no file outside is opened."""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from fuzz.program import Findings, judge
from mafnet.load import load_head
from mafnet.model import MAFnet, MAFnetConfig
from realtime.bundle_settings import event_settings, find_bundle
from realtime.errors import RecognizerError
from weights.bundle import Bundle, BundleError, EventSpec

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(300)]

N_MANIFESTS = 500
N_HEADS = 150
LABELS = ["Bark", "Siren", "Background"]
ANSWERS = (RecognizerError, BundleError)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def head() -> bytes:
    torch.manual_seed(0)
    state = MAFnet(MAFnetConfig(visual_dim=8, n_labels=len(LABELS))).state_dict()
    return save({name: value.half() for name, value in state.items()})


def manifest(head: bytes) -> dict[str, Any]:
    return {
        "format": 1, "name": "tiny", "version": "1", "labels": LABELS, "background": "Background",
        "activation": "softmax", "temperature": 1.0, "sample_rate": 16_000,
        "visual": {"trunk": "efficientnet_lite0", "dim": 8, "file": "visual.bin",
                   "sha256": sha(b"visual")},
        "audio": {"trunk": "vggish", "file": "audio.bin", "sha256": sha(b"audio")},
        "head": {"file": "head.safetensors", "sha256": sha(head)},
        "events": {"on": 0.5, "off": 0.3, "per_label": {"Bark": {"on": 0.6, "off": 0.4}},
                   "min_duration_s": 0.5, "merge_gap_s": 0.5, "cool_down_s": 0.0,
                   "confirm": [1, 2], "context": 0.25},
        "licence": "none", "provenance": "numbers",
    }  # fmt: skip


def write(folder: Path, text: bytes, head: bytes) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "bundle.json").write_bytes(text)
    (folder / "visual.bin").write_bytes(b"visual")
    (folder / "audio.bin").write_bytes(b"audio")
    (folder / "head.safetensors").write_bytes(head)


STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 10**400, 1e308, "", " ", "x" * 5_000, [], {}, [[]], {"a": 1},
    "\x1b[2J", "../outside.bin", "/etc/passwd", "..\\outside.bin", "a/../../outside.bin", "link",
    "pipe", "folder", ".", "visual.bin/x", "C:\\x", "\u0000", "//etc/passwd", ["Bark", "Bark"],
    [1, 2],
    [0, 0], [5, 1], [1, 10**30], "softmax", 0.5, LABELS[:2], "json", "os", "..", "torch.hub",
    {"Bark": {"on": 0.1, "off": 0.9}}, {"Cat": {"on": 0.5, "off": 0.4}}, "\ud800",
)  # fmt: skip


def paths(value: Any, here: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return [here]
    return [p for key, inner in value.items() for p in [(*here, key), *paths(inner, (*here, key))]]


def damaged(whole: dict[str, Any], seed: int) -> bytes:
    rng = random.Random(seed)
    kind = seed % 4
    text = json.dumps(whole)
    if kind == 0:
        data = bytearray(text.encode())
        for _ in range(rng.choice((1, 4, 30))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)
    if kind == 1:
        return text[: rng.randrange(len(text))].encode() + rng.choice((b"", b"}", b"]]]", b"\xff"))
    copy: Any = json.loads(text)
    *parents, key = rng.choice([p for p in paths(copy) if p])
    table = copy
    for parent in parents:
        table = table[parent]
    if kind == 2:
        table[key] = rng.choice(STRANGE)
    else:
        table[rng.choice((key, "package", "file", "sha256", "more"))] = rng.choice(STRANGE)
    return json.dumps(copy).encode()


def test_damaged_manifests_load_or_are_one_sentence(tmp_path: Path, head: bytes) -> None:
    findings, whole = Findings(), manifest(head)
    folder = tmp_path / "bundle"
    write(folder, json.dumps(whole).encode(), head)
    (tmp_path / "outside.bin").write_bytes(b"visual")
    (folder / "link").symlink_to(tmp_path / "outside.bin")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")

    def load() -> int:
        bundle = find_bundle(str(folder))
        assert isinstance(event_settings(bundle, {}), EventSpec)
        for spec in (bundle.audio, bundle.head):
            assert spec.weights.resolve().is_relative_to(folder.resolve())
        return 0

    assert load() == 0
    for seed in range(N_MANIFESTS):
        data = damaged(whole, seed)
        (folder / "bundle.json").write_bytes(data)
        outcome = judge(load, folder=tmp_path, expected=ANSWERS)
        findings.add(f"seed {seed}: {data[:300]!r}", outcome)
    print(findings.codes)
    findings.conclude(at_least=N_MANIFESTS)
    assert findings.codes[0] > 5  # a changed word of the licence is no damage
    assert findings.codes[None] > N_MANIFESTS // 2


@pytest.mark.parametrize(
    "name",
    ["../outside.bin", "/etc/passwd", "a/../../outside.bin", "link", "..\\outside.bin", "pipe",
     "folder", "", ".", "missing.bin"],
)  # fmt: skip
def test_a_file_that_leads_out_of_the_bundle_is_refused(
    tmp_path: Path, head: bytes, name: str
) -> None:
    whole = manifest(head)
    whole["head"] = {"file": name, "sha256": sha(b"visual")}
    folder = tmp_path / "bundle"
    write(folder, json.dumps(whole).encode(), head)
    (tmp_path / "outside.bin").write_bytes(b"visual")
    (folder / "link").symlink_to(tmp_path / "outside.bin")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")

    outcome = judge(lambda: 0 if find_bundle(str(folder)) else 1, folder=tmp_path, expected=ANSWERS)

    assert outcome.code is None
    assert not outcome.faults


def damaged_head(head: bytes, seed: int) -> bytes:
    """Return weights that are not whole, or whole and of other names, shapes and kinds."""
    rng = random.Random(seed)
    kind = seed % 5
    if kind == 0:
        return head[: rng.randrange(len(head))]
    if kind == 1:
        data = bytearray(head)
        for _ in range(rng.choice((1, 10))):
            data[rng.randrange(min(len(data), 3_000))] = rng.randrange(256)
        return bytes(data)
    if kind == 2:
        claim = rng.choice((0, 1, 2**31, 2**63, 2**64 - 1))
        return struct.pack("<Q", claim) + head[8:]
    n_labels, dim = rng.choice(((3, 8), (2, 8), (3, 9)))
    state = MAFnet(MAFnetConfig(visual_dim=dim, n_labels=n_labels)).state_dict()
    name = rng.choice(sorted(state))
    if kind == 3:
        state[name] = rng.choice(
            (state[name].flatten()[:1].clone(), state[name].int(), state[name][..., None].clone())
        )
    else:
        state[rng.choice((name, name + "x"))] = state.pop(name).clone()
    return save({key: value.contiguous() for key, value in state.items()})


def test_damaged_weights_load_or_are_one_sentence(tmp_path: Path, head: bytes) -> None:
    findings = Findings()
    folder = tmp_path / "bundle"
    for seed in range(N_HEADS):
        data = damaged_head(head, seed)
        write(folder, json.dumps(manifest(data)).encode(), data)

        def load() -> int:
            bundle: Bundle = find_bundle(str(folder))
            load_head(bundle)
            return 0

        findings.add(f"seed {seed}", judge(load, folder=tmp_path, expected=ANSWERS))
    print(findings.codes)
    findings.conclude(at_least=N_HEADS)
    assert findings.codes[None] > N_HEADS // 2


def test_a_changed_file_is_refused_by_its_hash(tmp_path: Path, head: bytes) -> None:
    folder = tmp_path / "bundle"
    for name in ("visual.bin", "audio.bin", "head.safetensors"):
        write(folder, json.dumps(manifest(head)).encode(), head)
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(bytes(data))
        with pytest.raises(RecognizerError, match="sha256"):
            find_bundle(str(folder))
