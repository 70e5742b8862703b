"""The store: the folder where fetched and converted weights are kept between runs.

The one place below the command line that asks the environment, because the store must be the same
for every program of a user: `MAFNET_HOME`, or else the platform's cache folder.
"""

import os
from pathlib import Path

import platformdirs

from weights.paths import to_path


def default_home() -> Path:
    """Return the store's folder, which need not exist yet."""
    chosen = os.environ.get("MAFNET_HOME")
    if chosen:
        return to_path(chosen)
    return Path(platformdirs.user_cache_dir("mafnet-live", appauthor=False))


def taught_home(home: Path | None = None) -> Path:
    """Return the folder of the bundle `taught`, which `mafnet teach` makes and changes."""
    return (home or default_home()) / "taught"
