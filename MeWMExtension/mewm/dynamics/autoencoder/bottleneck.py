"""What stands between encoder and decoder: continuous latents, finite scalar or vector quantization.

All three keep 8 numbers a latent voxel; they differ in how many bits each may carry and in what the decoder is taught
to forgive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from mewm.errors import InputError


class Coded(NamedTuple):
    """What a bottleneck makes of the encoder's output in training.

    Attributes:
        latent: what the decoder gets, (N, C, d, h, w).
        penalty: regularisation, a scalar to be weighted and added to the loss.
    """

    latent: torch.Tensor
    penalty: torch.Tensor


class GaussianBottleneck(nn.Module):
    """Continuous latents with Kullback-Leibler regularisation (Kingma & Welling, arXiv 1312.6114).

    As in latent diffusion (Rombach et al., arXiv 2112.10752). The noise added in training teaches the decoder to
    forgive a denoiser's small errors.

    Args:
        channels: latent channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inputs = 2 * channels

    def forward(self, encoded: torch.Tensor, generator: torch.Generator | None = None) -> Coded:
        """Draw latents; the penalty is the divergence from a unit normal, mean over latent numbers, in nats."""
        mean, log_variance = encoded.float().chunk(2, dim=1)
        log_variance = log_variance.clamp(-20.0, 10.0)
        noise = torch.empty_like(mean).normal_(generator=generator)
        penalty = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()
        return Coded(mean + (0.5 * log_variance).exp() * noise, penalty)

    def mode(self, encoded: torch.Tensor) -> torch.Tensor:
        """Return the latents without noise, (N, C, d, h, w)."""
        return encoded.chunk(2, dim=1)[0]

    def snap(self, latent: torch.Tensor) -> torch.Tensor:
        """Return what the decoder takes for latents from elsewhere: themselves."""
        return latent


class FiniteScalarBottleneck(nn.Module):
    """Every latent number is rounded to one of a few levels (Mentzer et al., arXiv 2309.15505).

    There is no codebook that could collapse and no auxiliary loss.

    Args:
        channels: latent channels.
        levels: values that a number may take, evenly spaced in [-1, 1].
    """

    def __init__(self, channels: int, levels: int = 16) -> None:
        super().__init__()
        self.inputs = channels
        self.levels = levels

    def forward(self, encoded: torch.Tensor, generator: torch.Generator | None = None) -> Coded:
        """Round with straight-through gradients; there is no penalty."""
        bounded = self.mode(encoded.float())
        return Coded(bounded + (self.snap(bounded) - bounded).detach(), bounded.new_zeros(()))

    def mode(self, encoded: torch.Tensor) -> torch.Tensor:
        """Return the latents before rounding, in [-1, 1]."""
        return torch.tanh(encoded)

    def snap(self, latent: torch.Tensor) -> torch.Tensor:
        """Round to the nearest level."""
        half = (self.levels - 1) / 2
        return (torch.round(latent.clamp(-1.0, 1.0) * half + half) - half) / half


class VectorBottleneck(nn.Module):
    """Every latent voxel becomes one of a few vectors, as in the paper's VQ-GAN (arXiv 2012.09841).

    The quantizer is MONAI's, with exponential averages. With its defaults the codebook collapses: unit-normal vectors
    lie nowhere near a young encoder's output, so a handful of codes wins every voxel and the rest is never moved. Here
    the first batch is the first codebook, and in training a code that nobody uses moves to a random latent of a batch.

    Args:
        channels: latent channels.
        codes: size of the codebook.
    """

    REVIVE_EVERY = 50
    FEWEST_USES = 0.01

    def __init__(self, channels: int, codes: int = 4096) -> None:
        super().__init__()
        from monai.networks.layers.vector_quantizer import EMAQuantizer

        self.inputs = channels
        self.quantizer = EMAQuantizer(spatial_dims=3, num_embeddings=codes, embedding_dim=channels)
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))

    def forward(self, encoded: torch.Tensor, generator: torch.Generator | None = None) -> Coded:
        """Replace every latent voxel by its nearest code; the penalty is the commitment loss."""
        encoded = encoded.float()
        if self.training:
            if int(self.batches) % self.REVIVE_EVERY == 0:
                self._revive(encoded.detach(), generator)
            self.batches += 1
        with _full_precision(encoded):
            quantized, penalty, _ = self.quantizer(encoded)
        return Coded(quantized, penalty)

    def mode(self, encoded: torch.Tensor) -> torch.Tensor:
        """Return the latents before quantization."""
        return encoded

    def snap(self, latent: torch.Tensor) -> torch.Tensor:
        """Replace every latent voxel by its nearest code."""
        with _full_precision(latent):
            return self.quantizer.embed(self.codes(latent))

    def codes(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the index of the nearest code, (N, d, h, w)."""
        with _full_precision(latent):
            return self.quantizer.quantize(latent.float())[2]

    def _revive(self, encoded: torch.Tensor, generator: torch.Generator | None) -> None:
        flat = encoded.movedim(1, -1).reshape(-1, encoded.shape[1])
        unused = self.quantizer.ema_cluster_size < self.FEWEST_USES
        if int(self.batches) == 0:
            unused = torch.ones_like(unused)
        pick = torch.randint(len(flat), (int(unused.sum()),), generator=generator, device=flat.device)
        self.quantizer.embedding.weight.data[unused] = flat[pick]
        self.quantizer.ema_w[unused] = flat[pick]
        self.quantizer.ema_cluster_size[unused] = 1.0
        if torch.distributed.is_initialized():
            # Each process has other latents; all need one codebook.
            for value in self.quantizer.state_dict().values():
                torch.distributed.broadcast(value, src=0)


def _full_precision(latent: torch.Tensor) -> torch.autocast:
    """Return a context without 16 bits: MONAI leaves them for CUDA alone, and in bfloat16 near codes are one."""
    return torch.autocast(latent.device.type, enabled=False)


_KINDS: dict[str, Callable[..., nn.Module]] = {
    "gaussian": GaussianBottleneck,
    "finite": FiniteScalarBottleneck,
    "vector": VectorBottleneck,
}


def make_bottleneck(kind: str, channels: int, **options: Any) -> nn.Module:
    """Return a bottleneck: ``"gaussian"``, ``"finite"`` (option ``levels``) or ``"vector"`` (option ``codes``).

    Raises:
        InputError: there is no such kind.
    """
    if kind not in _KINDS:
        raise InputError(f"There is no bottleneck {kind!r}; choose one of {', '.join(_KINDS)}.")
    return _KINDS[kind](channels, **options)
