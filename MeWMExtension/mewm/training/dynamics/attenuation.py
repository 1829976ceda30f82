"""Text-driven Morpho-Gaussian Attenuation of the lesion mask, in training only (arXiv 2506.02327, section 3.2).

The occlusion words of the angiography report give a level from 1 (unchanged) to 4 (staining gone). Erosion and dilation
by a ball, then a Gaussian blur, turn the lesion's mask m₀ into the attenuated mask m₀′; both grow with the level and
with the lesion. What is left under m₀′ is taken out of the CT that the denoiser sees. The paper gives no numbers; those
below are this project's: the higher the level, the smaller and softer the mask.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from mewm.reports.extract import extract

LEVELS = (1, 2, 3, 4)
RESPONSE_LEVELS = {"PD": 1, "SD": 2, "PR": 3, "CR": 4}
"""Level of a case whose report is not at hand, by the response of its target lesion."""
# Radius of the ball as a share of the lesion's radius, and how often it erodes and then dilates.
_BALL_SHARE = 0.12
_ERODE = {1: 0, 2: 1, 3: 1, 4: 2}
_DILATE = {1: 0, 2: 1, 3: 0, 4: 0}
# Standard deviation of the blur as a share of the lesion's radius, and limits in voxels.
_BLUR_SHARE = {1: 0.04, 2: 0.08, 3: 0.14, 4: 0.22}
_BLUR_VOXELS = (0.5, 6.0)


def report_level(report: str) -> int | None:
    """Return the level that a report's words come to; ``None`` without such words.

    Raises:
        InputError: the report is empty or too long.
    """
    return extract(report).level


def attenuate(mask: torch.Tensor, level: int) -> torch.Tensor:
    """Return the attenuated mask m₀′, float32 0 to 1.

    Its volume does not grow with the level.

    Args:
        mask: (D, H, W) lesion, bool or 0 and 1, on any device.
        level: 1 to 4.

    Raises:
        ValueError: the level is another.
    """
    if level not in LEVELS:
        raise ValueError(f"attenuation level {level}")
    shape = mask.float()
    volume = float(shape.sum())
    if volume == 0:
        return shape
    radius = (3 * volume / (4 * math.pi)) ** (1 / 3)
    ball = ball_kernel(max(1, round(_BALL_SHARE * radius)), shape.device)
    for _ in range(_ERODE[level]):
        shape = erode(shape, ball)
    for _ in range(_DILATE[level]):
        shape = dilate(shape, ball)
    low, high = _BLUR_VOXELS
    return blur(shape, min(max(_BLUR_SHARE[level] * radius, low), high))


def ball_kernel(radius: int, device: torch.device) -> torch.Tensor:
    """Return a ball of ones in a cube, (2r+1, 2r+1, 2r+1) float32."""
    steps = torch.arange(-radius, radius + 1, device=device)
    squares = steps[:, None, None] ** 2 + steps[None, :, None] ** 2 + steps[None, None, :] ** 2
    return (squares <= radius**2).float()


def erode(mask: torch.Tensor, ball: torch.Tensor) -> torch.Tensor:
    """Return the voxels (D, H, W) whose whole ball lies in the mask."""
    return (_count(mask, ball) > ball.sum() - 0.5).float()


def dilate(mask: torch.Tensor, ball: torch.Tensor) -> torch.Tensor:
    """Return the voxels (D, H, W) whose ball touches the mask."""
    return (_count(mask, ball) > 0.5).float()


def blur(mask: torch.Tensor, sigma: float) -> torch.Tensor:
    """Return the mask (D, H, W) smoothed by a Gaussian of ``sigma`` voxels, one axis after the other."""
    reach = math.ceil(3 * sigma)
    steps = torch.arange(-reach, reach + 1, device=mask.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = kernel / kernel.sum()
    out = mask[None, None]
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = len(kernel)
        padding = [0, 0, 0]
        padding[axis] = reach
        out = functional.conv3d(out, kernel.view(shape), padding=padding)
    return out[0, 0].clamp(0.0, 1.0)


def _count(mask: torch.Tensor, ball: torch.Tensor) -> torch.Tensor:
    return functional.conv3d(mask[None, None], ball[None, None], padding=ball.shape[0] // 2)[0, 0]
