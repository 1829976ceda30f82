"""Proposed masks on disk, with what they rest on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm.image_write import write_image
from mewm.proposed import PREFIX
from mewm.run_files import write_json
from mewm.run_manifest import LEARNED, image_hash, versions

if TYPE_CHECKING:
    import SimpleITK as sitk

    from mewm.assistant.network import SegmentationNetwork
    from mewm.assistant.proposal import ProposedMasks


def write_proposal(proposal: ProposedMasks, network: SegmentationNetwork, ct: sitk.Image, out: Path) -> dict[str, Any]:
    """Write ``proposed_liver.nrrd``, ``proposed_tumour.nrrd`` and ``proposed.json``; nothing in them names the patient.

    Args:
        proposal: what was proposed.
        network: by which network.
        ct: on which CT.
        out: folder to write to.

    Returns:
        The content of ``proposed.json``: masks with volume and number of parts, weights, hash of the CT, warnings.

    Raises:
        OSError: it could not be written.
    """
    import numpy as np
    import SimpleITK as sitk
    from scipy import ndimage

    from mewm.masks import voxel_volume_mm3

    out.mkdir(parents=True, exist_ok=True)
    masks = {}
    for name, mask in (("liver", proposal.liver), ("tumour", proposal.tumour)):
        if mask is None:
            continue
        path = out / f"{PREFIX}{name}.nrrd"
        write_image(mask, path)
        voxels = sitk.GetArrayViewFromImage(mask)
        masks[name] = {
            "file": str(path),
            "ml": round(float(np.count_nonzero(voxels)) * voxel_volume_mm3(mask) / 1000, 2),
            "parts": int(ndimage.label(voxels)[1]),
        }
    record = {
        "schema": "mewm-proposal/1",
        "proposed": True,
        "notice": f"Proposed by a network, drawn by nobody: check every outline. {network.notice}".strip(),
        "network": {"sha256": network.sha256, "task": network.task or "a user's own"},
        "ct": {"voxels_sha256": image_hash(ct)},
        "masks": masks,
        "warnings": list(proposal.warnings),
        "versions": versions(LEARNED),
    }
    write_json(out / "proposed.json", record)
    return record
