"""Write a volume to a file."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import SimpleITK as sitk


def write_image(image: sitk.Image, path: Path, *, compress: bool = True) -> None:
    """Write a volume.

    Args:
        image: the volume.
        path: file whose suffix names the format.
        compress: gzip, for files that stay; without it a file is read faster.

    Raises:
        OSError: it could not be written.
    """
    import SimpleITK as sitk

    try:
        sitk.WriteImage(image, str(path), useCompression=compress, compressionLevel=1)
    except RuntimeError as error:
        # ITK does not say why; a folder that may not be written to was refused before any work.
        raise OSError(errno.ENOSPC, "the volume could not be written, probably the disk is full", path.name) from error
