"""The one door to Ray: actors of a pool as Ray's, and the registry as one that Ray keeps alive.

Ray places processes, starts them anew, finds them by name and carries calls between them. Pictures,
sound and events go over ZeroMQ and never enter its object store. What goes between its processes it
pickles: who can speak to a Ray cluster can run code on it. So
`realtime.cluster.pool.ray_environment`, which has to be asked before this is imported, turns its
tokens on.
"""

from __future__ import annotations

import logging
import secrets
import signal
import sys
from typing import Any

from realtime.cluster.pool.actor import ActorSpec, News, PoolActor
from realtime.cluster.pool.placement import Limits
from realtime.cluster.pool.registry import Registry, View
from realtime.errors import OutputError, UsageError

try:
    import ray
    from ray.exceptions import GetTimeoutError, RayActorError, RayError
except ImportError as error:
    raise UsageError("--ray needs the package ray; run `pip install 'mafnet-live[ray]'`") from error

logger = logging.getLogger(__name__)

NAMESPACE = "mafnet"
REGISTRY, PREFIX = "mafnet-registry", "mafnet-actor-"
HEAR_S = 0.15  # what a round of reports may take; who is later is heard in the next
CALL_S = 5.0
N_UNREACHED = 3  # reports in a row that did not reach an actor: it is gone, or as good as that
_STORE_BYTES = 80 << 20  # of a cluster that is started here: Ray's least; nothing is put into it


def connect(address: str, n_cpus: int | None = None) -> None:
    """Join a cluster, or start one of this machine alone.

    Args:
        address: `HOST:PORT` of its head, `auto` for the one whose node this is, `local` for a new
            one that ends with this process.
        n_cpus: Of a new one; None for all.

    Raises:
        OutputError: There is none, or it does not let this process in.
    """
    more: dict[str, Any] = {}
    if address == "local":
        more = {"num_cpus": n_cpus, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        ray.init(
            address=address,
            namespace=NAMESPACE,
            configure_logging=False,
            log_to_driver=False,
            **more,
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, RayError) as error:
        first = str(error).strip().split("\n")[0]
        raise OutputError(
            f"the Ray cluster at {address} cannot be joined ({first}); start it with `ray start`, "
            "with the same token, or give --ray local"
        ) from error
    finally:
        for number, handler in before.items():  # Ray puts its own in their place
            signal.signal(number, handler)


def disconnect() -> None:
    """Leave the cluster."""
    ray.shutdown()


class RayActors:
    """A cluster's actors (`realtime.cluster.pool.registry.Actors`); for the registry's thread.

    Args:
        n_cpus: Of an actor.
        n_gpus: Likewise; a part of one is allowed.
    """

    def __init__(self, n_cpus: float, n_gpus: float) -> None:
        self._n_cpus, self._n_gpus = n_cpus, n_gpus
        self._handles: dict[str, Any] = {}
        self._asked: dict[str, Any] = {}  # reports that did not come yet
        self._n_unreached: dict[str, int] = {}
        self._told: list[Any] = []  # calls whose end was not seen yet

    def capacity(self) -> int:
        """Return how many actors the cluster's nodes have room for in all."""
        n = 0
        for node in ray.nodes():
            there = node["Resources"] if node["Alive"] else {}
            parts = [int(there.get("CPU", 0) / self._n_cpus)] if self._n_cpus else []
            if self._n_gpus:
                parts.append(int(there.get("GPU", 0) / self._n_gpus))
            n += min(parts, default=0)
        return n

    def names(self) -> list[str]:
        """Return the names of the actors that are there, or come."""
        named = ray.util.list_named_actors(all_namespaces=False)
        return [str(name) for name in named if str(name).startswith(PREFIX)]

    def start(self, spec: ActorSpec) -> str:
        """Start an actor; return its name."""
        name = f"{PREFIX}{secrets.token_hex(3)}"
        options = {
            "name": name,
            "lifetime": "detached",  # the registry may die, and its actors go on
            "num_cpus": self._n_cpus,
            "num_gpus": self._n_gpus,
            "max_restarts": 0,  # another one is started, where there is room
            "max_concurrency": 8,  # a report does not wait for a stream that is taken
            "scheduling_strategy": "SPREAD",
        }
        remote: Any = ray.remote(_RemoteActor)
        self._handles[name] = remote.options(**options).remote(spec, name)
        return name

    def hear(self, names: list[str]) -> tuple[dict[str, News], dict[str, str]]:
        """Return what actors say of themselves, and why others are gone."""
        gone: dict[str, str] = {}
        for name in names:
            if name in self._asked:
                continue
            try:
                self._asked[name] = self._handle(name).report.remote()
            except (ValueError, RayActorError) as error:  # there is none of this name
                gone[name] = _why(error)
        refs = {ref: name for name, ref in self._asked.items() if name in names}
        self._asked = {name: ref for ref, name in refs.items()}
        ready, _ = ray.wait(list(refs), num_returns=len(refs), timeout=HEAR_S) if refs else ([], [])
        news: dict[str, News] = {}
        for ref in ready:
            name = refs[ref]
            del self._asked[name]
            try:
                news[name] = ray.get(ref)
                self._n_unreached.pop(name, None)
            except RayActorError as error:
                n = self._n_unreached[name] = self._n_unreached.get(name, 0) + 1
                if _is_dead(error) or n >= N_UNREACHED:
                    gone[name] = _why(error)
            except Exception as error:  # noqa: BLE001 - whatever ended its threads
                gone[name] = _why(error)
        return news, gone

    def give(self, actor: str, stream: str) -> None:
        """Have an actor take a stream; does not wait for it."""
        self._tell(actor, "take", stream)

    def take_back(self, actor: str, stream: str) -> None:
        """Have an actor let go of a stream; likewise."""
        self._tell(actor, "release", stream)

    def stop(self, actor: str) -> None:
        """End an actor's process."""
        self._asked.pop(actor, None)
        try:
            ray.kill(self._handle(actor), no_restart=True)
        except (ValueError, RayError) as error:
            logger.debug("actor %s is not there to be stopped: %s", actor, error)
        self._handles.pop(actor, None)

    def _tell(self, actor: str, what: str, stream: str) -> None:
        try:
            ref = getattr(self._handle(actor), what).remote(stream)
        except (ValueError, RayActorError) as error:
            logger.warning("actor %s could not be told to %s %s: %s", actor, what, stream, error)
            return
        self._told.append(ref)
        done, self._told = ray.wait(self._told, num_returns=len(self._told), timeout=0)
        for each in done:
            try:
                ray.get(each)
            except Exception as error:  # noqa: BLE001 - the placement sees that it was not done
                logger.warning("an actor could not do what it was told: %s", _why(error))

    def _handle(self, name: str) -> Any:
        if name not in self._handles:
            self._handles[name] = ray.get_actor(name)
        return self._handles[name]


class _RemoteActor(PoolActor):
    """A `PoolActor` that learns from Ray where it runs."""

    def __init__(self, spec: ActorSpec, name: str) -> None:
        set_up_logging()
        context = ray.get_runtime_context()
        super().__init__(spec, name, context.get_node_id()[:8], ray.util.get_node_ip_address())


class _RemoteRegistry(Registry):
    """A `Registry` over Ray's actors."""

    def __init__(self, spec: ActorSpec, limits: Limits, n_cpus: float, n_gpus: float) -> None:
        set_up_logging()
        super().__init__(spec, limits, RayActors(n_cpus, n_gpus))
        self.start()


class RemotePool:
    """A pool's registry, seen from its front; for one thread.

    Args:
        spec: What its actors are. A registry of another spec is ended, with its actors.
        limits: What the pool may do.
        n_cpus: Of an actor.
        n_gpus: Likewise.

    Raises:
        OutputError: The cluster does not give it a place.
    """

    def __init__(self, spec: ActorSpec, limits: Limits, n_cpus: float, n_gpus: float) -> None:
        make: Any = ray.remote(_RemoteRegistry)
        options = {
            "name": REGISTRY,
            "lifetime": "detached",
            "get_if_exists": True,
            "num_cpus": 0,
            # Beside Ray's own head: a registry that is cut off from it would end actors that are
            # well, as soon as it is not cut off any more.
            "resources": {"node:__internal_head__": 0.001},
            "max_restarts": -1,
            "max_concurrency": 8,
        }

        def made() -> Any:
            return make.options(**options).remote(spec, limits, n_cpus, n_gpus)

        self._registry = made()
        self._handles: dict[str, Any] = {}
        try:
            if ray.get(self._registry.spec.remote(), timeout=60.0) != spec:
                logger.warning("a pool with other settings runs here; it is ended")
                self.end()
                self._registry = made()
                ray.get(self._registry.spec.remote(), timeout=60.0)
        except RayError as error:
            raise OutputError(f"the pool's registry does not start: {_why(error)}") from error

    def view(self) -> View | None:
        """Return how the pool stands; None while nobody knows."""
        try:
            view: View = ray.get(self._registry.view.remote(), timeout=1.0)
        except (GetTimeoutError, RayActorError) as error:
            logger.debug("the registry does not answer: %s", error)
            return None
        return view

    def utc_ns(self, actor: str) -> int | None:
        """Return an actor's wall clock, ns since 1970; None where it does not answer."""
        try:
            if actor not in self._handles:
                self._handles[actor] = ray.get_actor(actor)
            return int(ray.get(self._handles[actor].utc_ns.remote(), timeout=1.0))
        except (ValueError, RayError):
            self._handles.pop(actor, None)
            return None

    def drain(self, actor: str) -> None:
        """Have an actor's streams moved, and then the actor stopped."""
        ray.get(self._registry.drain.remote(actor), timeout=CALL_S)

    def end(self) -> None:
        """End the actors and the registry."""
        try:
            ray.get(self._registry.end.remote(), timeout=CALL_S)
        except RayError as error:
            logger.warning("the pool's actors could not be ended: %s", _why(error))
        ray.kill(self._registry, no_restart=True)


def set_up_logging() -> None:
    """Log to the process's stderr, which Ray keeps in a file."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _is_dead(error: RayActorError) -> bool:
    """Whether it is gone for good, rather than not reached just now."""
    return not isinstance(error, ray.exceptions.ActorUnavailableError)


def _why(error: Exception) -> str:
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return (lines[-1] if "Error" in (lines or [""])[-1] else (lines or [type(error).__name__])[0])[
        :300
    ]
