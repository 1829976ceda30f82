"""One process or many: what `torchrun` set up, and gradients averaged over it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed, nn

from mewm.compute import choose_device

# The first process alone reads a cohort, encodes it and simulates futures; the others, waiting for it, would give up
# after 10 minutes (NCCL) or 30 (gloo). Where one process dies torchrun ends the rest, so nobody waits for the dead.
_PATIENCE = timedelta(days=3)


@dataclass(frozen=True)
class Processes:
    """The processes of one training.

    Gradients are averaged here and not by ``DistributedDataParallel``, which allows one forward pass a step through its
    wrapper: a contrastive loss or a discriminator needs several.

    Attributes:
        rank: number of this process; 0 writes files and validates.
        count: how many there are.
        device: where this process computes.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def share(self, module: nn.Module) -> None:
        """Give every process the weights and buffers of the first."""
        if self.count > 1:
            for value in module.state_dict().values():
                distributed.broadcast(value, src=0)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes; where one has none it counts as zero."""
        if self.count == 1:
            return
        parameters = [p for p in parameters if p.requires_grad]
        if not parameters:
            return
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten().float() for p in parameters])
        distributed.all_reduce(flat)
        flat /= self.count
        for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = part.view_as(parameter).to(parameter.dtype)

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process."""
        if self.count == 1:
            return flag
        value = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(value, distributed.ReduceOp.MAX)
        return bool(value)

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def processes(device: str | None = None) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; without ``torchrun`` there is one.

    Within another such context the group that is there serves, since a second one could not be joined.

    Args:
        device: name of the device; without one the fastest. With several GPUs each process takes its own.

    Raises:
        InputError: there is no such device.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = choose_device(device)
    if count == 1:
        yield Processes(0, 1, chosen)
        return
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    outermost = not distributed.is_initialized()
    if outermost:
        distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(distributed.get_rank(), count, chosen)
    finally:
        if outermost:
            distributed.destroy_process_group()
