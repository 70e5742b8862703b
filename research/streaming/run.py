"""The real pipeline over one file, as fast as it goes, its event messages into a file."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from realtime.command_line.flags import PROFILES
from realtime.config import RunConfig, SourceConfig, WindowConfig
from realtime.packets import Prediction
from realtime.pipeline import Pipeline
from weights.files import written_whole

LOOK_S = 0.5


def recognize_file(
    media: Path,
    events: Path,
    *,
    bundle: str,
    backend: str = "auto",
    profile: str = "full",
    settings: dict[str, object] | None = None,
    progress: Callable[[float], None] = lambda _: None,
    observe: Callable[[Prediction], None] | None = None,
) -> None:
    """Run a file through a pipeline; no socket, no screen.

    Args:
        media: What is played.
        events: JSON lines, the messages of `run_stream.py --log-json`; whole or not at all.
        bundle: Name or folder.
        backend: What runs the trunks.
        profile: Of `run_stream.py`: full or small.
        settings: Of the event tracker, in place of the bundle's.
        progress: Told how many seconds of the stream were recognized.
        observe: Told every prediction.

    Raises:
        RecognizerError: It cannot be run; one sentence.
    """
    config = RunConfig(
        source=SourceConfig(name="stream", kind="media", media=str(media)),
        publisher=None,
        bundle=bundle,
        backend=backend,
        events=settings or {},
        window=WindowConfig(**PROFILES[profile]),  # type: ignore[arg-type]
        dashboard=False,
        log_json=True,
    )
    with written_whole(events) as temporary, temporary.open("w", encoding="utf-8") as lines:
        pipeline = Pipeline(config, json_stream=lines, observe=observe)
        realtime_logger = logging.getLogger("realtime")
        level = realtime_logger.level
        realtime_logger.setLevel(logging.WARNING)  # a bar is being drawn
        try:
            pipeline.open()
            pipeline.start()
            while not pipeline.wait(LOOK_S):
                progress(pipeline.view().stream.t_s)
            pipeline.raise_failure()
            progress(pipeline.view().stream.t_s)
        finally:
            realtime_logger.setLevel(level)
            pipeline.close()


def read_messages(events: Path) -> list[dict[str, Any]]:
    """Read what `recognize_file` wrote."""
    with events.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
