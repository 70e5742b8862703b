"""How a command of this package ends: its exit code, and one sentence where something failed."""

import sys
from collections.abc import Callable
from pathlib import Path

from realtime.errors import RecognizerError
from research.streaming.material import MaterialError
from weights.errors import WeightsError


def exit_code_of(work: Callable[[], int], to: Path) -> int:
    """Do a command's work, which may be stopped and begun again.

    Args:
        work: Returns the exit code.
        to: The folder that it writes to, named where the system refuses something.
    """
    try:
        return work()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except (MaterialError, RecognizerError, WeightsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {to}: {error.strerror or error}", file=sys.stderr)
        return 1
