"""What people may change of a run while it goes on: profiles, pauses, recording."""

from realtime.controls.controls import Controls
from realtime.controls.profiles import Profiles

__all__ = ["Controls", "Profiles"]
