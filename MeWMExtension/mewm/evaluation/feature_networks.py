"""What an image looks like as numbers: the pluggable feature networks behind FID and LPIPS.

Figures made with different networks cannot be compared, so every result carries the network's name. The bundled
encoder has no weights: a fixed bank of Gaussian-derivative filters (Koenderink & van Doorn, Biol Cybern 1987
55:367) with steered orientations (Freeman & Adelson, IEEE PAMI 1991 13:891), no random part and nothing to train.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy import ndimage

from mewm.errors import InputError

WINDOW_HU = (-175.0, 600.0)
"""Attenuation that is shown to a network: soft tissue and oil."""
SLICES = 5
"""Axial slices measured a case, so that large lesions do not outweigh small ones."""
_CONTRAST = 0.02
# Slices filtered at once: bounds memory at about 20 MB.
_BATCH = 32


class FeatureNetwork(Protocol):
    """An encoder of axial slices."""

    name: str

    def features(self, slices: np.ndarray) -> np.ndarray:
        """Return one feature vector a slice, ``(n, d)`` float64.

        Args:
            slices: ``(n, height, width)`` in [0, 1].
        """
        ...


class PerceptualNetwork(Protocol):
    """A distance between slices that looks at local structure."""

    name: str

    def distance(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the distance of each pair of slices ``(n,)``.

        Args:
            first, second: ``(n, height, width)`` in [0, 1].
        """
        ...


class FilterBank:
    """Bundled encoder: Gaussian derivatives at four scales. Both a feature and a perceptual network.

    Channels a scale: smoothed intensity; magnitude of the first derivative along 4 directions; second derivative
    along 3 directions, which span all directions. Derivatives are multiplied by the scale to their order.

    Args:
        scales: standard deviations in voxels.
    """

    name = "filter-bank features, not Inception"

    def __init__(self, scales: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)):
        self.scales = scales

    def features(self, slices: np.ndarray) -> np.ndarray:
        """Return mean and standard deviation of each channel over the slice, ``(n, scales · 16)``."""
        rows = []
        for batch in _batches(_checked(slices)):
            pooled = [np.concatenate([m.mean(axis=(2, 3)), m.std(axis=(2, 3))], axis=1) for m in self._maps(batch)]
            rows.append(np.concatenate(pooled, axis=1))
        return np.concatenate(rows).astype(np.float64)

    def distance(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return an LPIPS-like distance ``(n,)``: 0 for equal slices.

        As in LPIPS (Zhang et al., CVPR 2018, arXiv 1801.03924): the channels of each place are scaled to length one,
        differences are squared, summed over channels, averaged over places, and added over scales. A constant of
        0.02 beside the length keeps places without contrast from counting fully. No learned weights.

        Raises:
            InputError: the two stacks have different shapes.
        """
        first, second = _checked(first), _checked(second)
        if first.shape != second.shape:
            raise InputError(f"Slices of shapes {first.shape} and {second.shape} cannot be compared.")
        found = [self._pairs(a, b) for a, b in zip(_batches(first), _batches(second), strict=True)]
        return np.concatenate(found)

    def _pairs(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        both = zip(self._maps(first), self._maps(second), strict=True)
        return np.sum([((_unit(a) - _unit(b)) ** 2).sum(axis=1).mean(axis=(1, 2)) for a, b in both], axis=0)

    def _maps(self, slices: np.ndarray) -> list[np.ndarray]:
        """Return one ``(n, 8, height, width)`` array a scale."""
        return [self._scale(slices, sigma) for sigma in self.scales]

    @staticmethod
    def _scale(slices: np.ndarray, sigma: float) -> np.ndarray:
        def derive(dy: int, dx: int) -> np.ndarray:
            out = ndimage.gaussian_filter(slices, (0, sigma, sigma), order=(0, dy, dx), mode="nearest")
            return out * sigma ** (dy + dx)

        y, x, yy, xy, xx = derive(1, 0), derive(0, 1), derive(2, 0), derive(1, 1), derive(0, 2)
        first = [np.abs(np.cos(a) * x + np.sin(a) * y) for a in np.pi * np.arange(4) / 4]
        second = [
            np.cos(a) ** 2 * xx + 2 * np.cos(a) * np.sin(a) * xy + np.sin(a) ** 2 * yy for a in np.pi * np.arange(3) / 3
        ]
        return np.stack([derive(0, 0), *first, *second], axis=1)


def windowed(ct: np.ndarray, window: tuple[float, float] = WINDOW_HU) -> np.ndarray:
    """Return HU scaled from a window to [0, 1], float32, same shape."""
    low, high = window
    return np.clip((np.asarray(ct, np.float32) - low) / (high - low), 0.0, 1.0)


def lesion_slices(lesion: np.ndarray, count: int = SLICES) -> np.ndarray:
    """Return which axial slices of a case are measured: evenly spaced through its lesion, ends left out.

    Args:
        lesion: bool ``(z, y, x)``.
        count: number of slices; slices repeat in lesions thinner than that.

    Raises:
        InputError: the lesion is empty.
    """
    filled = np.flatnonzero(lesion.any(axis=(1, 2)))
    if not len(filled):
        raise InputError("The lesion is empty, so no slice shows it.")
    at = (np.arange(count) + 0.5) / count * (filled[-1] - filled[0] + 1) + filled[0]
    return np.floor(at).astype(int)


def _checked(slices: np.ndarray) -> np.ndarray:
    slices = np.asarray(slices, np.float32)
    if slices.ndim != 3 or not slices.size:
        raise InputError(f"Slices have the shape {slices.shape}; give (n, height, width).")
    return slices


def _batches(slices: np.ndarray) -> list[np.ndarray]:
    return [slices[i : i + _BATCH] for i in range(0, len(slices), _BATCH)]


def _unit(maps: np.ndarray) -> np.ndarray:
    return maps / (np.linalg.norm(maps, axis=1, keepdims=True) + _CONTRAST)
