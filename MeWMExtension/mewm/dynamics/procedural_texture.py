"""A peer's idea as an arm: the post-treatment lesion painted by a random texture that does not know the protocol.

The idea is that of SynTumor (Hu et al., CVPR 2023, arXiv 2303.14869): lesions without training data, their texture
from scaled-up Gaussian noise, their border blended into the liver. Here it is told that something was given, and
paints viable tumour, necrosis and oil in shares that it draws. What a protocol changes it cannot know, which is why it
is an arm to beat and not a model to use. Written afresh from the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from mewm.actions.protocol import Protocol
from mewm.dynamics.space import LesionSpace, lesion_space
from mewm.roi import Roi

# Distance of the nodes of the Gaussian noise that is scaled up, and softness of borders, mm.
TEXTURE_MM = 5.0
BORDER_MM = 1.0
# Dirichlet weights of the shares of oil, necrosis and viable tumour: any mixture, extremes rare (assumption).
SHARES = (1.6, 1.2, 1.2)
# Attenuation that oil adds, HU: tumour-to-liver contrast 283 ± 152 HU (JVIR 2013, 10.1016/j.jvir.2013.08.017).
OIL_HU = (283.0, 152.0)
OIL_RANGE_HU = (120.0, 800.0)
OIL_GRAIN = 0.35
_STREAM = 2303


class ProceduralTexture:
    """Paint a random treated lesion. Implements :class:`mewm.roles.DynamicsModel`.

    Equal seeds give every protocol the same picture; the empty protocol leaves the CT as it is.
    """

    name = "procedural texture"

    def simulate(self, roi: Roi, protocol: Protocol, seeds: Sequence[int]) -> np.ndarray:
        """Return ``(len(seeds), 96, 96, 96)`` float32 HU, one picture a seed."""
        space = lesion_space(roi)
        post = np.empty((len(seeds), *roi.ct.shape), np.float32)
        for future, seed in zip(post, seeds, strict=True):
            future[...] = roi.ct
            if protocol.actions:
                future[space.box] = _paint(space, seed)
        return post


def scaled_up_noise(rng: np.random.Generator, shape: tuple[int, ...], step: float) -> np.ndarray:
    """Return Gaussian noise drawn every ``step`` voxels and interpolated between, float32, unit variance."""
    nodes = rng.standard_normal([int(np.ceil(n / step)) + 3 for n in shape])
    offset = rng.random(3)
    axes = [o + np.arange(n) / step for o, n in zip(offset, shape, strict=True)]
    noise = ndimage.map_coordinates(nodes, np.meshgrid(*axes, indexing="ij"), order=3, mode="nearest")
    return (noise / max(float(noise.std()), 1e-6)).astype(np.float32)


def _paint(space: LesionSpace, seed: int) -> np.ndarray:
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, _STREAM])))
    oil_share, _, viable_share = rng.dirichlet(SHARES)
    density = float(np.clip(rng.normal(*OIL_HU), *OIL_RANGE_HU))
    texture = scaled_up_noise(rng, space.lesion.shape, TEXTURE_MM / space.spacing)
    grain = scaled_up_noise(rng, space.lesion.shape, max(1.5 / space.spacing, 1.0))
    texture = texture + 0.3 * grain
    inside = texture[space.lesion]
    oil = texture >= np.quantile(inside, 1 - oil_share)
    viable = texture <= np.quantile(inside, viable_share)
    level = np.full(texture.shape, space.phenotype.necrosis_hu, np.float32)
    level[viable] = space.phenotype.enhancing_hu
    level[oil] += (density * np.exp(OIL_GRAIN * grain - OIL_GRAIN**2 / 2))[oil]
    sigma = BORDER_MM / space.spacing
    level = ndimage.gaussian_filter(level, 0.6 * sigma)
    # The scan's own noise stays: what the smoothed lesion does not explain.
    painted = level + (space.ct - space.smooth)
    weight = ndimage.gaussian_filter(space.lesion.astype(np.float32), sigma) * space.gate
    return (space.ct + weight * (painted - space.ct)).astype(np.float32)
