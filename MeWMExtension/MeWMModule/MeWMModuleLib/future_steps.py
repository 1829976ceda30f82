"""A simulated future on its way into the scene, in steps that each leave the window alive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import slicer.util

from mewm.errors import InputError
from MeWMModuleLib import appearance
from MeWMModuleLib.masks import ijk_to_ras
from MeWMModuleLib.nodes import PROTOCOL_ID_ATTRIBUTE, add_folder, keep, mark_synthetic, read_detached, remove_nodes
from MeWMModuleLib.segmentations import label_segmentation_steps

if TYPE_CHECKING:
    from MeWMModuleLib.live_run import LiveRun

NOTICE = "SIMULATED with demonstration models trained on simulated patients. Research use only; not a medical device."


@dataclass(frozen=True)
class Future:
    """One simulated future in the scene.

    Attributes:
        protocol_id: names the treatment.
        text: the protocol in words.
        simulated: simulated CT; of the part of the CT in which anything changed, or whole.
        difference: simulated minus pre-treatment HU on the same grid.
        tissue: segmentation of liver, viable tumour, necrosis and lipiodol.
    """

    protocol_id: str
    text: str
    simulated: Any
    difference: Any
    tissue: Any


def future_steps(
    run: LiveRun, protocol_id: str, text: str, ct_file: str | Path, tissue_file: str | Path
) -> Iterator[Future | None]:
    """Add a simulated future to a run, or replace it; where it is stopped or fails, the scene stays as it was.

    Args:
        run: the run.
        protocol_id: names the treatment.
        text: the protocol in words.
        ct_file: simulated CT on voxels of the pre-treatment CT, HU.
        tissue_file: tissue labels on the same grid.

    Yields:
        ``None`` after each step, the nodes last.

    Raises:
        InputError: a file cannot be read or does not lie on the voxels of the CT.
    """
    if run.ct is None:
        raise InputError("The pre-treatment CT is no longer in the scene, so its simulated future cannot be shown.")
    scene, added, items = run.scene, [], []
    try:
        simulated = read_detached(Path(ct_file), f"SIMULATED {text}")
        yield None
        tissue = None
        for tissue in label_segmentation_steps(
            scene, Path(tissue_file), f"SIMULATED tissue {text}", appearance.TISSUES, simulated
        ):
            if tissue is not None:
                added = [tissue]
                tissue.GetDisplayNode().SetVisibility(False)
            yield None
        change = _change(simulated, run.ct)
        yield None
        run.drop_future(protocol_id)
        folder = add_folder(scene, run.folder, f"{text} (SIMULATED)", run.identifier)
        items.append(folder)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        hierarchy.SetItemAttribute(folder, PROTOCOL_ID_ATTRIBUTE, protocol_id)
        scene.AddNode(simulated)
        added.append(simulated)
        assert tissue is not None
        # Only now has the volume an identifier that the segmentation can refer to.
        tissue.SetReferenceImageGeometryParameterFromVolumeNode(simulated)
        simulated.CreateDefaultDisplayNodes()
        appearance.set_ct_window(simulated.GetDisplayNode())
        yield None
        difference = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"SIMULATED change {text}")
        added.append(difference)
        difference.CopyOrientation(simulated)
        slicer.util.updateVolumeFromArray(difference, change)
        difference.CreateDefaultDisplayNodes()
        appearance.set_difference_window(difference.GetDisplayNode(), run.difference_colours())
        yield None
        for node, role in ((simulated, "simulated"), (difference, "difference"), (tissue, "tissue")):
            keep(node, folder, run.identifier, role)
            mark_synthetic(node, protocol_id, text, NOTICE)
    except BaseException:
        # A scene that is being closed takes them away by itself.
        if not scene.IsClosing():
            remove_nodes(scene, added, items)
        raise
    yield Future(protocol_id, text, simulated, difference, tissue)


def voxels_in(part: Any, whole: Any) -> tuple[slice, slice, slice]:
    """Return where a volume lies in the voxels of another, as slices ``(z, y, x)``.

    Raises:
        InputError: its voxels are not voxels of the other.
    """
    to_part = np.linalg.inv(ijk_to_ras(whole)) @ ijk_to_ras(part)
    start = np.rint(to_part[:3, 3]).astype(int)
    expected = np.eye(4)
    expected[:3, 3] = start
    size = np.array(part.GetImageData().GetDimensions())
    fits = (start >= 0).all() and (start + size <= whole.GetImageData().GetDimensions()).all()
    if not fits or not np.allclose(to_part, expected, atol=1e-2):
        raise InputError(f"{part.GetName()} does not lie on the voxels of {whole.GetName()}; run the case again.")
    i, j, k = (slice(int(first), int(first + count)) for first, count in zip(start, size, strict=True))
    return k, j, i


def _change(simulated: Any, ct: Any) -> np.ndarray:
    part = slicer.util.arrayFromVolume(ct)[voxels_in(simulated, ct)]
    change = slicer.util.arrayFromVolume(simulated).astype(np.float32) - part
    return change.round().clip(-32768, 32767).astype(np.int16)
