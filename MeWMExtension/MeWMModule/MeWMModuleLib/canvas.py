"""A picture to put slice views and captions on, with VTK's text and PNG writer, no further dependency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkIOImage import vtkPNGWriter
from vtkmodules.vtkRenderingCore import vtkTextProperty, vtkTextRenderer
from vtkmodules.vtkRenderingFreeType import vtkFreeTypeTools

Colour = tuple[float, float, float]
_DPI = 72


class Canvas:
    """An RGB picture; x runs right and y down, in pixels.

    Attributes:
        pixels: ``(height, width, 3)`` float32, 0 to 1.
    """

    def __init__(self, width: int, height: int, colour: Colour = (0.0, 0.0, 0.0)) -> None:
        self.pixels = np.empty((height, width, 3), dtype=np.float32)
        self.pixels[:] = colour

    def rectangle(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """Fill a rectangle whose upper left corner is at (x, y)."""
        self.pixels[y : y + height, x : x + width] = colour

    def paste(self, x: int, y: int, picture: np.ndarray) -> None:
        """Put an RGB picture ``(height, width, 3)`` of 0 to 255 with its upper left corner at (x, y)."""
        height, width, _ = picture.shape
        self.pixels[y : y + height, x : x + width] = picture / 255.0

    def text(
        self,
        x: int,
        y: int,
        words: str,
        size: int,
        colour: Colour = (1.0, 1.0, 1.0),
        *,
        anchor: float = 0.0,
        bold: bool = False,
        halo: bool = False,
    ) -> int:
        """Write one line and return its width in pixels.

        Args:
            x, y: position of the left, middle or right end (``anchor`` 0, 0.5, 1) and of the upper edge.
            words: the line.
            size: height of the font in pixels.
            colour: of the letters.
            anchor: part of the line left of ``x``.
            bold: heavier letters.
            halo: a dark rim, for letters on an image.
        """
        opacity = _letters(words, size, bold)
        width = opacity.shape[1]
        left = round(x - anchor * width)
        if halo:
            for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                self._blend(left + dx, y + dy, opacity, (0.0, 0.0, 0.0))
        self._blend(left, y, opacity, colour)
        return width

    def _blend(self, x: int, y: int, opacity: np.ndarray, colour: Colour) -> None:
        height, width, _ = self.pixels.shape
        top, left = max(y, 0), max(x, 0)
        part = opacity[top - y : height - y, left - x : width - x, None]
        if part.size:
            area = self.pixels[top : top + part.shape[0], left : left + part.shape[1]]
            area += part * (np.asarray(colour, dtype=np.float32) - area)

    def save(self, file: Path) -> None:
        """Write a PNG."""
        height, width, _ = self.pixels.shape
        flipped = np.ascontiguousarray((self.pixels[::-1] * 255).round().clip(0, 255).astype(np.uint8))
        image = vtkImageData()
        image.SetDimensions(width, height, 1)
        image.GetPointData().SetScalars(numpy_to_vtk(flipped.reshape(-1, 3), deep=True))
        writer = vtkPNGWriter()
        writer.SetFileName(str(file))
        writer.SetInputData(image)
        writer.SetCompressionLevel(3)
        writer.Write()
        if writer.GetErrorCode():
            raise OSError(None, "The picture could not be written", str(file))


def text_width(words: str, size: int, bold: bool = False) -> int:
    """Return the width of a line in pixels."""
    return _letters(words, size, bold).shape[1]


def wrapped(parts: Sequence[str], joint: str, size: int, width: int) -> list[str]:
    """Join parts to lines of at most ``width`` pixels; a part is never broken."""
    lines: list[str] = []
    for part in parts:
        if lines and text_width(lines[-1] + joint + part, size) <= width:
            lines[-1] += joint + part
        else:
            lines.append(part)
    return [line + joint.rstrip() for line in lines[:-1]] + lines[-1:]


def _letters(words: str, size: int, bold: bool) -> np.ndarray:
    """Opacity of a line of text, ``(height, width)`` float32, 0 to 1; the height depends on the size only."""
    # VTK's compiled-in font, so that pictures are the same on every machine.
    vtkFreeTypeTools.GetInstance().SetForceCompiledFonts(True)
    style = vtkTextProperty()
    style.SetFontFamilyToArial()
    style.SetFontSize(size)
    style.SetBold(bold)
    image, extent = vtkImageData(), [0, 0]
    vtkTextRenderer.GetInstance().RenderString(style, words, image, extent, _DPI)
    width, height, _ = image.GetDimensions()
    rgba = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 4)
    return rgba[: extent[1], : extent[0], 3][::-1].astype(np.float32) / 255.0
