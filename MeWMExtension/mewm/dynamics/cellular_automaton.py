"""A peer's idea as an arm: tumour, necrosis and oil evolve by local rules on the states of voxels.

The idea is that of Pixel2Cancer (Lai et al., MICCAI 2024, arXiv 2403.06459): every voxel holds a tumour population
from 0 to 10 and follows three generic rules, growth, invasion and death. Here death and a fourth rule, deposition of
oil, depend on the treatment through one number, its strength; which agents made it up the automaton does not know.
Written afresh from the paper's abstract; all rates are assumptions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from mewm.actions.protocol import Protocol
from mewm.dynamics.effects import dose_factor, drug_effect, embolic_effect
from mewm.dynamics.space import LesionSpace, lesion_space
from mewm.roi import Roi

FULL = 10
ALIVE = 5
"""From this population on a voxel enhances."""
STEPS = 14
GROWTH = 0.10
INVASION = 0.02
INVASION_MM = 2.0
# Death: rate at strength 1, and the part of it that needs dead neighbours.
DEATH = 0.30
SPREADING = 0.9
# A third of the neighbours is enough for the full rate.
CROWDING = 3.0
DEATH_LOSS = 6
# Oil: seeds per voxel and step, rate at which it passes to a neighbour at strength 1, HU for a full voxel.
OIL_SEEDS = 0.0003
OIL_SPREAD = 0.6
OIL_GAIN = 2
OIL_HU = 420.0
RESOLUTION_MM = 0.6
_STREAM = 2403


class CellularAutomaton:
    """Let states of voxels evolve by local rules. Implements :class:`mewm.roles.DynamicsModel`.

    Equal seeds give every protocol the same random numbers; the empty protocol leaves the CT as it is.
    """

    name = "cellular automaton"

    def simulate(self, roi: Roi, protocol: Protocol, seeds: Sequence[int]) -> np.ndarray:
        """Return ``(len(seeds), 96, 96, 96)`` float32 HU, one future a seed.

        Raises:
            InputError: the protocol holds an agent whose effect is unknown.
        """
        space = lesion_space(roi)
        strength = treatment_strength(protocol)
        post = np.empty((len(seeds), *roi.ct.shape), np.float32)
        for future, seed in zip(post, seeds, strict=True):
            future[...] = roi.ct
            if protocol.actions:
                population, oil = evolve(space, strength, seed)
                future[space.box] = _render(space, population, oil)
        return post


def treatment_strength(protocol: Protocol) -> float:
    """Return the one number by which the automaton knows a protocol: log-kill of drugs plus lasting occlusion.

    Raises:
        InputError: the protocol holds an agent whose effect is unknown.
    """
    kill = sum(drug_effect(action).log_kill * dose_factor(action) for action in protocol.drugs)
    effects = [embolic_effect(action) for action in protocol.embolics]
    return float(kill + sum(effect.occlusion * effect.permanence for effect in effects))


def evolve(space: LesionSpace, strength: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Run the automaton on the box of a lesion.

    Args:
        space: the lesion.
        strength: see :func:`treatment_strength`.
        seed: seed of the chance.

    Returns:
        Population and oil of each voxel, int8 0–10.
    """
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, _STREAM])))
    shape = space.lesion.shape
    enhancing = space.lesion & (space.smooth >= space.phenotype.viable_threshold_hu)
    population = np.where(enhancing, FULL, 0).astype(np.int8)
    oil = np.zeros(shape, np.int8)
    reachable = space.liver & (space.distance < INVASION_MM) & (space.gate >= 1)
    dead = space.lesion & ~enhancing
    rate = 1 - np.exp(-DEATH * strength)
    passing = 1 - np.exp(-OIL_SPREAD * strength)
    for _ in range(STEPS):
        # Three fields a step whatever the state, so that protocols share their random numbers.
        first, second, third = rng.random((3, *shape), dtype=np.float32)
        crowd = _neighbours(population) / FULL
        grow = (population > 0) & (population < FULL) & (first < GROWTH * crowd)
        invade = reachable & ~space.lesion & (population == 0) & (first < INVASION * crowd)
        exposed = 1 - SPREADING + SPREADING * np.minimum(CROWDING * _neighbours(dead), 1)
        die = (population > 0) & (second < rate * exposed)
        population = np.where(grow | invade, population + 1, population)
        population = np.where(die, np.maximum(population - DEATH_LOSS, 0), population).astype(np.int8)
        dead |= die & (population == 0)
        # Oil follows the arteries: into what is or was enhancing, from seeds to their neighbours.
        fed = enhancing & (third < np.maximum(passing * np.minimum(CROWDING * _neighbours(oil > 0), 1), OIL_SEEDS))
        oil = np.where(fed, np.minimum(oil + OIL_GAIN, FULL), oil).astype(np.int8)
    return population, oil


def _neighbours(state: np.ndarray) -> np.ndarray:
    """Return the mean of a state over the 27 voxels around each voxel."""
    return ndimage.uniform_filter(state.astype(np.float32), 3, mode="nearest")


def _render(space: LesionSpace, population: np.ndarray, oil: np.ndarray) -> np.ndarray:
    """Turn states into HU: dead tissue loses its enhancement, grown tissue gains it, oil adds its density."""
    seen = space.phenotype
    lost = np.clip((ALIVE - population) / ALIVE, 0, 1) * space.lesion
    change = -lost * np.maximum(space.smooth - seen.necrosis_hu, 0)
    gained = np.clip(population / ALIVE, 0, 1) * (space.liver & ~space.lesion)
    change += gained * (seen.enhancing_hu - seen.liver_hu)
    change += oil * (OIL_HU / FULL)
    change = ndimage.gaussian_filter(change.astype(np.float32), max(RESOLUTION_MM / space.spacing, 0.4))
    return (space.ct + change * space.gate).astype(np.float32)
