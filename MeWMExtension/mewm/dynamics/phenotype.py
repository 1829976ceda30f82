"""What the pre-treatment CT shows of the lesion: size, vascularity, necrotic core, margin, noise.

The contrast phase is unknown, so enhancement is relative to the liver: attenuation above that of
unenhanced tissue, the lesion's over the liver's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mewm.clinical import ClinicalFacts
from mewm.diameter import longest_axial_diameter
from mewm.roi import Roi
from mewm.voxels import grow, tight_box

# Unenhanced parenchyma and tumour, HU: common reference values of abdominal CT (assumption, not scan-specific).
UNENHANCED_HU = 40.0
# Non-enhancing necrosis, HU: centre of the usual 20–45.
NECROSIS_HU = 32.0
# Necrosis must stay this far below enhancing tumour to be told apart; on unenhanced scans it is drawn darker.
LEAST_CONTRAST_HU = 20.0
# Smoothing that separates attenuation from noise, mm.
SMOOTHING_MM = 2.0
# Arterial perfusion that liver lacks against tumour: its supply is three quarters portal (standard physiology).
LIVER_DEFICIT = 0.75
# Weight of the outermost voxels (partial volume) when the lesion's attenuation is read.
BORDER_WEIGHT = 0.1
# Liver this far around the lesion gives its attenuation and noise, mm.
SURROUNDINGS_MM = 12.0
# Perfusion of the enhancing part against relative enhancement: floor and slope. The floor stands for the
# unknown phase: a lesion that is dark in the portal phase may have been bright in the arterial one (assumption).
PERFUSION_FLOOR = 0.55
PERFUSION_SLOPE = 0.35
SHUNT_GRADE = {"none": 0.0, "mild": 0.5, "severe": 1.0}


@dataclass(frozen=True)
class Phenotype:
    """The visible phenotype of a lesion.

    Attributes:
        volume_ml: volume of the lesion.
        diameter_mm: longest axial diameter of the lesion.
        liver_hu: typical attenuation of the liver around it.
        enhancing_hu: typical attenuation of its enhancing part.
        necrosis_hu: attenuation at which necrosis is expected in this scan.
        noise_hu: standard deviation of the noise in the liver.
        relative_enhancement: enhancement of its enhancing part over that of the liver; 1 is isodense.
        necrotic_fraction: share of the lesion that does not enhance.
        heterogeneity: spread of the smoothed attenuation beyond noise, over the contrast to necrosis.
        irregularity: 0 for a ball, towards 1 for a ragged or infiltrative margin (1 − sphericity).
        rim_enhancement: outer minus inner attenuation over the contrast to necrosis; positive for a bright rim.
        shunt: arterioportal or arteriovenous shunt from the clinical facts, 0 none to 1 severe.
    """

    volume_ml: float
    diameter_mm: float
    liver_hu: float
    enhancing_hu: float
    necrosis_hu: float
    noise_hu: float
    relative_enhancement: float
    necrotic_fraction: float
    heterogeneity: float
    irregularity: float
    rim_enhancement: float
    shunt: float = 0.0

    @property
    def viable_threshold_hu(self) -> float:
        """Smoothed attenuation above which tissue of the lesion counts as enhancing."""
        return 0.5 * (self.necrosis_hu + self.enhancing_hu)

    @property
    def perfusion_scale(self) -> float:
        """Arterial perfusion of the enhancing part relative to a typical hypervascular HCC, 0.55–1.1."""
        return PERFUSION_FLOOR + PERFUSION_SLOPE * min(max(self.relative_enhancement, 0.0), 1.5)


def smooth_within(ct: np.ndarray, weight: np.ndarray, spacing: float, sigma_mm: float = SMOOTHING_MM) -> np.ndarray:
    """Gaussian smoothing that uses only the voxels of a mask.

    Args:
        ct: HU, any 3D shape.
        weight: bool mask or float weights in [0, 1], same shape.
        spacing: edge of a voxel in mm.
        sigma_mm: standard deviation of the Gaussian.

    Returns:
        float32 HU; where no voxel of the mask is near, the mean over the mask.
    """
    sigma = sigma_mm / spacing
    box = tight_box(weight, pad=int(np.ceil(2.5 * sigma)))
    weights = weight[box].astype(np.float32)
    # Clipping keeps a vessel clip, gas or a rib that the mask touches from smearing over the lesion.
    values = np.clip(ct[box], -50, 300) * weights
    mean = float(values.sum() / max(weights.sum(), 1e-6))
    total = ndimage.gaussian_filter(values, sigma, truncate=2.5, mode="constant")
    norm = ndimage.gaussian_filter(weights, sigma, truncate=2.5, mode="constant")
    smooth = np.full(ct.shape, mean, np.float32)
    np.divide(total, norm, out=smooth[box], where=norm > 0.005)
    return smooth


def lesion_weight(lesion: np.ndarray) -> np.ndarray:
    """Weights that trust the lesion's outermost voxels little, because they hold liver too; float32."""
    return np.where(_eroded(lesion), 1.0, np.where(lesion, BORDER_WEIGHT, 0.0)).astype(np.float32)


def read_phenotype(roi: Roi) -> Phenotype:
    """Read the lesion's phenotype from the pre-treatment CT of ``roi``."""
    box = tight_box(roi.lesion, pad=int(np.ceil(SURROUNDINGS_MM / roi.spacing)))
    ct, lesion = roi.ct[box], roi.lesion[box]
    smooth = smooth_within(ct, lesion_weight(lesion), roi.spacing)
    liver_hu, noise = _liver(ct, lesion, (roi.liver & roi.inside)[box], roi.spacing)
    values = smooth[_core(lesion)]
    bright = values > 0.5 * (NECROSIS_HU + np.percentile(values, 90))
    enhancing = float(np.median(values[bright])) if bright.any() else float(np.median(values))
    necrosis = min(NECROSIS_HU, enhancing - LEAST_CONTRAST_HU)
    contrast = enhancing - necrosis
    all_values = smooth[lesion]
    # Smoothing with a Gaussian divides the variance of white noise by (2 √π σ)³, σ in voxels.
    residual = noise**2 / max((2 * np.sqrt(np.pi) * SMOOTHING_MM / roi.spacing) ** 3, 1.0)
    rim = _rim(lesion, max(3.0, 1.5 * roi.spacing) / roi.spacing)
    inner = lesion & ~rim
    return Phenotype(
        volume_ml=float(lesion.sum()) * roi.spacing**3 / 1000,
        diameter_mm=longest_axial_diameter(lesion, roi.spacing),
        liver_hu=liver_hu,
        enhancing_hu=enhancing,
        necrosis_hu=necrosis,
        noise_hu=noise,
        relative_enhancement=float(
            np.clip((enhancing - UNENHANCED_HU) / max(liver_hu - UNENHANCED_HU, 30.0), 0.0, 2.5)
        ),
        necrotic_fraction=float((all_values < 0.5 * (necrosis + enhancing)).mean()),
        heterogeneity=float(np.sqrt(max(all_values.var() - residual, 0.0)) / contrast),
        irregularity=float(np.clip(1 - _sphericity(lesion), 0.0, 1.0)),
        rim_enhancement=float((smooth[rim].mean() - smooth[inner].mean()) / contrast) if inner.any() else 0.0,
        shunt=shunt_grade(roi.facts),
    )


def shunt_grade(facts: ClinicalFacts) -> float:
    """Return 0 (none or not stated), 0.5 (mild) or 1 (severe) for the arteriovenous shunt of ``facts``."""
    return SHUNT_GRADE.get(facts.arteriovenous_shunt or "none", 0.0)


def perfusion_map(smooth: np.ndarray, lesion: np.ndarray, phenotype: Phenotype) -> np.ndarray:
    """Smooth relative arterial perfusion within the lesion.

    Args:
        smooth: attenuation smoothed within the lesion, HU.
        lesion: bool, same shape.
        phenotype: its phenotype.

    Returns:
        float32, unitless 0–1.5; 0 in necrosis and outside the lesion, near 1 in hypervascular tumour.
    """
    share = (smooth - phenotype.necrosis_hu) / (phenotype.enhancing_hu - phenotype.necrosis_hu)
    share = np.clip(share, 0.0, 1.4)
    darker = phenotype.liver_hu - phenotype.enhancing_hu
    if darker > LEAST_CONTRAST_HU:
        # In a lesion darker than the liver, what looks like liver within the drawn border is liver: the
        # hepatic artery gives it a quarter of its blood and little oil.
        likeness = np.clip((smooth - phenotype.enhancing_hu) / darker, 0.0, 1.0)
        share = np.minimum(share, 1.0) * (1 - LIVER_DEFICIT * likeness)
    perfusion = phenotype.perfusion_scale * share
    return np.where(lesion, np.clip(perfusion, 0.0, 1.5), 0.0).astype(np.float32)


def _eroded(lesion: np.ndarray) -> np.ndarray:
    """The lesion without the voxels that touch what is not lesion; slices, ten times as fast as scipy's erosion."""
    return lesion & ~grow(~lesion)


def _core(lesion: np.ndarray) -> np.ndarray:
    """The lesion without its outermost voxels (partial volume), or all of it when it is tiny."""
    core = _eroded(lesion)
    return core if core.sum() >= 50 else lesion


def _rim(lesion: np.ndarray, voxels: float) -> np.ndarray:
    """The part of the lesion within ``voxels`` of what is not lesion."""
    box = tight_box(lesion, pad=1)
    rim = np.zeros_like(lesion)
    rim[box] = lesion[box] & (ndimage.distance_transform_edt(lesion[box]) <= voxels)
    return rim


def _liver(ct: np.ndarray, lesion: np.ndarray, liver: np.ndarray, spacing: float) -> tuple[float, float]:
    """Median attenuation and noise of the liver around the lesion."""
    around = liver & ~ndimage.binary_dilation(lesion, iterations=2)
    if around.sum() < 200:  # the lesion fills the liver mask: take soft tissue near it
        around = ~lesion & (ct > 20) & (ct < 250)
    if not around.any():
        around = lesion
    residual = (ct - ndimage.gaussian_filter(ct, 1.5, truncate=2.5))[around]
    noise = 1.4826 * float(np.median(np.abs(residual - np.median(residual))))
    return float(np.median(ct[around])), noise


def _sphericity(lesion: np.ndarray) -> float:
    """Surface of the ball of equal volume over the lesion's surface, from the gradient of the softened mask."""
    soft = ndimage.gaussian_filter(np.pad(lesion, 4).astype(np.float32), 1.0)
    surface = float(np.sqrt(sum(g**2 for g in np.gradient(soft))).sum())
    volume = float(lesion.sum())
    return float((36 * np.pi * volume**2) ** (1 / 3) / max(surface, 1e-6))
