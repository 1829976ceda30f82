"""Draw the lesion anew while training, so that the network reads the CT and does not copy the drawing's border."""

from __future__ import annotations

from typing import Any

import torch
from batchgeneratorsv2.transforms.base.basic_transform import ImageOnlyTransform
from torch.nn.functional import avg_pool3d, interpolate

REACH = 4
"""How far around a voxel the drawing is smoothed, voxels."""
BORDER = (0.15, 0.85)
"""Where the new border runs in the smoothed drawing: about 3 voxels further out to 3 voxels further in."""


class RedrawLesion(ImageOnlyTransform):
    """Move the border of one channel, a mask of 0 and 1, out here and in there, smoothly and by up to 3 voxels.

    Nobody draws a lesion twice alike, and a tumour that grew between two scans lies outside the drawing.

    Args:
        channel: number of the channel in the image ``(channels, z, y, x)``.
    """

    def __init__(self, channel: int) -> None:
        super().__init__()
        self._channel = channel

    def get_parameters(self, **data_dict: Any) -> dict[str, torch.Tensor]:
        """Draw where the border is to run: eight values at the corners of the patch, between them linear."""
        low, high = BORDER
        return {"border": low + (high - low) * torch.rand(1, 1, 2, 2, 2)}

    def _apply_to_image(self, img: torch.Tensor, **params: Any) -> torch.Tensor:
        smooth = (img[self._channel] > 0.5).to(img.dtype)[None, None]
        for axis in range(3):
            window, pad = [1, 1, 1], [0, 0, 0]
            window[axis], pad[axis] = 2 * REACH + 1, REACH
            smooth = avg_pool3d(smooth, window, stride=1, padding=pad, count_include_pad=False)
        border = interpolate(params["border"], size=smooth.shape[2:], mode="trilinear", align_corners=True)
        img[self._channel] = (smooth > border)[0, 0].to(img.dtype)
        return img
