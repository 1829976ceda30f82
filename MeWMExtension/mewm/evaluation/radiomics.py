"""Shape and first-order features of a lesion, for the radiomics Cox baseline.

pyradiomics is not used: its last release (3.1.0) offers no wheel for Python 3.10 to 3.12, and building it from source
fails in pip's isolated build because it imports numpy without declaring it. SimpleITK's label statistics give the
same kind of features; definitions follow the Image Biomarker Standardisation Initiative (Zwanenburg et al., Radiology
2020 295:328) where SimpleITK does.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from mewm.errors import InputError

# Width of a histogram bin for the entropy, HU; pyradiomics' customary choice for CT.
BIN_HU = 25.0


def shape_features(mask: np.ndarray, spacing: float) -> dict[str, float]:
    """Return the shape of a mask.

    Args:
        mask: bool ``(z, y, x)``.
        spacing: edge of a voxel in mm.

    Returns:
        ``log_volume_ml``; ``sphericity``: surface of the ball of equal volume over the surface, about 1 for a ball;
        ``elongation``, ``flatness``: longest over middle and middle over shortest principal extent, 1 for a ball;
        ``max_diameter_mm``: longest distance of two voxels (Feret).

    Raises:
        InputError: the mask is empty.
    """
    _check(mask)
    image = _image(mask.astype(np.uint8), spacing)
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.ComputeFeretDiameterOn()
    statistics.Execute(image)
    smallest, middle, longest = (max(m, 1e-6) ** 0.5 for m in sorted(statistics.GetPrincipalMoments(1)))
    return {
        "log_volume_ml": float(np.log(statistics.GetPhysicalSize(1) / 1000)),
        "sphericity": float(statistics.GetRoundness(1)),
        "elongation": float(longest / middle),
        "flatness": float(middle / smallest),
        "max_diameter_mm": float(statistics.GetFeretDiameter(1)),
    }


def first_order_features(ct: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Return how attenuation is distributed within a mask.

    Args:
        ct: HU ``(z, y, x)``.
        mask: bool, same shape.

    Returns:
        ``mean``, ``sd``, ``p10``, ``median``, ``p90`` in HU; ``skewness``, ``kurtosis`` (3 for a Gaussian);
        ``entropy`` in bits over bins of 25 HU.

    Raises:
        InputError: the mask is empty.
    """
    _check(mask)
    statistics = sitk.LabelIntensityStatisticsImageFilter()
    statistics.Execute(_image(mask.astype(np.uint8), 1.0), _image(ct.astype(np.float32), 1.0))
    values = ct[mask].astype(float)
    bins = np.unique(np.floor(values / BIN_HU), return_counts=True)[1] / len(values)
    p10, p90 = np.quantile(values, [0.1, 0.9])
    flat = statistics.GetStandardDeviation(1) == 0 or len(values) < 2
    return {
        "mean": float(statistics.GetMean(1)),
        "sd": 0.0 if flat else float(statistics.GetStandardDeviation(1)),
        "p10": float(p10),
        "median": float(np.median(values)),
        "p90": float(p90),
        "skewness": 0.0 if flat else float(statistics.GetSkewness(1)),
        # SimpleITK's kurtosis is the excess over a Gaussian's.
        "kurtosis": 3.0 if flat else float(statistics.GetKurtosis(1)) + 3.0,
        "entropy": float(-(bins * np.log2(bins)).sum()),
    }


def radiomics(pre_ct: np.ndarray, post_ct: np.ndarray, lesion: np.ndarray, spacing: float) -> dict[str, float]:
    """Return the features of a case: the lesion's shape, and its attenuation before and after treatment.

    Args:
        pre_ct, post_ct: HU ``(z, y, x)`` on one grid.
        lesion: pre-treatment lesion, bool; the volume looked at in both CTs.
        spacing: edge of a voxel in mm.

    Returns:
        Features with the prefixes ``shape_``, ``pre_``, ``post_``.

    Raises:
        InputError: the lesion is empty.
    """
    return {
        **{f"shape_{k}": v for k, v in shape_features(lesion, spacing).items()},
        **{f"pre_{k}": v for k, v in first_order_features(pre_ct, lesion).items()},
        **{f"post_{k}": v for k, v in first_order_features(post_ct, lesion).items()},
    }


def _image(array: np.ndarray, spacing: float) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([spacing] * 3)
    return image


def _check(mask: np.ndarray) -> None:
    if not mask.any():
        raise InputError("The lesion is empty, so it has no radiomics features.")
