"""Draw the lesion anew while training, so that the network reads the CT and does not copy the drawing's border."""

from __future__ import annotations

from typing import Any

import torch
from batchgeneratorsv2.transforms.base.basic_transform import ImageOnlyTransform
from scipy.ndimage import distance_transform_edt
from torch.nn.functional import interpolate

REACH = 3.0
"""How far the border moves at most, voxels."""


class RedrawLesion(ImageOnlyTransform):
    """Move the border of one channel, a mask of 0 and 1, out here and in there, smoothly and by up to 3 voxels.

    Nobody draws a lesion twice alike, and a tumour that grew between two scans lies outside the drawing. Inwards the
    border moves half way to the middle at most, so that no lesion vanishes.

    Args:
        channel: number of the channel in the image ``(channels, z, y, x)``.
    """

    def __init__(self, channel: int) -> None:
        super().__init__()
        self._channel = channel

    def get_parameters(self, **data_dict: Any) -> dict[str, torch.Tensor]:
        """Draw how far the border moves in, -1 to 1 of its reach: at the corners of the patch, between them linear."""
        return {"moved": 2 * torch.rand(1, 1, 2, 2, 2) - 1}

    def _apply_to_image(self, img: torch.Tensor, **params: Any) -> torch.Tensor:
        drawn = (img[self._channel] > 0.5).numpy()
        if not drawn.any() or drawn.all():
            return img
        # Distance from the border, which runs between voxels, positive inside.
        inside, outside = (torch.from_numpy(distance_transform_edt(part)) for part in (drawn, ~drawn))
        depth = torch.where(inside > 0, inside - 0.5, 0.5 - outside)
        moved = interpolate(params["moved"], size=drawn.shape, mode="trilinear", align_corners=True)[0, 0]
        inwards = min(REACH, float(depth.max()) / 2)
        moved = torch.where(moved > 0, moved * inwards, moved * REACH)
        img[self._channel] = (depth > moved).to(img.dtype)
        return img
