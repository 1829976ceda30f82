"""A trained autoencoder for use: Hounsfield units in, latents out, and back."""

from __future__ import annotations

from pathlib import Path

import torch

from mewm.bundle import Bundle, read_bundle
from mewm.compute import choose_device, mixed_precision
from mewm.dynamics.autoencoder.network import REDUCTION, Autoencoder, from_window, to_window
from mewm.resources import resource_path

BUNDLE = "Models/dynamics_autoencoder"
TITLE = "autoencoder"


class CtAutoencoder:
    """Turns CTs on the model grid into latents of about unit variance and back. No gradients.

    Every voxel of a decoded CT depends on its surroundings only. Most of the input's noise is not in the latents. So a
    post-treatment CT is best drawn as ``pre + decode(post_latent) - decode(encode(pre))``: the scan keeps its noise and
    its detail where nothing changes, and the autoencoder's own error cancels.

    Args:
        network: encoder and decoder, moved to ``device``.
        device: where it runs.
        sha256: digest of the weights.

    Attributes:
        channels: numbers a latent voxel.
        reach: latent voxels around one that still have a part in its decoded CT.
        reduction: CT voxels along the edge of a latent voxel.
        device, sha256: as given.
    """

    reduction = REDUCTION

    def __init__(self, network: Autoencoder, device: torch.device, sha256: str = "") -> None:
        # Channels-last halves the time of these convolutions on CPU.
        self.network = network.to(device, memory_format=torch.channels_last_3d).eval().requires_grad_(False)
        self.device, self.sha256 = device, sha256
        self.channels, self.reach = network.latent_channels, network.reach

    @torch.no_grad()
    def encode(self, ct_hu: torch.Tensor) -> torch.Tensor:
        """Return latents without noise.

        Args:
            ct_hu: (N, 1, D, H, W) Hounsfield units in (z, y, x) order, edges multiples of 4, on any device.

        Returns:
            (N, 8, D/4, H/4, W/4) float32 on :attr:`device`, each channel with mean 0 and variance 1 over the training
            cases.
        """
        values = to_window(ct_hu.to(self.device, torch.float32))
        with mixed_precision(self.device):
            return self.network.encode(values.contiguous(memory_format=torch.channels_last_3d)).float()

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the CTs of latents, one at a time inside, so that memory does not grow with N.

        Args:
            latents: (N, 8, d, h, w), as :meth:`encode` returns them, on any device.

        Returns:
            (N, 1, 4d, 4h, 4w) float32 Hounsfield units between -175 and 600 on :attr:`device`.
        """
        rows = latents.to(self.device, torch.float32).split(1)
        with mixed_precision(self.device):
            volumes = [self.network.decode(r.contiguous(memory_format=torch.channels_last_3d)) for r in rows]
        return from_window(torch.cat(volumes).float())


def load_autoencoder(folder: Path | None = None, device: torch.device | str | None = None) -> CtAutoencoder:
    """Load the autoencoder of a bundle.

    Args:
        folder: the bundle; without one the shipped ``Resources/Models/dynamics_autoencoder``.
        device: where it runs; without one :func:`mewm.compute.choose_device` chooses.

    Raises:
        ResourceError: a file is missing, was changed, or is not such a model.
    """
    bundle = read_bundle(resource_path(BUNDLE) if folder is None else Path(folder), TITLE)
    chosen = device if isinstance(device, torch.device) else choose_device(device)
    return CtAutoencoder(network_of(bundle), chosen, bundle.sha256)


def network_of(bundle: Bundle) -> Autoencoder:
    """Build the network that a bundle describes, with its weights.

    Raises:
        ResourceError: the weights are of another network.
    """
    network = Autoencoder(**bundle.network_arguments())
    bundle.load_into(network)
    return network
