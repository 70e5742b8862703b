"""Config files that may be anything: settings in force, or one sentence and exit code 2."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.program import Findings, Outcome, judge
from realtime.command_line.main import main

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(300)]

N_DAMAGED = 500
WHOLE = """
bundle = "starter"
device = "auto"
duration_s = 30.0
metrics = "127.0.0.1:9464"
[source]
name = "front-door"
kind = "live"
camera = 0
microphone = "default"
hold_s = 0.5
[window]
hop_s = 0.25
n_clips = 10
[publisher]
bind = "tcp://127.0.0.1:5556"
send_hwm = 1000
heartbeat_s = 1.0
[record]
directory = "events"
labels = ["Bark", "Siren"]
max_fps = 30.0
[web]
bind = "127.0.0.1:8080"
hosts = ["cam.example"]
[rules]
profile = "home"
time_zone = "Europe/Berlin"
chosen = "profile"
[[profile]]
name = "night"
times = ["22:00-06:00"]
[[rule]]
name = "bark"
labels = ["Bark"]
weekdays = ["mon-fri"]
per_hour = 5
cooldown_s = 60.0
notify = ["env:HALL"]
run = ["echo", "{label}"]
post = "http://127.0.0.1:1/x"
[events]
merge_gap_s = 1.0
confirm_n = 1
[events.per_label]
"Bark" = { on = 0.6, off = 0.4 }
"""
NAMES = (
    "bundle", "device", "source", "window", "publisher", "record", "events", "per_label", "hop_s",
    "n_clips", "bind", "directory", "labels", "on", "off", "name", "kind", "camera", "microphone",
    "media", "pace", "hold_s", "patience_s", "loop", "duration_s", "log_format", "metrics", "curve",
    "insecure", "dashboard", "heartbeat_s", "capacity", "confirm_m", "window_weight", "max_height",
    "web", "password_file", "hosts", "rules", "rule", "profile", "times", "weekdays", "notify",
    "run", "post", "per_hour", "text", "time_zone", "chosen",
)  # fmt: skip
STRANGE = (
    "nan", "inf", "-inf", "-1", "0", "1e400", "99999999999999999999999", "true", '""', '"\\u0000"',
    '"../../etc/passwd"', "[]", "{}", "[[]]", "1979-05-27T07:32:00Z", '"' + "x" * 300 + '"',

    "9" * 400, "[" + "9" * 400 + ", 1]", "{ on = " + "9" * 400 + ", off = 1 }",
    "0x7fffffffffffffffffff", "'a b/c'", "-0.0", "1e-300", '"\\U0001F600"', "[1, 'two']",
)  # fmt: skip


def ask(file: Path) -> Outcome:
    return judge(lambda: main(["--config", str(file), "--print-config"]), folder=file.parent)


def damaged(seed: int) -> bytes:
    """Return the whole file with one value, key, line or some bytes changed."""
    rng = random.Random(seed)
    lines = WHOLE.strip().splitlines()
    kind = seed % 5
    k = rng.randrange(len(lines))
    if kind == 0:  # another value, perhaps of another kind
        while "=" not in lines[k]:
            k = rng.randrange(len(lines))
        lines[k] = f"{lines[k].partition('=')[0]}= {rng.choice(STRANGE)}"
    elif kind == 1:  # another key
        lines[k] = f"{rng.choice(NAMES)} = {rng.choice(STRANGE)}"
    elif kind == 2:
        del lines[k]
        rng.shuffle(lines)
    elif kind == 3:
        data = bytearray("\n".join(lines).encode())
        for _ in range(rng.choice((1, 5, 40))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)
    else:
        text = "\n".join(lines)
        return text[: rng.randrange(len(text))].encode()
    return "\n".join(lines).encode()


def test_damaged_config_files_work_or_are_one_sentence(tmp_path: Path) -> None:
    findings = Findings()
    for seed in range(N_DAMAGED):
        file = tmp_path / "stream.toml"
        file.write_bytes(damaged(seed))
        findings.add(f"seed {seed}: {file.read_bytes()[:1000]!r}", ask(file))
    print(findings.codes)
    findings.conclude(at_least=N_DAMAGED)
    assert findings.codes.keys() == {0, 2}


VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(10**25), 10**25),
        st.floats(allow_nan=True),
        st.text(max_size=20),
        st.sampled_from(["starter", "live", "demo", "none", "0", "tcp://127.0.0.1:1", "Bark"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=4),
    ),
    max_leaves=8,
)
TABLE = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)


@settings(
    max_examples=300,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(table=TABLE)
def test_any_table_works_or_is_one_sentence(tmp_path: Path, table: dict[str, object]) -> None:
    file = tmp_path / "stream.toml"
    try:
        text = tomli_w.dumps(table)
        file.write_text(text, encoding="utf-8")
    except UnicodeEncodeError:  # half a surrogate is in no file
        return
    outcome = ask(file)

    assert not outcome.faults, (outcome.faults, text)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff\xfe", b"\0" * 100, b"[" * 20_000, b"a=" + b"[" * 5_000, b"=", b"\xef\xbb\xbf",
        b"x = " + b"9" * 10_000, b"# " + b"x" * (1 << 20), b"a.b.c.d = 1", b"source = 1",
        b"[[source]]\n[[source]]", b"[source]\nname = 'a'\n[source]\nname = 'b'", b"events = []",
        b"publisher = true", b"publisher = 3", b"[events.per_label]\nBark = [nan, nan]",
        b"[events.per_label]\nBark = [" + b"9" * 400 + b", 1]",
        b"[events.per_label]\n\"\\u0000\" = { on = 1, off = 1 }",
    ],
    ids=lambda data: repr(data[:20]),
)  # fmt: skip
def test_what_is_hardly_a_config_file_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "stream.toml"
    file.write_bytes(data)
    outcome = ask(file)

    assert not outcome.faults, outcome.faults
