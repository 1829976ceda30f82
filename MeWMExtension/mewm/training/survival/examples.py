"""Training examples: a patient before and after treatment, now and then with a simulated future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mewm.survival.attention.numbers import FACTS, NAMES
from mewm.survival.attention.regions import network_input
from mewm.training.draws import Draws
from mewm.training.survival.config import Augmentation, Futures
from mewm.training.survival.futures import MARKED, NUMBERS, READ, FutureRegions


@dataclass(frozen=True, eq=False)
class FutureDraw:
    """Makes an example of a patient and one of the patient's futures.

    Attributes:
        regions: of the cohort.
        cases: which of them to learn from.
        columns: places of the network's numbers in :data:`mewm.training.survival.futures.NUMBERS`.
        facts: which of these numbers are clinical facts, (F,) bool.
        futures: shares of simulated and of labelled futures.
        augmentation: how an example is varied.
    """

    regions: FutureRegions
    cases: tuple[int, ...]
    columns: tuple[int, ...]
    facts: np.ndarray
    futures: Futures
    augmentation: Augmentation

    def __call__(self, item: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return an example (:func:`future_draws`) of the patient ``cases[item]``."""
        regions, case = self.regions, self.cases[item]
        simulated = bool(regions.simulated) and rng.random() < self.futures.simulated_share
        place = READ if rng.random() < self.futures.assistant_share else MARKED
        if simulated:
            place = int(rng.choice(regions.simulated))
        numbers = _hidden(regions.numbers[case, place, list(self.columns)], self.facts, self.augmentation, rng)
        row = regions.rows[case]
        return {
            "regions": _varied(_region(regions, case, place, self.augmentation, rng), self.augmentation, rng),
            "numbers": torch.from_numpy(numbers),
            "weeks": torch.tensor(row.os_weeks, dtype=torch.float32),
            "died": torch.tensor(bool(row.event)),
        }


def future_draws(
    regions: FutureRegions,
    cases: Sequence[int],
    names: Sequence[str],
    futures: Futures,
    augmentation: Augmentation,
    seed: int,
) -> Draws:
    """Return the endless stream of examples.

    Each is a dict of tensors: ``regions`` (2, 6, d, h, w), ``numbers`` (F,), ``weeks``, ``died``.

    Args:
        regions: of the cohort.
        cases: which of them to learn from.
        names: numbers that the network takes, in its order.
        futures: shares of simulated and of labelled futures.
        augmentation: how an example is varied.
        seed: of order and draws.
    """
    columns = tuple(NUMBERS.index(name) for name in names)
    facts = np.array([name in NAMES[FACTS] for name in names], dtype=bool)
    return Draws(len(cases), FutureDraw(regions, tuple(cases), columns, facts, futures, augmentation), seed)


def plain_example(
    regions: FutureRegions, case: int, place: int, names: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return regions (2, 6, d, h, w) and numbers (F,) of a future as they are in use."""
    numbers = regions.numbers[case, place, [NUMBERS.index(name) for name in names]]
    seen = network_input(regions.ct_of(case, place), regions.lesion[case], regions.labels[case, place])
    return seen, torch.from_numpy(numbers)


def _region(
    regions: FutureRegions, case: int, place: int, augmentation: Augmentation, rng: np.random.Generator
) -> torch.Tensor:
    """Return the input with other noise and attenuation; the two CTs are two scans and vary apart."""
    scans = [
        ct + rng.normal(0, augmentation.shift_hu) + rng.normal(0, augmentation.noise_hu, ct.shape)
        for ct in regions.ct_of(case, place)
    ]
    return network_input(scans, regions.lesion[case], regions.labels[case, place])


def _varied(region: torch.Tensor, augmentation: Augmentation, rng: np.random.Generator) -> torch.Tensor:
    mirrored = [axis for axis in (-3, -2, -1) if rng.random() < augmentation.flip]
    return region.flip(mirrored) if mirrored else region


def _hidden(numbers: np.ndarray, facts: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Return the numbers with some facts no longer stated."""
    hidden = facts & (rng.random(len(facts)) < augmentation.hide_fact)
    if rng.random() < augmentation.hide_all_facts:
        hidden = facts
    return np.where(hidden, np.float32(np.nan), numbers).astype(np.float32)
