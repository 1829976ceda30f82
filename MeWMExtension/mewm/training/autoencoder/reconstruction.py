"""How well a CT survives the autoencoder: error by tissue, oil in its place, and whether anything survives at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from mewm.cohort.dataset import CohortCase
from mewm.dynamics.autoencoder.network import WINDOW_HU, Autoencoder, from_window, to_window
from mewm.roles import Tissue

OIL_HU = 180.0
"""Above this the liver holds oil."""
FEWEST_VOXELS = 30
"""Regions smaller than this give no figure."""
LEAST_CONTRAST = 0.5
"""Least share of a lesion's own variation that a reconstruction must show; below it the model has collapsed."""
_FINE_SIGMA = 1.5
_TISSUES = {"liver": Tissue.LIVER, "viable": Tissue.VIABLE, "necrosis": Tissue.NECROSIS, "lipiodol": Tissue.LIPIODOL}


@dataclass(frozen=True, eq=False)
class Scan:
    """One CT on the model grid with what is known of it.

    Attributes:
        name: of the case, and before or after treatment.
        ct: Hounsfield units, (96, 96, 96).
        regions: bool masks by tissue; those that are empty or unknown may be missing.
        lesion: bool mask of the target lesion before treatment.
    """

    name: str
    ct: np.ndarray
    regions: Mapping[str, np.ndarray]
    lesion: np.ndarray


def scans_of(case: CohortCase) -> tuple[Scan, Scan]:
    """Return a case's CT before and after treatment; without tissue labels the second has no regions of the lesion."""
    roi, name = case.roi, case.row.case_id
    before = {"liver": roi.liver & ~roi.lesion, "viable": roi.lesion}
    after = {"liver": roi.liver & ~roi.lesion}
    if case.tissue is not None:
        after = {region: case.tissue == value for region, value in _TISSUES.items()}
    return (
        Scan(f"{name} before", roi.ct, before, roi.lesion),
        Scan(f"{name} after", case.post_ct, after, roi.lesion),
    )


def reconstruct(network: Autoencoder, ct: np.ndarray, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """Return a CT as the network gives it back, (96, 96, 96) HU, and its latents, (C, 24, 24, 24)."""
    with torch.no_grad():
        given = torch.as_tensor(np.ascontiguousarray(ct), dtype=torch.float32, device=device)[None, None]
        latent = network.encode(to_window(given))
        made = from_window(network.decode(latent))
    return made[0, 0].cpu().numpy(), latent[0].cpu().numpy()


def figures_of(scan: Scan, made: np.ndarray) -> dict[str, float]:
    """Return the figures of one reconstruction.

    Args:
        scan: the truth, with its noise.
        made: the reconstruction, HU, (96, 96, 96).

    Returns:
        ``mae_<region>``: mean absolute error in HU, most of the noise included.
        ``bias_<region>``: mean error in HU. ``oil_dice`` and ``oil_mean`` (relative error of the mean HU): the region
        above 180 HU in and 6 voxels around the lesion, where the scan has a region of lipiodol. ``contrast``: standard
        deviation of the reconstruction over the lesion and 3 voxels around it, relative to the truth's, fine structure
        aside. Regions below 30 voxels give NaN.
    """
    reference = np.clip(scan.ct, *WINDOW_HU)
    error = made - reference
    found: dict[str, float] = {}
    for name in _TISSUES:
        mask = scan.regions.get(name)
        usable = mask is not None and np.count_nonzero(mask) >= FEWEST_VOXELS
        found[f"mae_{name}"] = float(np.abs(error[mask]).mean()) if usable else np.nan
        found[f"bias_{name}"] = float(error[mask].mean()) if usable else np.nan
    near = ndimage.binary_dilation(scan.lesion, iterations=6)
    oil, made_oil = (reference > OIL_HU) & near, (made > OIL_HU) & near
    # Before treatment only vessels and noise are that bright.
    usable = "lipiodol" in scan.regions and np.count_nonzero(oil) >= FEWEST_VOXELS
    both = np.count_nonzero(oil) + np.count_nonzero(made_oil)
    found["oil_dice"] = 2.0 * np.count_nonzero(oil & made_oil) / both if usable else np.nan
    found["oil_mean"] = float(made[oil].mean() / reference[oil].mean() - 1.0) if usable else np.nan
    around = ndimage.binary_dilation(scan.lesion, iterations=3)
    smooth = ndimage.gaussian_filter(reference, _FINE_SIGMA)
    made_smooth = ndimage.gaussian_filter(made, _FINE_SIGMA)
    found["contrast"] = float(made_smooth[around].std() / max(smooth[around].std(), 1e-6))
    return found


def collapsed(contrast: float, latent_spread: np.ndarray) -> str:
    """Say in a sentence how a model has collapsed, or return an empty text.

    The mean error does not tell: most of a CT is smooth, and a constant does well on it.

    Args:
        contrast: median ``contrast`` of :func:`figures_of` over scans.
        latent_spread: standard deviation of each latent channel over scans and places, (C,).
    """
    if contrast < LEAST_CONTRAST:
        return (
            f"Reconstructed lesions vary only {contrast:.0%} as much as the true ones: the autoencoder has collapsed."
        )
    silent = int(np.count_nonzero(latent_spread < 0.05 * latent_spread.max()))
    if silent * 2 > len(latent_spread):
        return f"{silent} of {len(latent_spread)} latent channels carry nothing: the autoencoder has collapsed."
    return ""


def noise_sd(ct: np.ndarray, mask: np.ndarray) -> float:
    """Estimate the standard deviation of a CT's noise in HU within a smooth region, from what is finer than 3 mm."""
    inner = ndimage.binary_erosion(mask, iterations=2)
    fine = (ct - ndimage.gaussian_filter(ct, 2.0))[inner if inner.any() else mask]
    return float(1.4826 * np.median(np.abs(fine - np.median(fine))))
