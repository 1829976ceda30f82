"""How volumes and tissues look: CT windows, tissue colours and the colours of a difference in HU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

if TYPE_CHECKING:
    from slicer import vtkMRMLColorTableNode, vtkMRMLScalarVolumeDisplayNode, vtkMRMLScene

Colour = tuple[float, float, float]

# (window, level) in HU. The first is the usual one for the abdomen; the second keeps structure in dense Lipiodol.
ABDOMEN = (400.0, 60.0)
LIPIODOL = (1500.0, 400.0)

# Tissue label → name and colour, far apart in hue and in brightness so that colour-blind readers tell them apart.
TISSUES: dict[int, tuple[str, Colour]] = {
    1: ("Liver", (0.62, 0.42, 0.35)),
    2: ("Viable tumour", (1.0, 0.25, 0.25)),
    3: ("Necrosis", (1.0, 0.85, 0.1)),
    4: ("Lipiodol", (0.1, 0.75, 1.0)),
}
HIDDEN_TISSUE = "Liver"
LESION = ("Target lesion", (0.2, 0.95, 0.4))

# Up to four protocols are compared; Okabe and Ito's colours, told apart by colour-blind readers.
PROTOCOL_COLOURS: tuple[Colour, ...] = ((0.90, 0.62, 0.0), (0.34, 0.71, 0.91), (0.0, 0.62, 0.45), (0.80, 0.47, 0.65))

# Window presets: name → (window, level) in HU.
WINDOWS: dict[str, tuple[float, float]] = {
    "Abdomen": ABDOMEN,
    "Liver": (160.0, 90.0),
    "Lipiodol": LIPIODOL,
}

# The difference is shown from -400 to +400 HU, so that dense Lipiodol keeps its structure; what stays within
# ±20 HU is transparent. The noise of a CT is 10 to 17 HU, so that two scans of the same tissue differ by as much.
DIFFERENCE_WINDOW = 800.0
DIFFERENCE_NOISE = 20.0
_ENTRIES = 256
_LOSS: tuple[Colour, Colour] = ((0.16, 0.30, 0.50), (0.45, 0.85, 1.0))
_GAIN: tuple[Colour, Colour] = ((0.50, 0.22, 0.10), (1.0, 0.85, 0.35))


def difference_colour(hu: float) -> tuple[float, float, float, float]:
    """Return red, green, blue and opacity (0 to 1) of a difference in HU: blue darker, orange brighter."""
    strength = min(abs(hu) / (DIFFERENCE_WINDOW / 2), 1.0)
    faint, full = _LOSS if hu < 0 else _GAIN
    red, green, blue = (a + (b - a) * strength for a, b in zip(faint, full, strict=True))
    return red, green, blue, 0.0 if abs(hu) < DIFFERENCE_NOISE else 1.0


def add_difference_colours(scene: vtkMRMLScene, name: str) -> vtkMRMLColorTableNode:
    """Add a colour table whose entries span the difference window."""
    node = slicer.vtkMRMLColorTableNode()
    node.SetName(name)
    node.SetTypeToUser()
    node.SetHideFromEditors(False)
    node.SetNumberOfColors(_ENTRIES)
    for index in range(_ENTRIES):
        hu = (index + 0.5) / _ENTRIES * DIFFERENCE_WINDOW - DIFFERENCE_WINDOW / 2
        node.SetColor(index, *difference_colour(hu))
        node.SetColorName(index, f"{hu:+.0f} HU")
    node.GetLookupTable().SetTableRange(0, _ENTRIES - 1)
    return scene.AddNode(node)


def set_ct_window(display: vtkMRMLScalarVolumeDisplayNode) -> None:
    """Show a CT in the abdominal window and offer the wide one for Lipiodol as a preset."""
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    display.AutoWindowLevelOff()
    for window, level in (ABDOMEN, LIPIODOL):
        display.AddWindowLevelPreset(window, level)
    display.SetWindowLevel(*ABDOMEN)
    display.SetInterpolate(True)


def set_difference_window(display: vtkMRMLScalarVolumeDisplayNode, colours: vtkMRMLColorTableNode) -> None:
    """Show a difference in ``colours``, symmetric about 0 HU."""
    display.SetAndObserveColorNodeID(colours.GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevel(DIFFERENCE_WINDOW, 0.0)
    display.SetInterpolate(True)
