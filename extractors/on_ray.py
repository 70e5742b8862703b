"""An extraction's files on a Ray cluster: shards of a few files, an actor with trunks a GPU.

Ray places the actors, starts them again and deals the shards out (Ray Data's `map_batches`). Only
names and outcomes pass through it: an actor reads files from the shared disk, decodes and computes
them, and writes their parts there, whole or not at all. So its object store holds a few kilobytes a
shard whatever the data set's size, and a killed driver loses what was being computed alone.

The one module of this package that imports Ray.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final

from extractors.errors import BackendError
from extractors.file_work import FileWork, Outcome
from extractors.shard_worker import Loads, ShardJob, ShardWorker
from extractors.shards import Rows, outcomes_of, shard_of
from weights.printable import first_line

try:
    import pyarrow
    import ray
    from ray.data import ActorPoolStrategy, DataContext
    from ray.exceptions import RayError
except ImportError as error:
    raise BackendError(
        "--ray wants the package ray: pip install 'mafnet-live[ray]', on every machine"
    ) from error

if TYPE_CHECKING:
    from extractors.datasets import MediaItem
    from extractors.feature_parts import PartFolder

HERE: Final = "local"  # the address that starts Ray on this machine, for this command alone
_MOST_FILES_A_SHARD: Final = 64
_SHARDS_AN_ACTOR: Final = 16  # at least, while files last: then all end at about the same time
_ANSWER_S: Final = 5.0
_SHARDS_A_ROUND: Final = 5_000  # that Ray hears of at a time: some 50 MB of names, ten seconds


class RayRunner:
    """A `Runner` whose workers are a Ray cluster's.

    Args:
        address: Of the cluster's head, "auto" for the one that this machine is part of, or `HERE`.
        choice: Which trunks; each actor loads its own.
        n_threads: Files at a time in an actor, each with a core.
        n_actors: At most; None: as many as the cluster has GPUs, or cores for.

    Attributes:
        workers: Who did a shard: host and process.

    Raises:
        BackendError: There is no such cluster, or it has not what an actor needs.
    """

    def __init__(
        self, address: str, choice: Loads, n_threads: int = 1, n_actors: int | None = None
    ) -> None:
        self.workers: set[str] = set()
        self._choice, self._n_threads, self._n_actors = choice, n_threads, n_actors
        _join(address)
        has = ray.cluster_resources()
        n_cores, n_gpus = has.get("CPU", 0), has.get("GPU", 0)
        self._n_gpus = 1 if n_gpus and choice.device.split(":")[0] in ("auto", "cuda") else 0
        fitting = int(n_cores // n_threads)
        if self._n_gpus:
            fitting = min(fitting, int(n_gpus))
        if not fitting:
            self.close()
            raise BackendError(
                f"an actor wants {n_threads} cores, the Ray cluster has {n_cores:g}: give fewer "
                "--workers"
            )
        self._n_first = min(fitting, n_actors or fitting)

    def __enter__(self) -> RayRunner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the cluster; its actors end, and with `HERE` so does it."""
        ray.shutdown()

    def __call__(
        self, items: Sequence[MediaItem], work: FileWork, parts: PartFolder
    ) -> Generator[Outcome]:
        """Yields outcomes in the order that they come.

        Raises:
            StoreError: A part cannot be written, or a machine does not see the files.
            BackendError: The cluster was lost.
        """
        parts.forget_notes()
        job = ShardJob(
            choice=self._choice,
            work=work,
            folder=parts.folder.absolute(),
            recipe=parts.recipe,
            n_threads=self._n_threads,
        )
        n_each = -(-len(items) // (self._n_first * _SHARDS_AN_ACTOR))
        n_each = min(n_each, _MOST_FILES_A_SHARD)
        n_a_round = n_each * _SHARDS_A_ROUND
        try:
            for first in range(0, len(items), n_a_round):
                numbered = list(enumerate(items[first : first + n_a_round], start=first))
                starts = range(0, len(numbered), n_each)
                shards = [shard_of(numbered[start : start + n_each]) for start in starts]
                for rows in self._computed(shards, job):
                    for worker, outcome in outcomes_of(rows, items):
                        self.workers.add(worker)
                        yield outcome
        except RayError as error:
            reason = str(error).strip().splitlines()[-1]
            raise BackendError(f"the Ray cluster failed ({reason}): run once more") from error

    def _computed(self, shards: Sequence[Rows], job: ShardJob) -> Generator[Rows]:
        names = ray.data.from_arrow([pyarrow.table(shard) for shard in shards])
        computed = names.map_batches(
            ShardWorker,
            fn_constructor_args=(job,),
            batch_size=None,
            num_cpus=self._n_threads,
            num_gpus=self._n_gpus,
            compute=ActorPoolStrategy(
                min_size=1, max_size=self._n_actors, initial_size=self._n_first
            ),
            batch_format="numpy",
            runtime_env={"env_vars": {"OMP_NUM_THREADS": str(self._n_threads)}},
        )
        yield from computed.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0)


def _join(address: str) -> None:
    settings = DataContext.get_current()
    settings.enable_progress_bars = False
    settings.print_on_execution_start = False
    settings.execution_no_progress_timeout_s = -1  # a shard of long files may take an hour
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if address.startswith("ray://"):
        raise BackendError(
            f"--ray {address}: run the command on a machine of the cluster, with --ray auto"
        )
    _look_for(address)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=False if address == HERE else None,  # None: not asked of another's
        )
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise _not_joined(address, error) from error


def _look_for(address: str) -> None:
    """Raise BackendError where nobody listens: Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise _not_joined(address, error) from error


def _not_joined(address: str, error: Exception) -> BackendError:
    return BackendError(
        f"cannot join the Ray cluster at {address} ({first_line(error)}): start one with `ray "
        f"start --head`, or use --ray {HERE}"
    )
