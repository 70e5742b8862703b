"""A network sender whose clock jumps: its samples are dated rightly again within 3 s."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.sources.sender_clock import SenderClock

STEP_NS = 40 * NS_PER_MS
JUMP_AT_NS = 20 * NS_PER_S
RECOVERY_NS = 3 * NS_PER_S


@pytest.mark.parametrize("jump_s", [-3600.0, -2.0, -0.8, 0.8, 2.0, 3600.0])
def test_samples_are_dated_rightly_within_3_s_when_the_sender_sets_its_clock(jump_s: float) -> None:
    rng = np.random.default_rng(0)
    sender, wrong_ms = SenderClock(), []
    for k in range(60 * NS_PER_S // STEP_NS):
        true_ns = k * STEP_NS
        media_ns = true_ns + (round(jump_s * NS_PER_S) if true_ns >= JUMP_AT_NS else 0)
        sender.observe(media_ns, true_ns + round(rng.exponential(20) * NS_PER_MS))
        if not JUMP_AT_NS <= true_ns < JUMP_AT_NS + RECOVERY_NS and k > 50:
            wrong_ms.append(abs(sender.time_ns(media_ns) - true_ns) / NS_PER_MS)

    assert max(wrong_ms) < 20.0


def test_one_late_second_is_no_jump() -> None:
    sender = SenderClock()
    for k in range(30 * NS_PER_S // STEP_NS):
        true_ns = k * STEP_NS
        late_ns = NS_PER_S if 10 * NS_PER_S <= true_ns < 11 * NS_PER_S else 0
        sender.observe(true_ns, true_ns + late_ns)
        assert sender.time_ns(true_ns) == true_ns
