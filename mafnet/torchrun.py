"""The command line's side of several processes: what `torchrun` said in the environment.

torchrun --nproc-per-node 2 -m mafnet train …
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch

from mafnet.compute import Compute
from mafnet.errors import MafnetError
from mafnet.processes import Processes
from weights.printable import first_line


@contextmanager
def among_processes(
    compute: Compute, device: str, environment: Mapping[str, str]
) -> Iterator[Compute]:
    """Meet the processes that torchrun started beside this one, if it did.

    Args:
        compute: What a single process would compute with.
        device: What `--device` said.
        environment: The process's own.

    Yields:
        The same, with the processes and this one's GPU.

    Raises:
        MafnetError: The device cannot be shared, or the others were not met. Of what is raised
            inside, all but the first process say which they are.
    """
    n = int(environment.get("WORLD_SIZE", "1"))
    if n == 1:
        yield compute
        return
    processes = Processes(
        rank=int(environment["RANK"]), n=n, local_rank=int(environment.get("LOCAL_RANK", "0"))
    )
    try:
        own = _own_device(compute.device, device, processes, environment)
        try:
            torch.distributed.init_process_group("nccl" if own.type == "cuda" else "gloo")
        except (RuntimeError, ValueError) as error:
            raise MafnetError(f"the other processes were not met ({first_line(error)})") from error
        try:
            yield replace(compute, device=own, processes=processes)
        finally:
            torch.distributed.destroy_process_group()
    except MafnetError as error:
        if processes.is_first:
            raise
        raise type(error)(f"process {processes.rank} of {n}: {error}") from error


def _own_device(
    found: torch.device, named: str, processes: Processes, environment: Mapping[str, str]
) -> torch.device:
    if found.type == "mps":
        raise MafnetError("several processes train on --device cuda or cpu, not on mps")
    if found.type != "cuda":
        return found
    n_here = int(environment.get("LOCAL_WORLD_SIZE", "1"))
    if ":" in named and n_here > 1:
        raise MafnetError(f"--device {named} is one GPU for {n_here} processes: use --device cuda")
    if n_here > torch.cuda.device_count():
        raise MafnetError(
            f"{n_here} processes want a GPU each, this machine has {torch.cuda.device_count()}: "
            "give a smaller --nproc-per-node, or --device cpu"
        )
    own = found if ":" in named else torch.device("cuda", processes.local_rank)
    torch.cuda.set_device(own)
    return own
