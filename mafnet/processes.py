"""Several processes that train one network, as `torchrun` starts them: who has which rows.

Each batch is the one that a single process would have; a process computes its share of it. Sums go
over all of them where the single process sums over the batch: the statistics of batch norm, the
gradients (`DistributedDataParallel`), the loss. So the result is the single process's, but for the
order of sums. Nothing here reads the environment; `torch.distributed` does, as torchrun wants it.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mafnet.norm import BatchNorm


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """This process among all that train together.

    Attributes:
        rank: Its number, from 0; the first alone writes.
        n: How many there are.
        local_rank: Its number on its machine, which is its GPU's.
    """

    rank: int = 0
    n: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """It prints and writes."""
        return self.rank == 0

    def share(self, n_rows: int) -> slice:
        """Return which of a batch's rows are this process's; shares differ by one at most."""
        return slice(*self._share(n_rows))

    def _share(self, n_rows: int) -> tuple[int, int]:
        return n_rows * self.rank // self.n, n_rows * (self.rank + 1) // self.n

    def weight(self, n_rows: int) -> float:
        """Return what a share's mean loss counts, so that the mean over processes is the batch's.

        Of one process it is exactly 1.
        """
        first, end = self._share(n_rows)
        return (end - first) * self.n / n_rows

    def joined(self, model: nn.Module) -> nn.Module:
        """Return a network whose backward pass gives every process the mean of all gradients.

        It has the same parameters; its batch norms count over all processes from here on.
        """
        if self.n == 1:
            return model
        for module in model.modules():
            if isinstance(module, BatchNorm):
                module.over_processes = True
        device = next(model.parameters()).device
        return DistributedDataParallel(
            model,
            device_ids=[device] if device.type == "cuda" else None,
            broadcast_buffers=False,  # each process makes the same ones of the same sums
        )

    def total(self, *values: float) -> list[float]:
        """Return sums over all processes."""
        if self.n == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        if torch.distributed.get_backend() == "nccl":
            sums = sums.cuda(self.local_rank)
        torch.distributed.all_reduce(sums)
        totals: list[float] = sums.tolist()
        return totals


ALONE = Processes()
