"""A real liver CT for Slicer's Sample Data module; the one-click case of the panel is simulated, without internet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CATEGORY = "MeWM"
SAMPLE = "MeWM liver CT"
NODES = ("CTLiver", "CTLiverSegmentation")
# Slicer's own sample CTLiver: imagesTr/liver_100 of the Medical Segmentation Decathlon, CC BY-SA 4.0. The second file,
# made for it by PerkLab, outlines organs; the tumours are the user's to outline.
_SHA256 = (
    "e16eae0ae6fefa858c5c11e58f0f1bb81834d81b7102e021571056324ef6f37e",
    "ce9a7182a666788a2556f6cf4f59ad5dadd944171cc279e80c164496729a7032",
)
_ORGANS = "https://github.com/PerkLab/SlicerSandbox/releases/download/TestingData/CTLiverSegmentation.seg.nrrd"


def register(logic: Any, testing_data_url: str, icon: Path) -> None:
    """Offer the CT in the Sample Data module, checked against its SHA-256; nothing is downloaded yet.

    Args:
        logic: ``SampleData.SampleDataLogic``.
        testing_data_url: ``slicer.util.TESTING_DATA_URL``.
        icon: picture of the sample.
    """
    logic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=SAMPLE,
        thumbnailFileName=str(icon),
        uris=[f"{testing_data_url}SHA256/{_SHA256[0]}", _ORGANS],
        fileNames=["CTLiver.nrrd", "CTLiverSegmentation.seg.nrrd"],
        nodeNames=list(NODES),
        checksums=[f"SHA256:{digest}" for digest in _SHA256],
        loadFileType=["VolumeFile", "SegmentationFile"],
    )
