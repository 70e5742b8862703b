"""Random scripts of faults, one after another and at once, on a clock that is moved by hand."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults.fault_layer import PICTURE_KINDS, SOUND_KINDS, Fault
from faults.invariants import check
from faults.rig import Rig

pytestmark = pytest.mark.timeout(300)

LENGTH_S = 26.0  # the last faults end at 14 s: the scene of 18 s and later is untouched
AMOUNTS = {
    "loss": st.floats(0.05, 1.0),
    "late": st.floats(0.0, 0.4),
    "jump": st.floats(-3600.0, 3600.0) | st.floats(-3.0, 3.0),
    "channels": st.sampled_from([1, 2, 3, 6, 8]),
    "rate": st.sampled_from([0.5, 1.5, 2.0, 3.0]),
    "wrong rate": st.floats(-0.1, 0.1),
}


@st.composite
def one_fault(draw: st.DrawFn) -> Fault:
    sense = draw(st.sampled_from(["sound", "picture", "run"]))
    kinds = {"sound": SOUND_KINDS, "picture": PICTURE_KINDS, "run": ("busy", "deaf")}[sense]
    kind = draw(st.sampled_from(kinds))
    start_s = draw(st.integers(10, 260)) / 20
    length_s = min(draw(st.integers(1, 80)) / 20, 14.0 - start_s)
    amount = draw(AMOUNTS.get(kind, st.just(0.0)))
    return Fault(kind=kind, sense=sense, start_s=start_s, length_s=length_s, amount=amount)


@settings(
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    faults=st.lists(one_fault(), min_size=1, max_size=5),
    drift_ppm=st.sampled_from([0, 0, 300, -300]),
    fps=st.sampled_from([25.0, 15.0, 7.0, 60.0]),
    seed=st.integers(0, 1000),
)
def test_any_script_leaves_a_whole_stream_behind(
    faults: list[Fault], drift_ppm: int, fps: float, seed: int
) -> None:
    told = Rig(faults, LENGTH_S, drift=drift_ppm * 1e-6, fps=fps, seed=seed).run()
    check(told, faults, LENGTH_S)
