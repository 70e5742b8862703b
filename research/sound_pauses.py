"""Finds what is heard between the events of a recording: rooms, yards, streets, microphones.

Place in the flow: between the test split and composed streams. Recordings
of nothing in particular are few; the pauses of event recordings are as many places as recordings.
It refuses digital silence, which is no place, and what an event may be in: just after one, where it
fades in or out, and all of a recording whose event goes on and on.
"""

import numpy as np
from numpy.typing import NDArray

from extractors.log_mel import SAMPLE_RATE
from research.sound_corpus import LEVEL_BLOCK, Samples, block_levels

QUIET = 0.1  # of the file's loud level (-20 dB): what a pause stays under
SILENCE = 2e-4  # full scale (-74 dBFS): under it there is no room, only rounding
AFTER_S = 0.3  # an event's reverberation
BEFORE_S = 0.06  # its attack
SHORTEST_S = 0.6
MOST_DRIFT_DB = 4.0  # from the first third to the last: more is a fade
GO_ON = (  # what is quiet in these is the event farther away, or a baby's whimper
    *(
        "Air conditioner",
        "Baby cry, infant cry",
        "Chainsaw",
        "Children playing",
        "Drilling",
        "Drone",
        "Engine idling",
    ),
    *("Fire crackling", "Helicopter", "Jackhammer", "Rain", "Sea waves", "Siren", "Street music"),
)


def longest_pause(waveform: Samples, loud: float) -> tuple[int, int] | None:
    """Find the longest pause of a recording.

    Args:
        waveform: `(n_samples,)` float32 at 16 kHz, its loud level 1.
        loud: What it was divided by for that, full scale 1.

    Returns:
        First sample and the one after the last; None where the longest is too short or a fade.
    """
    levels = block_levels(waveform)
    first, n_blocks = _longest_run((levels * loud > SILENCE) & ~_near(levels >= QUIET))
    is_long = n_blocks * LEVEL_BLOCK >= SHORTEST_S * SAMPLE_RATE
    if not is_long or _drift_db(levels[first : first + n_blocks]) > MOST_DRIFT_DB:
        return None
    return first * LEVEL_BLOCK, (first + n_blocks) * LEVEL_BLOCK


def mirrored(waveform: Samples, n_samples: int) -> Samples:
    """Let a waveform go on with its own mirror image until it has at least `n_samples`."""
    missing = max(0, n_samples - len(waveform))
    longer: Samples = np.pad(waveform, (0, missing), mode="reflect")
    return longer


def _drift_db(levels: Samples) -> float:
    third = len(levels) // 3
    parts = (levels[:third], levels[-third:])
    first, last = (20 * np.log10(np.sqrt(np.square(part).mean())) for part in parts)
    return abs(float(last - first))


def _near(loud: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which blocks are loud, or just before or for a while after one that is."""
    near = loud.copy()
    for distance in range(1, _blocks(AFTER_S) + 1):
        near[distance:] |= loud[:-distance]
    for distance in range(1, _blocks(BEFORE_S) + 1):
        near[:-distance] |= loud[distance:]
    return near


def _blocks(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE / LEVEL_BLOCK)


def _longest_run(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return where the longest run of True begins, and its length."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    if not len(edges):
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    return int(edges[2 * longest]), int(lengths[longest])
