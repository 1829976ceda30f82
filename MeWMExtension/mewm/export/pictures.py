"""Slices through the lesion before and after, drawn where the caller has no pictures of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from mewm.errors import InputError
from mewm.export.chosen import Chosen
from mewm.roles import Tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Abdominal soft-tissue window, HU.
WINDOW = (-100.0, 240.0)
# Field of view around the lesion: its diameter with this margin on each side, but not less than the smallest.
MARGIN_MM, SMALLEST_MM = 35.0, 110.0
# Pixels: a slice, the space between two, the strips above (titles) and below (legend).
SIDE, GAP, HEAD, FOOT = 640, 8, 56, 52
STAMP = "SIMULATED - research use only"
# The colours of the panel.
COLOURS = {Tissue.VIABLE: (255, 64, 64), Tissue.NECROSIS: (255, 217, 26), Tissue.LIPIODOL: (26, 191, 255)}
LESION = (51, 242, 102)
LEGEND = {"viable tumour": Tissue.VIABLE, "necrosis": Tissue.NECROSIS, "lipiodol": Tissue.LIPIODOL}
# Letters at the left, right, upper and lower edge, as radiology shows a slice.
_LETTERS = {"axial": "RLAP", "coronal": "RLSI"}


def draw_pictures(chosen: Chosen, folder: Path) -> list[tuple[Path, str]]:
    """Draw the axial and the coronal slice through the lesion's centre, before and after.

    Args:
        chosen: a protocol whose volumes the run kept.
        folder: where the PNG files are written.

    Returns:
        File and caption of each picture.

    Raises:
        InputError: the run kept no volumes of it, or one is missing or damaged.
    """
    if chosen.volumes is None:
        raise InputError(
            f"The run kept no volumes of rank {chosen.row['rank']}; show the protocol first or give pictures."
        )
    files = (chosen.run / "pre_ct.nrrd", chosen.volumes[0], chosen.run / "lesion.nrrd", chosen.volumes[1])
    pre, post, lesion, tissue = (_read(path) for path in files)
    drawn = []
    for plane in ("axial", "coronal"):
        grid = _slice_grid(chosen, plane)
        ct = [_sample(image, grid, sitk.sitkLinear, -1000.0) for image in (pre, post)]
        masks = [_sample(image, grid, sitk.sitkNearestNeighbor, 0) for image in (lesion, tissue)]
        path = folder / f"{plane}.png"
        _compose(ct, masks, plane).save(path)
        drawn.append((path, _caption(plane)))
    return drawn


def _caption(plane: str) -> str:
    return (
        f"{plane.capitalize()} slice through the centre of the lesion. Left: pre-treatment CT, lesion outlined in "
        "green. Right: simulated post-TACE CT (synthetic) with predicted viable tumour (red), necrosis (yellow) and "
        "lipiodol (blue); one of the simulated futures."
    )


def _read(path: Path) -> sitk.Image:
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f"The volume {path} is missing or damaged; run the case again.") from error


def _slice_grid(chosen: Chosen, plane: str) -> sitk.Image:
    """Return one slice of ``SIDE`` × ``SIDE`` pixels through the lesion, in radiological orientation, LPS mm."""
    lesion = chosen.manifest["lesion"]
    extent = max(lesion["diameter_mm"] + 2 * MARGIN_MM, SMALLEST_MM)
    step = extent / SIDE
    # Columns run to the patient's left, rows to posterior (axial) or inferior (coronal).
    down = np.array([0.0, 1.0, 0.0]) if plane == "axial" else np.array([0.0, 0.0, -1.0])
    right = np.array([1.0, 0.0, 0.0])
    grid = sitk.Image(SIDE, SIDE, 1, sitk.sitkUInt8)
    grid.SetSpacing((step, step, 1.0))
    grid.SetDirection(np.column_stack([right, down, np.cross(right, down)]).ravel().tolist())
    grid.SetOrigin((np.array(lesion["centre_lps"]) - (right + down) * step * (SIDE - 1) / 2).tolist())
    return grid


def _sample(image: sitk.Image, grid: sitk.Image, method: int, outside: float) -> NDArray:
    moved = sitk.Resample(image, grid, sitk.Transform(3, sitk.sitkIdentity), method, outside)
    return sitk.GetArrayFromImage(moved)[0]


def _compose(ct: list[NDArray], masks: list[NDArray], plane: str) -> Image.Image:
    lesion, tissue = masks
    outlines = ([(lesion > 0, LESION)], [(tissue == label, colour) for label, colour in COLOURS.items()])
    page = Image.new("RGB", (2 * SIDE + GAP, HEAD + SIDE + FOOT), (24, 24, 26))
    large, small = ImageFont.load_default(40), ImageFont.load_default(32)
    pen = ImageDraw.Draw(page)
    for number, title in enumerate(("Pre-treatment CT", "Simulated post-TACE CT")):
        left = number * (SIDE + GAP)
        page.paste(_panel(ct[number], outlines[number]), (left, HEAD))
        pen.text((left + 8, HEAD // 2), title, fill=(240, 240, 240), font=large, anchor="lm")
        _letters(pen, small, left, plane)
    right = 2 * SIDE + GAP
    pen.text((right - 10, HEAD + SIDE - 12), STAMP, fill=(255, 190, 60), font=small, anchor="rb")
    _legend(pen, small)
    return page


def _letters(pen: ImageDraw.ImageDraw, font: Font, left: int, plane: str) -> None:
    places = {"lm": (10, SIDE // 2), "rm": (SIDE - 10, SIDE // 2), "mt": (SIDE // 2, 10), "mb": (SIDE // 2, SIDE - 52)}
    for letter, (anchor, (x, y)) in zip(_LETTERS[plane], places.items(), strict=True):
        spot = (left + x, HEAD + y)
        pen.text(spot, letter, fill=(235, 235, 235), font=font, anchor=anchor, stroke_width=2, stroke_fill=(0, 0, 0))


def _legend(pen: ImageDraw.ImageDraw, font: Font) -> None:
    x, y = SIDE + GAP + 8, HEAD + SIDE + FOOT // 2
    for name, label in LEGEND.items():
        pen.line((x, y, x + 28, y), fill=COLOURS[label], width=6)
        pen.text((x + 38, y), name, fill=(235, 235, 235), font=font, anchor="lm")
        x += 58 + int(pen.textlength(name, font=font))


def _panel(values: NDArray, outlines: list[tuple[NDArray, tuple[int, int, int]]]) -> Image.Image:
    low, high = WINDOW
    grey = np.clip((values - low) / (high - low), 0, 1) * 255
    picture = np.repeat(grey[..., None], 3, axis=-1).astype(np.uint8)
    for mask, colour in outlines:
        edge = mask & ~ndimage.binary_erosion(mask, iterations=2)
        picture[edge] = colour
    return Image.fromarray(picture)
