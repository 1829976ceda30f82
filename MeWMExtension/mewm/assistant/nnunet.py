"""The learned assistant: nnU-Net v2 reads liver, viable tumour, necrosis and lipiodol from a post-treatment CT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from mewm.assistant.choose import NNUNET
from mewm.assistant.intensity import OIL_HU, OIL_RISE_HU
from mewm.assistant.labels import tissue_table
from mewm.assistant.network import SegmentationNetwork, load_network
from mewm.errors import InputError
from mewm.roi import GRID, Roi
from mewm.roles import Tissue
from mewm.voxels import connected_to, tight_box

POST, SOFT = "post-treatment CT", "post-treatment CT (soft tissue)"
PRE, LESION, CHANGE = "pre-treatment CT", "lesion", "change"
CHANNELS = {"post": POST, "soft": SOFT, "pre": PRE, "lesion": LESION, "change": CHANGE}
"""Input channels by the word of a training configuration: how the nnU-Net's ``dataset.json`` names them."""
SOFT_HU = (-50.0, 200.0)
"""Window of the soft tissue channel. nnU-Net scales a CT by its spread, and with oil of 1000 HU in it the 20 HU between
tumour and liver are a sixth of a standard deviation."""
CHANGE_VOXELS = 1.0
"""How far the change of soft tissue between the CTs is smoothed, standard deviation in voxels: where tumour grew over
liver it is hardly more than the noise of a voxel."""
NECROSIS_FALL_HU = 5.0
"""By how much tissue outside the drawn lesion has become darker where it is necrosis, in the channel of change, HU."""
Box = tuple[slice, slice, slice]
WHOLE: Box = (slice(None),) * 3
_STEP = 16
"""A network that looks at a whole region at once needs edges that it can halve this often."""


class NnunetAssistant:
    """Segment a post-treatment CT with an nnU-Net (:class:`mewm.roles.AssistantModel`).

    The network looks at the lesion's region only: as far as a simulation can change the scan
    (:data:`mewm.roi.FEATHER_END_MM`), and at least one patch of its training. Everywhere else the liver is the one
    already known, and labels of the lesion count only where something can have changed.

    Attributes:
        name: for manifests and tables.
        sha256: digest of the weights.
        notice: what a user must know of the weights.
        device: where the network runs.
    """

    def __init__(self, network: SegmentationNetwork, name: str = NNUNET) -> None:
        """Use a loaded network.

        Raises:
            InputError: its channels or labels do not fit, or it proposes masks before treatment.
        """
        if network.task == "pre":
            raise InputError(
                f"The bundle {network.folder} proposes masks before treatment and does not read the CT after it; use "
                "it with mewm propose-masks."
            )
        self.name, self.sha256, self.notice = name, network.sha256, network.notice
        self.device = network.device
        self._network = network
        self._table = tissue_table(network.labels, network.folder)
        self._sources = _sources(network)

    def region(self, roi: Roi) -> tuple[slice, slice, slice]:
        """Return the part of the model grid that is looked at."""
        box = tight_box(roi.feather > 0)
        step = np.array([_STEP] * 3)
        edges = np.array([s.stop - s.start for s in box])
        edges = np.minimum(np.maximum(-(-edges // step) * step, np.minimum(self._network.patch, GRID)), GRID)
        middle = np.array([s.start + s.stop for s in box]) // 2
        start = np.clip(middle - edges // 2, 0, GRID - edges)
        z, y, x = (slice(int(a), int(a + e)) for a, e in zip(start, edges, strict=True))
        return z, y, x

    def segment(self, roi: Roi, ct: np.ndarray) -> np.ndarray:
        """Label ``ct`` ``(96, 96, 96)`` HU with :class:`mewm.roles.Tissue`, uint8.

        A network that knows no lipiodol (a plain liver tumour network) has it told by attenuation within the tumour.
        """
        box = self.region(roi)
        image = np.stack(network_inputs(roi, ct, self._sources, box)).astype(np.float32)
        network = self._network
        spacing = [1.0 if network.in_voxels else roi.spacing] * 3
        found = self._table[network.predict(image, spacing, in_one=network.in_voxels)]
        if Tissue.LIPIODOL not in self._table:
            found[(found == Tissue.VIABLE) & (ct[box] > OIL_HU)] = Tissue.LIPIODOL
        found = _of_the_target(found, roi, ct, box)
        labels = roi.liver.astype(np.uint8)
        if Tissue.LIVER in self._table:
            labels[box] = found
        else:
            labels[box] = np.where(found > Tissue.LIVER, found, labels[box])
        return labels


def _of_the_target(found: np.ndarray, roi: Roi, ct: np.ndarray, box: Box) -> np.ndarray:
    """Return labels of a part of the grid without other tumours and what the CT before treatment explains.

    Labels of a lesion count where something can have changed. Outside the drawn lesion, oil is denser and necrosis
    darker than what was there before (a vessel, fat), and all of it touches the lesion; elsewhere stands what the
    liver was.
    """
    drawn = roi.lesion[box]
    lesion = (found > Tissue.LIVER) & (roi.feather[box] > 0)
    if (lesion & ~drawn).any():
        same = (found == Tissue.LIPIODOL) & (ct[box] - roi.ct[box] < OIL_RISE_HU / 2)
        same |= (found == Tissue.NECROSIS) & (_change(roi, ct, box) > -NECROSIS_FALL_HU)
        lesion &= drawn | ~same
        lesion &= connected_to(lesion | drawn, drawn)
    return np.where((found > Tissue.LIVER) & ~lesion, roi.liver[box].astype(np.uint8), found)


def network_inputs(roi: Roi, ct: np.ndarray, names: Sequence[str], box: Box = WHOLE) -> list[np.ndarray]:
    """Return what input channels show of a part of the model grid, each of the part's shape.

    Args:
        roi: the case before treatment.
        ct: the CT after it, HU on the model grid ``(96, 96, 96)``.
        names: long names of :data:`CHANNELS`.
        box: the part; the whole grid without it.
    """
    channels: dict[str, Callable[[], np.ndarray]] = {
        POST: lambda: ct[box],
        SOFT: lambda: np.clip(ct[box], *SOFT_HU),
        PRE: lambda: roi.ct[box],
        LESION: lambda: roi.lesion[box],
        CHANGE: lambda: _change(roi, ct, box),
    }
    return [channels[name]() for name in names]


def _change(roi: Roi, ct: np.ndarray, box: Box) -> np.ndarray:
    """Return the smoothed change of soft tissue, HU; what lies beside the box counts as in the whole grid."""
    reach = int(4 * CHANGE_VOXELS)
    starts, stops, _ = zip(*(part.indices(GRID) for part in box), strict=True)
    wide = tuple(slice(max(a - reach, 0), b + reach) for a, b in zip(starts, stops, strict=True))
    change = ndimage.gaussian_filter(np.clip(ct[wide], *SOFT_HU) - np.clip(roi.ct[wide], *SOFT_HU), CHANGE_VOXELS)
    inner = tuple(slice(a - w.start, b - w.start) for a, b, w in zip(starts, stops, wide, strict=True))
    return change[inner]


def load_assistant(folder: Path, device: str | None = None, *, name: str = NNUNET) -> NnunetAssistant:
    """Load the assistant of a bundle or of a user's own nnU-Net (:func:`mewm.assistant.network.load_network`).

    Raises:
        InputError: the folder cannot be used, or the network's channels or labels do not fit.
        ResourceError: nnunetv2 is missing, or a file of the bundle is missing or was changed.
    """
    return NnunetAssistant(load_network(folder, device), name)


def _sources(network: SegmentationNetwork) -> list[str]:
    """Return what each input channel is fed with."""
    channels = network.channels
    if len(channels) == 1:
        return [POST]
    unknown = [name for name in channels if name not in CHANNELS.values()]
    if unknown:
        raise InputError(
            f"The nnU-Net in {network.folder} wants the channel {unknown[0]!r} besides others; give one that reads a "
            f"single CT, or one whose channels are named {', '.join(CHANNELS.values())}."
        )
    return channels
