"""The random part of a future: what chance decides, drawn from the seed alone and never from the protocol.

Every protocol simulated with the same seed meets the same random numbers, so two protocols differ by
treatment and not by luck (common random numbers).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from mewm.dynamics.space import LesionSpace
from mewm.random_field import smooth_field

# Size of a feeding territory: share of the lesion's diameter, within limits in mm (assumption).
TERRITORY_SHARE = 0.28
TERRITORY_MM = (2.5, 10.0)
# Clusters of sinusoids that fill together, and the grain of retained oil (granular at 1–3 mm), mm.
CLUSTER_MM = 1.9
GRAIN_MM = 0.6
_CACHED_SEEDS = 32


@dataclass(frozen=True, eq=False)
class RandomFields:
    """Random numbers of one seed on the lesion's box, ``(z, y, x)`` float32.

    Attributes:
        territory: which parts of the lesion the feeding arteries reach; mean 0, variance 1 in the lesion.
        cluster: coherent variation at about 4 mm; standard normal.
        side: −1 to 1 across the lesion; the side that portal and collateral vessels feed is positive.
        luck: standard normals by name: ``oil``, ``kill``, ``growth``, ``shrink``, ``necrosis``, ``dense``.
        gas: uniform number that decides whether gas is seen.
        seed: the seed, for the few draws that depend on the lesion's outcome.
        spacing: edge of a voxel in mm.
    """

    territory: np.ndarray
    cluster: np.ndarray
    side: np.ndarray
    luck: dict[str, float]
    gas: float
    seed: int
    spacing: float

    @cached_property
    def grain(self) -> np.ndarray:
        """Fine variation at 1–3 mm; standard normal. Drawn when asked for: what becomes of the tumour needs none."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, 2])))
        return _gaussian_field(rng, self.side.shape, max(GRAIN_MM / self.spacing, 0.4))


def random_fields(space: LesionSpace, seed: int) -> RandomFields:
    """Return the random fields of ``seed`` for one lesion (cached for the last seeds used)."""
    cache: dict[int, RandomFields] = space.cache.setdefault("fields", {})
    fields = cache.get(seed)
    if fields is None:
        fields = _draw(space, seed)
        for oldest in list(cache)[: max(len(cache) - _CACHED_SEEDS + 1, 0)]:
            cache.pop(oldest, None)
        cache[seed] = fields
    return fields


def _draw(space: LesionSpace, seed: int) -> RandomFields:
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
    names = ("oil", "kill", "growth", "shrink", "necrosis", "dense")
    luck = {name: float(v) for name, v in zip(names, rng.standard_normal(len(names)), strict=True)}
    gas = float(rng.random())
    direction = rng.standard_normal(3)
    direction /= np.linalg.norm(direction)
    shape, step = space.lesion.shape, space.spacing
    scale = float(np.clip(TERRITORY_SHARE * space.phenotype.diameter_mm, *TERRITORY_MM))
    territory = smooth_field(rng, shape, scale / step)
    inside = territory.ravel()[space.inner]
    territory = (territory - inside.mean()) / max(float(inside.std()), 0.3)
    return RandomFields(
        territory=territory,
        cluster=smooth_field(rng, shape, CLUSTER_MM / step),
        side=_side(space, direction),
        luck=luck,
        gas=gas,
        seed=seed,
        spacing=step,
    )


def _gaussian_field(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """Stationary Gaussian noise of unit variance with a Gaussian kernel of ``sigma`` voxels."""
    white = rng.standard_normal(shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, sigma, truncate=2.5, mode="wrap")
    return smooth / max(float(smooth.std()), 1e-6)


def _side(space: LesionSpace, direction: np.ndarray) -> np.ndarray:
    """Position along ``direction`` through the lesion's centre, in half diameters, limited to ±1."""
    centre = np.argwhere(space.lesion).mean(0)
    half = max(0.5 * space.phenotype.diameter_mm / space.spacing, 1.0)
    axes = np.ogrid[tuple(slice(0, n) for n in space.lesion.shape)]
    along = sum(d * (a - c) for d, a, c in zip(direction, axes, centre, strict=True))
    return np.clip(np.asarray(along) / half, -1, 1).astype(np.float32)
