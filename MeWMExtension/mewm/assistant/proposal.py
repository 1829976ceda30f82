"""Masks of liver and tumour proposed on a pre-treatment CT, for a user who has drawn none yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mewm.assistant.labels import tissue_table
from mewm.assistant.network import SegmentationNetwork
from mewm.case import check_ct
from mewm.errors import InputError
from mewm.proposed import mark_proposed
from mewm.resampling import sample, sample_smoothly
from mewm.roles import Tissue
from mewm.volume_checks import strip_metadata
from mewm.voxels import tight_box

BODY_HU = -300.0
SMALLEST_ML = 0.1
"""A tumour below this (a ball of 6 mm) is rather noise than something to treat."""
LARGEST_LIVER_ML = 5000.0
"""No liver with a tumour that TACE could treat is this large (a healthy one measures 1 to 2 litres): a network that
proposes more was trained on other CTs."""


@dataclass(frozen=True, eq=False)
class ProposedMasks:
    """What a network proposes on a CT; every mask carries the mark of :mod:`mewm.proposed`.

    Attributes:
        liver: uint8 mask on the CT's grid, the tumours included.
        tumour: uint8 mask on the CT's grid, possibly of several tumours; ``None`` where none was found.
        warnings: sentences the user must see.
    """

    liver: sitk.Image
    tumour: sitk.Image | None
    warnings: tuple[str, ...]


def propose_masks(ct: sitk.Image, network: SegmentationNetwork) -> ProposedMasks:
    """Propose liver and tumour on a whole CT.

    The body is resampled to the network's own voxels along LPS and read in overlapping patches; the largest connected
    part is the liver, and tumours count where they touch it.

    Args:
        ct: Hounsfield units, any orientation.
        network: one that reads a single CT: a bundle of the task ``pre``, or a user's own nnU-Net for liver tumours.

    Raises:
        InputError: not a CT, the network does not fit, or it finds no liver.
    """
    if network.task == "post" or len(network.channels) != 1:
        raise InputError(
            f"The network in {network.folder} does not read a single CT before treatment; give a bundle of mewm train "
            "assistant --task pre, or an nnU-Net for liver and tumour."
        )
    table = tissue_table(network.labels, network.folder)
    if Tissue.LIVER not in table:
        raise InputError(f"The network in {network.folder} knows no liver; give one that finds liver and tumour.")
    ct = sitk.Image(ct)
    strip_metadata(ct)
    warnings = check_ct(ct)
    # A network with flat voxels is given their shortest edge; nnU-Net resamples the rest.
    edge = min(network.spacing)
    grid = _grid(ct, edge)
    body = np.maximum(sample_smoothly(ct, grid, outside=-1024.0), -1024.0)
    box = _body(body)
    found = np.zeros(body.shape, np.uint8)
    found[box] = table[network.predict(body[box][None], [edge] * 3)]
    liver, tumour = _cleaned(found, edge)
    if not liver.any():
        raise InputError("The network found no liver on this CT; check that it shows one, or draw the masks yourself.")
    liver_ml = np.count_nonzero(liver) * edge**3 / 1000
    if liver_ml > LARGEST_LIVER_ML:
        warnings = [
            *warnings,
            f"The proposed liver measures {liver_ml / 1000:.1f} litres, more than a liver does: the network does not "
            "know such CTs. Draw the masks yourself or choose another network.",
        ]
    if not tumour.any():
        warnings = [*warnings, "The network found no tumour; draw it yourself."]
    masks = [_onto(ct, grid, mask, network.sha256) for mask in (liver, tumour)]
    there = bool(sitk.GetArrayViewFromImage(masks[1]).any())
    return ProposedMasks(masks[0], masks[1] if there else None, tuple(warnings))


def _grid(ct: sitk.Image, spacing: float) -> sitk.Image:
    """Return an empty isotropic grid along LPS that holds the whole scan."""
    size = np.array(ct.GetSize())
    ends = np.array(
        [ct.TransformContinuousIndexToPhysicalPoint(((np.array(k) * size) - 0.5).tolist()) for k in np.ndindex(2, 2, 2)]
    )
    low, high = ends.min(axis=0), ends.max(axis=0)
    count = np.maximum(np.ceil((high - low) / spacing), 1).astype(int)
    grid = sitk.Image(count.tolist(), sitk.sitkUInt8)
    grid.SetSpacing([spacing] * 3)
    grid.SetOrigin((low + spacing / 2).tolist())
    return grid


def _body(ct: np.ndarray) -> tuple[slice, slice, slice]:
    labels, count = ndimage.label(ct > BODY_HU)
    if count == 0:
        return tight_box(np.ones(ct.shape, bool))
    return tight_box(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))


def _cleaned(found: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest connected liver with its tumours, and those tumours that are large enough."""
    labels, count = ndimage.label(found > 0)
    if count == 0:
        return found > 0, found > 0
    liver = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    parts, _ = ndimage.label(liver & (found >= Tissue.VIABLE))
    volumes = np.bincount(parts.ravel()) * spacing**3 / 1000
    kept = volumes >= SMALLEST_ML
    kept[0] = False
    return ndimage.binary_fill_holes(liver), kept[parts]


def _onto(ct: sitk.Image, grid: sitk.Image, mask: np.ndarray, sha256: str) -> sitk.Image:
    """Bring a mask onto the CT's grid and mark it."""
    image = sitk.GetImageFromArray(mask.astype(np.float32))
    image.CopyInformation(grid)
    there = sitk.GetImageFromArray((sample(image, ct) >= 0.5).astype(np.uint8))
    there.CopyInformation(ct)
    mark_proposed(there, sha256)
    return there
