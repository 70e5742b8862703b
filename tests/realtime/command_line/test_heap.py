"""What is free is given back now and then."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from realtime.clock import NS_PER_S, ManualClock
from realtime.command_line.heap import EVERY_S, HeapTrimmer

HOLES = """
import ctypes
from realtime.clock import ManualClock, NS_PER_S
from realtime.command_line.heap import EVERY_S, HeapTrimmer

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

clock = ManualClock()
heap = HeapTrimmer(clock)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
blocks = [libc.malloc(60_000) for _ in range(2000)]
for block in blocks:
    ctypes.memset(block, 1, 60_000)
for block in blocks[:-1]:  # the last one keeps all from the heap's top
    libc.free(block)
before = resident()
clock.advance(round(EVERY_S * NS_PER_S))
heap.step()
print(before - resident())
"""


def test_heap_is_trimmed_once_a_minute() -> None:
    clock, trims = ManualClock(), list[int]()
    heap = HeapTrimmer(clock, lambda: trims.append(clock.now_ns()))
    for _ in range(round(3.5 * EVERY_S)):
        heap.step()
        clock.advance(NS_PER_S)

    assert [t // NS_PER_S for t in trims] == [EVERY_S, 2 * EVERY_S, 3 * EVERY_S]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_holes_are_given_back_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOLES], capture_output=True, text=True, check=True, timeout=60
    )

    assert int(done.stdout) > 80_000_000  # of 120 MB
