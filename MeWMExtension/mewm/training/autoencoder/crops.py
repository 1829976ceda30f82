"""Training examples of the autoencoder: cubes of a CT, turned and shifted in density at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mewm.roi import GRID
from mewm.training.autoencoder.config import Crops
from mewm.training.draws import Draws
from mewm.training.volumes import Volumes


@dataclass(frozen=True, eq=False)
class CropDraw:
    """Makes a crop of a case.

    Attributes:
        volumes: CTs of the cases.
        settings: size, place and density of a crop.
    """

    volumes: Volumes
    settings: Crops

    def __call__(self, item: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return ``"ct"``, (1, edge, edge, edge) float32 HU."""
        volumes, settings, edge = self.volumes, self.settings, self.settings.edge
        when = int(rng.random() < settings.after_share)
        if rng.random() < settings.lesion_share:
            centre = rng.uniform(volumes.boxes[item, :, 0], volumes.boxes[item, :, 1])
            start = np.clip(np.rint(centre - edge / 2), 0, GRID - edge).astype(int)
        else:
            start = rng.integers(0, GRID - edge + 1, 3)
        cube = volumes.ct[item, when][tuple(slice(s, s + edge) for s in start)]
        mirrored = tuple(int(axis) for axis in np.flatnonzero(rng.random(3) < 0.5))
        cube = np.flip(cube.transpose(rng.permutation(3)), mirrored)
        scale = 1.0 + rng.uniform(-settings.scale, settings.scale)
        shift = rng.uniform(-settings.shift_hu, settings.shift_hu)
        return {"ct": torch.from_numpy((cube * scale + shift).astype(np.float32)[None])}


def crop_draws(volumes: Volumes, settings: Crops, seed: int) -> Draws:
    """Return the endless stream of crops: dicts with ``"ct"``, (1, edge, edge, edge) float32 HU.

    The six directions are mirrored and exchanged at random: no side of the body is to be learnt by heart.
    """
    return Draws(len(volumes.rows), CropDraw(volumes, settings), seed)
