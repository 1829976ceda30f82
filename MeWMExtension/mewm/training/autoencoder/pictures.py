"""Pictures of reconstructions: true CT beside the reconstructed one, for the eye that figures do not replace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mewm.dynamics.autoencoder.network import WINDOW_HU
from mewm.training.autoencoder.reconstruction import Scan

SHOWN_HU = (-100.0, 400.0)
DIFFERENCE_HU = 100.0


def comparison(scans: Sequence[Scan], made: Sequence[np.ndarray]) -> np.ndarray:
    """Return one row a scan: true, reconstructed, and their difference (grey is none, white +100 HU).

    The axial slice is the one with most of the lesion.

    Returns:
        uint8 (rows · 96, columns · 96).
    """
    rows = []
    for scan, volume in zip(scans, made, strict=True):
        z = int(np.argmax(scan.lesion.sum(axis=(1, 2))))
        shown = [_grey(scan.ct[z]), _grey(volume[z])]
        difference = np.clip((volume[z] - np.clip(scan.ct[z], *WINDOW_HU)) / (2 * DIFFERENCE_HU) + 0.5, 0, 1)
        rows.append(np.hstack([*shown, (difference * 255).astype(np.uint8)]))
    return np.vstack(rows)


def _grey(slice_hu: np.ndarray) -> np.ndarray:
    low, high = SHOWN_HU
    return (np.clip((slice_hu - low) / (high - low), 0.0, 1.0) * 255).astype(np.uint8)
