"""The page that a run's settings ask for, loaded only where it is asked for."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from realtime.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from realtime.clock import Clock
    from realtime.config import RunConfig
    from realtime.outputs.base import DashboardSnapshot
    from realtime.packets import GridFrame
    from realtime.swap_state import SwapState
    from realtime.web.heard import NewestSound
    from realtime.web.server import WebPage

logger = logging.getLogger(__name__)


def open_asked_page(
    config: RunConfig,
    *,
    view: Callable[[], DashboardSnapshot | None],
    newest_frame: Callable[[str], GridFrame | None],
    newest_sound: Callable[[str, int], NewestSound | None],
    known_labels: Callable[[], Sequence[str]],
    bundle_state: Callable[[], SwapState],
    take_bundle: Callable[[str], None],
    clock: Clock,
) -> WebPage | None:
    """Return the page, which is served from now on; None where none is asked for.

    Args:
        config: The run.
        view: As the others, `realtime.web.server.WebPage`'s.
        newest_frame: Likewise.
        newest_sound: Likewise.
        known_labels: Likewise.
        bundle_state: Likewise.
        take_bundle: Likewise.
        clock: The run's.

    Raises:
        UsageError: Its packages are missing, or the password file cannot be used.
        OutputError: The address is taken or cannot be used.
    """
    if config.web is None:
        return None
    try:
        from realtime.web.server import WebPage  # imports Starlette: only where wanted
    except ImportError as error:
        raise UsageError(
            "--web needs the packages starlette and uvicorn; run `pip install starlette uvicorn`"
        ) from error
    page = WebPage(
        config.web,
        view=view,
        newest_frame=newest_frame,
        newest_sound=newest_sound,
        history=None if config.history is None else Path(config.history.file),
        recordings=None if config.record is None else Path(config.record.directory),
        known_labels=known_labels,
        bundle=config.bundle,
        bundle_state=bundle_state,
        take_bundle=take_bundle,
        clock=clock,
    )
    try:
        port = page.open()
    except OutputError:
        page.close(0.0)
        raise
    logger.info("page on http://%s:%d/", config.web.bind.rpartition(":")[0], port)
    return page
