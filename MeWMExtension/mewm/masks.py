"""Turn a mask as it comes (label map, other grid, several lesions) into one binary mask on the CT's grid."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mewm.errors import InputError
from mewm.volume_checks import check_geometry

GRID_TOLERANCE = 0.01
"""Two grids are one where no corner differs by more than this share of a voxel."""
SMALL_COMPONENT_MM3 = 30.0
"""A component below this volume (a ball of 4 mm diameter) is rather a slip of the pen than a lesion."""


def voxel_volume_mm3(image: sitk.Image) -> float:
    """Return the volume of a voxel in mm³."""
    return float(np.prod(image.GetSpacing()))


def corners(image: sitk.Image) -> np.ndarray:
    """Return the LPS positions in mm of the centres of the eight corner voxels, ``(8, 3)``."""
    index = np.array(np.meshgrid(*[(0, n - 1) for n in image.GetSize()], indexing="ij")).reshape(3, -1).T
    matrix = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    return np.array(image.GetOrigin()) + index @ matrix.T


def same_grid(first: sitk.Image, second: sitk.Image) -> bool:
    """Whether two images have the same voxels at the same places."""
    if first.GetSize() != second.GetSize():
        return False
    tolerance = GRID_TOLERANCE * min(first.GetSpacing())
    return bool(np.abs(corners(first) - corners(second)).max() < tolerance)


def select_label(image: sitk.Image, label: int | None, name: str) -> sitk.Image:
    """Return a uint8 mask (0 and 1) of one value of a label map, on the label map's own grid.

    Args:
        image: integer labels, or floats that are whole numbers.
        label: the value to take; ``None`` where the mask has one value besides zero.
        name: what the mask is, for the message.

    Raises:
        InputError: not a label map, empty, several values without ``label``, or ``label`` is not among them.
    """
    check_geometry(image, name)
    array = sitk.GetArrayViewFromImage(image)
    if not np.isfinite(array).all():
        raise InputError(f"The {name} holds values that are not numbers (NaN or infinite); give a mask of 0 and 1.")
    inside = array[array != 0]
    if inside.size == 0:
        raise InputError(f"The {name} is empty (all voxels are 0); draw the structure or choose another file.")
    values = np.unique(inside)
    if not np.array_equal(values, np.round(values)):
        raise InputError(
            f"The {name} holds fractions such as {values[values != np.round(values)][0]:.3g} (a probability "
            "map?); threshold it to 0 and 1."
        )
    if values.size > 1000 or values[0] < 0:
        raise InputError(
            f"The {name} holds {values.size} different values from {values[0]:g} to {values[-1]:g}, like an "
            "image; give a mask of 0 and 1 or a label map."
        )
    listed = ", ".join(f"{v:g}" for v in values[:20]) + (", …" if values.size > 20 else "")
    if label is None:
        if values.size > 1:
            raise InputError(f"The {name} has several labels ({listed}); say which one to use.")
        label = int(values[0])
    elif label not in values:
        raise InputError(f"The {name} has no label {label}, only {listed}; choose one of these.")
    mask = sitk.GetImageFromArray((array == label).astype(np.uint8))
    mask.CopyInformation(image)
    return mask


def onto_grid(mask: sitk.Image, ct: sitk.Image, name: str) -> tuple[sitk.Image, tuple[str, ...]]:
    """Bring a binary mask onto the CT's grid (nearest neighbour) with warnings about what changed.

    Raises:
        InputError: the mask does not meet the CT, or has nothing left on its coarser grid.
    """
    if same_grid(mask, ct):
        mask = sitk.Image(mask)
        mask.CopyInformation(ct)
        return mask, ()
    moved = sitk.Resample(mask, ct, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor, 0, sitk.sitkUInt8)
    before = _volume(mask)
    after = _volume(moved)
    outside = 1.0 - _share_inside(mask, ct)
    if outside == 1.0:
        hint = " (they have the same number of voxels: was the header lost?)" if _same_size(mask, ct) else ""
        raise InputError(f"The {name} lies wholly outside the CT{hint}; check that both belong to the same scan.")
    if after == 0:
        raise InputError(f"The {name} of {before:.3g} mm³ vanishes between the CT's voxels; draw it on the CT itself.")
    warnings = [f"The {name} was on another grid and was resampled onto the CT's grid."]
    if outside > 0.001:
        warnings.append(f"{100 * outside:.0f} % of the {name} lies outside the CT and was left out.")
    return moved, tuple(warnings)


def _same_size(first: sitk.Image, second: sitk.Image) -> bool:
    return bool(first.GetSize() == second.GetSize())


def _volume(mask: sitk.Image) -> float:
    return int(np.count_nonzero(sitk.GetArrayViewFromImage(mask))) * voxel_volume_mm3(mask)


def _share_inside(mask: sitk.Image, ct: sitk.Image) -> float:
    """Return which share of the mask's voxel centres lies within the CT's voxels."""
    index = np.argwhere(sitk.GetArrayViewFromImage(mask))[:, ::-1]
    here = np.array(mask.GetDirection()).reshape(3, 3) * np.array(mask.GetSpacing())
    there = np.array(ct.GetDirection()).reshape(3, 3) * np.array(ct.GetSpacing())
    world = index @ here.T + np.array(mask.GetOrigin())
    seen = (world - np.array(ct.GetOrigin())) @ np.linalg.inv(there).T
    return float(((seen >= -0.5) & (seen <= np.array(ct.GetSize()) - 0.5)).all(axis=1).mean())


def bounding_box(array: np.ndarray) -> tuple[slice, slice, slice]:
    """Return the smallest box around the non-zero voxels of a non-empty array."""
    box = []
    for axis in range(3):
        other = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(array.any(axis=other))
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return box[0], box[1], box[2]


def select_component(mask: sitk.Image, component: int | None, name: str) -> tuple[sitk.Image, tuple[str, ...]]:
    """Return one connected component (26-neighbourhood) of a mask.

    Args:
        mask: binary uint8, not empty.
        component: 1 is the largest; ``None`` takes the largest and warns about the others.
        name: what the mask is, for the message.

    Raises:
        InputError: there is no such component.
    """
    array = sitk.GetArrayFromImage(mask)
    box = bounding_box(array)
    labels, count = ndimage.label(array[box], structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    volumes = sizes[order] * voxel_volume_mm3(mask)
    chosen = 1 if component is None else component
    if not 1 <= chosen <= count:
        holds = f"{count} separate parts" if count > 1 else "one part"
        choice = f"choose 1 to {count}" if count > 1 else "choose 1"
        raise InputError(f"The {name} has {holds}, not a number {component}; {choice}.")
    warnings = []
    if count > 1 and component is None:
        others = [f"{v / 1000:.2f} ml" for v in volumes[1:] if v >= SMALL_COMPONENT_MM3]
        small = count - 1 - len(others)
        listed = ", ".join(others[:10]) + (", …" if len(others) > 10 else "")
        parts = ([f"{len(others)} of {listed}"] if others else []) + (
            [f"{small} below {SMALL_COMPONENT_MM3:g} mm³"] if small else []
        )
        warnings.append(
            f"The {name} has {count} separate parts; the largest ({volumes[0] / 1000:.2f} ml) is the target "
            f"and the others are left alone: {' and '.join(parts)}."
        )
    if volumes[chosen - 1] < SMALL_COMPONENT_MM3:
        warnings.append(
            f"The target lesion measures only {volumes[chosen - 1]:.3g} mm³; make sure that it is a lesion."
        )
    result = np.zeros_like(array)
    result[box] = labels == order[chosen - 1] + 1
    image = sitk.GetImageFromArray(result)
    image.CopyInformation(mask)
    return image, tuple(warnings)
