"""Reading pickles as data: what Python writes comes back, and nothing of it is done."""

import collections
import contextlib
import pickle
import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weights.inert_pickle import Call, Entries, InertPickleError, Named, read_program

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


def _plain(value: Any) -> Any:
    if isinstance(value, Entries):
        return {_plain(key): _plain(item) for key, item in value.items}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    return value


@given(PLAIN, st.integers(2, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_back_as_pickle_gives_them(value: Any, protocol: int) -> None:
    raw = memoryview(pickle.dumps(value, protocol))
    read, end = read_program(raw)
    assert _plain(read) == value
    assert end == len(raw)


def _read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(InertPickleError):
        read_program(memoryview(raw))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    _read_or_refused(raw)


@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_a_pickle_with_other_bytes_within_is_read_or_refused(
    raw: bytes, at: int, protocol: int
) -> None:
    whole = bytearray(pickle.dumps(collections.OrderedDict(a=(1, "b", b"c" * 50)), protocol))
    whole[at : at + len(raw)] = raw
    _read_or_refused(bytes(whole))


@pytest.mark.parametrize(
    "length",
    [b"\x8e" + struct.pack("<Q", 1 << 40), b"B" + struct.pack("<I", 1 << 29), b"\x8bx\0\0\0"],
)
def test_a_length_beyond_the_file_takes_no_memory(length: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(InertPickleError):
        read_program(memoryview(length + b"."))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_calls_are_written_down_and_not_made() -> None:
    call, _ = read_program(memoryview(b"cposix\nsystem\n(X\x04\0\0\0echotR."))
    assert isinstance(call, Call)
    assert call.function == Named("posix.system")
    assert call.arguments == ("echo",)


@pytest.mark.parametrize(
    "program",
    [
        b"I" + b"9" * 5_000 + b"\n.",
        b"\x8a\xff" + b"\x7f" * 255 + b".",
        b"K\x01b.",
        b"K\x01K\x02R.",
        b"(" * 10 + b"0.",
        b"t.",
        b"h\x07.",
        b"K\x00."[:2],
        b"N" * 500_001 + b".",
    ],
)
def test_faulty_programs_are_one_reason(program: bytes) -> None:
    with pytest.raises(InertPickleError) as caught:
        read_program(memoryview(program))
    assert "\n" not in str(caught.value)
