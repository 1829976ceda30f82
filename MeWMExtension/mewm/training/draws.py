"""An endless stream of training examples in which example k is a function of the seed and k alone.

So a training that was interrupted goes on with the very examples it would have seen, and any number of processes and
of loader workers sees the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from mewm.errors import InputError

Draw = Callable[[int, np.random.Generator], dict[str, Any]]
"""``draw(item, rng)`` makes one example, a dict of tensors, from item 0 … count - 1."""


class Draws(Dataset):
    """Examples by number. Every item comes once in ``count`` examples, in an order of its own each time.

    Args:
        count: number of items to draw from.
        draw: makes an example of an item.
        seed: of order and draws.

    Raises:
        InputError: there is no item.
    """

    def __init__(self, count: int, draw: Draw, seed: int) -> None:
        if count < 1:
            raise InputError("There is no case to train on; choose a cohort with a train split.")
        self.count, self.draw, self.seed = count, draw, seed
        self._epoch = -1
        self._order: np.ndarray = np.empty(0, int)

    def __getitem__(self, k: int) -> dict[str, Any]:
        epoch, place = divmod(k, self.count)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, np.random.default_rng([self.seed, 1, epoch]).permutation(self.count)
        return self.draw(int(self._order[place]), np.random.default_rng([self.seed, 2, k]))


class StepSampler(Sampler[list[int]]):
    """Numbers of the examples of every step from ``start`` on, this process's share of each batch.

    Args:
        start, stop: first step and the one after the last.
        batch: examples a step over all processes.
        rank, processes: number of this process and of all.

    Raises:
        InputError: the batch cannot be shared evenly.
    """

    def __init__(self, start: int, stop: int, batch: int, rank: int = 0, processes: int = 1) -> None:
        if batch < 1 or batch % processes:
            raise InputError(
                f"A batch of {batch} cannot be shared by {processes} processes; choose a multiple of {processes}."
            )
        self.start, self.stop, self.batch, self.rank, self.processes = start, stop, batch, rank, processes

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.start, self.stop):
            first = step * self.batch
            yield list(range(first + self.rank, first + self.batch, self.processes))

    def __len__(self) -> int:
        return self.stop - self.start


def batches(draws: Draws, sampler: StepSampler, workers: int = 0) -> DataLoader:
    """Return a loader of collated batches, one a step."""
    return DataLoader(draws, batch_sampler=sampler, num_workers=workers, persistent_workers=workers > 0)
