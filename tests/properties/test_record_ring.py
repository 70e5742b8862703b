"""The pre-roll ring against plain lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from realtime.clock import NS_PER_S
from realtime.outputs.recording.ring import FULL_SCALE, PreRollRing, StoredFrame

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), st.integers(1, NS_PER_S), st.integers(0, 3000)),
        st.tuples(st.just("sound"), st.integers(0, 500), st.integers(0, 20_000)),
        st.tuples(st.just("forget"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@given(steps=STEPS, max_bytes=st.integers(2_000, 200_000))
def test_ring_keeps_the_newest_and_never_more_bytes_than_its_bound(
    steps: list[tuple[str, int, int]], max_bytes: int
) -> None:
    ring = PreRollRing(2 * NS_PER_S, max_bytes)
    times: list[int] = []
    heard: dict[int, int] = {}
    time_ns = index = 0
    for kind, step, size in steps:
        if kind == "frame":
            time_ns += step
            times.append(time_ns)
            ring.add_frame(StoredFrame(time_ns, bytes(size), 16, 16))
        elif kind == "sound":
            index += step  # a gap
            values = (np.arange(index, index + size) % 100 / FULL_SCALE).astype(np.float32)
            heard.update((i, i % 100) for i in range(index, index + size))
            ring.add_sound(index, values)
            index += size
        else:
            ring.forget(None, None)
        assert ring.n_bytes <= max_bytes

    kept = [frame.time_ns for frame in ring.frames(-1, 1 << 62, 1000)]
    assert kept == times[len(times) - len(kept) :]
    if not ring.n_evicted:
        assert set(kept) >= {t for t in times if t > times[-1] - 2 * NS_PER_S}
    first, stop = max(0, index - 10_000), index
    samples, n_missing = ring.sound(first, stop)
    stored_from = ring.first_index if ring.first_index is not None else stop
    wanted = [heard.get(i, 0) if i >= stored_from else 0 for i in range(first, stop)]
    assert samples.tolist() == wanted
    assert n_missing >= sum(i not in heard for i in range(first, stop))
