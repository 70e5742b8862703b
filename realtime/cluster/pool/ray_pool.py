"""A pool on Ray, from its flags: what its actors are, and how the front joins them."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from dataclasses import replace

from realtime.cluster.pool.actor import ActorSpec
from realtime.cluster.pool.placement import Limits
from realtime.cluster.pool.ray_door import RemotePool, connect
from realtime.config import RunConfig
from realtime.version import program_version

logger = logging.getLogger(__name__)


def joiner(arguments: argparse.Namespace) -> Callable[[RunConfig], RemotePool]:
    """Return what joins the cluster that the flags name, once a run begins.

    Args:
        arguments: Of `realtime.cluster.pool.command`.
    """

    def join(config: RunConfig) -> RemotePool:
        limits = Limits(
            streams_per_actor=arguments.streams_per_actor,
            spare_actors=arguments.spare,
            max_actors=arguments.actors,
        )
        logger.info("joins the Ray cluster at %s", arguments.ray)
        connect(arguments.ray)
        return RemotePool(spec_of(config, arguments), limits, arguments.cpus, arguments.gpus)

    return join


def spec_of(config: RunConfig, arguments: argparse.Namespace) -> ActorSpec:
    """Return what the actors get of a run: nothing of its outputs, whose passwords stay here."""
    recognized = replace(
        config,
        publisher=None,
        metrics=None,
        web=None,
        history=None,
        mqtt=None,
        rules=None,
    )
    return ActorSpec(
        config=recognized,
        curve=None if arguments.curve is None else str(arguments.curve.absolute()),
        ports=arguments.ports,
        version=program_version(),
    )
