"""CT slices through the lesion as PNG pictures: windowed, outlined, without any data of the patient.

A picture shows the model grid only, 96 to 192 mm around the lesion. It is drawn from voxel values; nothing of
the scan's header takes part in it, and the PNG file holds no metadata.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from mewm.dynamics.phenotype import Phenotype
from mewm.policy.messages import Picture
from mewm.roi import Roi

if TYPE_CHECKING:
    from PIL.Image import Image

PANEL = 480
"""Edge of one panel in pixels; a picture has two, side by side."""
WINDOW_HU = 250.0
"""Narrower than the usual abdominal window, so that a lesion stands out from the liver."""
OUTLINE = (51, 242, 102)
_GAP = 8
_INK = (235, 235, 235)
_BAR_MM = 20.0
# Below and above these shares of the lesion's volume lie its lower and upper axial slice.
_SHARES = (0.15, 0.85)
_LEAST_APART_MM = 3.0


@dataclass(frozen=True)
class Slice:
    """One plane through the model grid.

    Attributes:
        plane: ``"axial"`` or ``"coronal"``.
        index: voxel along z (axial) or y (coronal).
        place: in words, why it was chosen.
    """

    plane: str
    index: int
    place: str


def choose_slices(roi: Roi) -> tuple[Slice, ...]:
    """Choose the planes that show the lesion best.

    First the axial slice of its largest cross-section, then one through its upper and one through its lower
    part where the lesion is tall enough, then the coronal slice of its largest cross-section. Only voxels
    inside the scan count.
    """
    lesion = roi.lesion & roi.inside
    area = lesion.sum(axis=(1, 2))
    largest = int(area.argmax())
    chosen = [Slice("axial", largest, "largest cross-section of the lesion")]
    below = np.cumsum(area) / max(int(area.sum()), 1)
    for share, place in zip(_SHARES, ("lower part of the lesion", "upper part of the lesion"), strict=True):
        index = int(np.searchsorted(below, share))
        if all(abs(index - other.index) * roi.spacing >= _LEAST_APART_MM for other in chosen):
            chosen.append(Slice("axial", index, place))
    chosen.append(Slice("coronal", int(lesion.sum(axis=(0, 2)).argmax()), "largest cross-section of the lesion"))
    return tuple(chosen)


def lesion_pictures(roi: Roi, seen: Phenotype) -> tuple[Picture, ...]:
    """Draw the chosen slices, each without and with the lesion's outline side by side.

    Args:
        roi: the case on the model grid.
        seen: its phenotype; the window is centred between liver and lesion.

    Returns:
        Pictures of 968 × 480 pixels with their captions.
    """
    level = 10.0 * round((seen.liver_hu + seen.enhancing_hu) / 20)
    pictures = []
    for number, chosen in enumerate(choose_slices(roi), start=1):
        sides = "patient's right on the left, anterior" if chosen.plane == "axial" else "patient's right on the left, "
        sides += " at the top" if chosen.plane == "axial" else "superior at the top"
        caption = (
            f"Picture {number}: {chosen.plane} slice, {chosen.place}; {sides}. Left panel plain, right panel the same "
            f"with the lesion outlined in green. Window {WINDOW_HU:.0f} HU, level {level:.0f} HU; field of view "
            f"{roi.spacing * roi.ct.shape[0]:.0f} mm, bar {_BAR_MM:.0f} mm."
        )
        pictures.append(Picture(encode_png(_draw(roi, chosen, level)), caption))
    return tuple(pictures)


def encode_png(image: Image) -> bytes:
    """Return the PNG file of an image: pixels only, no text, time or profile."""
    import PIL.Image

    stream = io.BytesIO()
    # A fresh image from the pixels leaves behind whatever the old one carried along.
    PIL.Image.frombytes(image.mode, image.size, image.tobytes()).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _draw(roi: Roi, chosen: Slice, level: float) -> Image:
    import PIL.Image

    grey = _panel(_plane(roi.ct, chosen), level)
    outlined = grey.copy()
    outlined[_outline(_plane(roi.lesion, chosen))] = OUTLINE
    paper = np.zeros((PANEL, 2 * PANEL + _GAP, 3), np.uint8)
    paper[:, :PANEL], paper[:, PANEL + _GAP :] = grey, outlined
    image = PIL.Image.fromarray(paper)
    for left in (0, PANEL + _GAP):
        _marks(image, left, chosen.plane, PANEL * _BAR_MM / (roi.spacing * roi.ct.shape[0]))
    return image


def _plane(volume: np.ndarray, chosen: Slice) -> np.ndarray:
    """Return a plane as it is shown: anterior or superior at the top, the patient's right on the left."""
    return volume[chosen.index] if chosen.plane == "axial" else volume[::-1, chosen.index]


def _panel(plane: np.ndarray, level: float) -> np.ndarray:
    import PIL.Image

    share = np.clip((plane - (level - WINDOW_HU / 2)) / WINDOW_HU, 0.0, 1.0)
    small = PIL.Image.fromarray((255 * share).round().astype(np.uint8))
    return np.repeat(np.asarray(small.resize((PANEL, PANEL), PIL.Image.Resampling.BICUBIC))[..., None], 3, axis=2)


def _outline(mask: np.ndarray) -> np.ndarray:
    """Return a line two pixels wide just outside the mask, so that it hides nothing of the lesion."""
    import PIL.Image

    soft = PIL.Image.fromarray(mask.astype(np.float32)).resize((PANEL, PANEL), PIL.Image.Resampling.BILINEAR)
    inside = np.asarray(soft) >= 0.5
    return ndimage.binary_dilation(inside, iterations=2) & ~inside


def _marks(image: Any, left: int, plane: str, bar: float) -> None:
    """Write the sides and a bar of 20 mm with a dark rim."""
    import PIL.ImageDraw
    import PIL.ImageFont

    draw, font = PIL.ImageDraw.Draw(image), PIL.ImageFont.load_default(22)
    rim = {"font": font, "fill": _INK, "stroke_width": 2, "stroke_fill": (0, 0, 0)}
    middle = PANEL // 2
    draw.text((left + 10, middle), "R", anchor="lm", **rim)
    draw.text((left + PANEL - 10, middle), "L", anchor="rm", **rim)
    draw.text((left + middle, 8), "A" if plane == "axial" else "S", anchor="mt", **rim)
    right, low = left + PANEL - 16, PANEL - 16
    draw.rectangle((right - bar - 1, low - 3, right + 1, low + 3), fill=(0, 0, 0))
    draw.rectangle((right - bar, low - 2, right, low + 2), fill=_INK)
    draw.text((right - bar / 2, low - 8), "2 cm", anchor="mb", **rim)
