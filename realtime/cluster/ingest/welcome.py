"""What a pool asks of its edges: which of them there are, and the pictures that its trunk reads."""

from __future__ import annotations

from realtime.cluster.wire.endpoint import edge_name
from realtime.cluster.wire.protocol import Welcome
from realtime.config import RunConfig
from realtime.errors import UsageError

SCHEME = "edge"
NO_EDGES = "a pool wants edges: name each with --edge NAME, or as media edge://NAME in --config"


def edges_of(config: RunConfig, *, like_streams: bool = False) -> list[str]:
    """Return the names of the streams that edges send.

    Args:
        config: The run.
        like_streams: Whether there may be no other streams, and none with a name of its own.

    Raises:
        UsageError: There is none, or its edge would have another name than the stream.
    """
    places = [source.media or "" for source in config.sources]
    names = [edge_name(place) for place in places if place.startswith(f"{SCHEME}://")]
    if not names:
        raise UsageError(NO_EDGES)
    if like_streams and names != [source.name for source in config.sources]:
        raise UsageError(
            'a pool on Ray has edges alone, each named as its stream: name = "door" with media = '
            '"edge://door"'
        )
    if len(set(names)) < len(names):
        raise UsageError(f"each edge has one stream, got {', '.join(names)}")
    return names


def welcome_of(config: RunConfig) -> Welcome:
    """Return which pictures edges are asked for: those that the bundle's trunk reads.

    Raises:
        ModelError: There is no such bundle.
    """
    from realtime.build import frame_transform
    from realtime.bundle_settings import find_bundle, grid_hz_of

    bundle = find_bundle(config.bundle)
    transform = frame_transform(bundle)
    return Welcome(
        resize_to=transform.resize_to,
        size=transform.size,
        crop=transform.crop,
        interpolation=transform.interpolation,
        grid_hz=grid_hz_of(bundle, config.window.grid_hz),
    )
