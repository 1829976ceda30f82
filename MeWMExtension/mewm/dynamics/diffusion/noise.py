"""From a clean volume to noise and back: the process of equation (2) in six ways of asking the network.

A noisy volume at time t in [0, 1] is ``alpha(t) x0 + sigma(t) noise``. ``"flow"`` is rectified flow (straight lines,
MONAI's ``RFlowScheduler``), ``"flow_v"`` and ``"flow_sample"`` are the same lines asked otherwise; ``"epsilon"``,
``"sample"`` and ``"v_prediction"`` use the linear-beta process of MONAI's ``DDPMScheduler``. The few formulas stand
here, and not MONAI's classes, because importing MONAI takes five seconds that a radiologist would wait for; tests hold
them to those.
"""

from __future__ import annotations

from functools import lru_cache

import torch

from mewm.errors import InputError

PREDICTIONS = ("flow", "flow_v", "flow_sample", "epsilon", "sample", "v_prediction")
_STRAIGHT = ("flow", "flow_v", "flow_sample")
TRAIN_STEPS = 1000
_BETAS = (1e-4, 2e-2)
# Below this noise an error of "flow_sample" counts no more than at it: a few calls hardly ever go there.
_LEAST_NOISE = 0.3


class NoiseProcess:
    """The process and what the network predicts of it.

    Args:
        prediction: ``"flow"`` (the velocity ``x0 - noise``), ``"flow_v"`` (``alpha noise - sigma x0`` over its own
            size, on the same straight lines), ``"flow_sample"`` (x0, on the same straight lines), ``"epsilon"`` (the
            noise), ``"sample"`` (x0) or ``"v_prediction"`` (``alpha noise - sigma x0``). A network that is asked for a
            velocity has to give back the whole noise, for which a small one has no room; at pure noise ``"flow_v"``
            asks for the clean volume alone, and near it for the noise alone (the preconditioning of Karras et al. 2022,
            arXiv 2206.00364). ``"flow_sample"`` never asks for the noise, so a small network leaves none in a future
            (Li and He 2025, arXiv 2511.13720).

    Raises:
        InputError: the prediction is unknown.
    """

    def __init__(self, prediction: str) -> None:
        if prediction not in PREDICTIONS:
            raise InputError(f"The denoiser cannot predict {prediction!r}; choose among {', '.join(PREDICTIONS)}.")
        self.prediction = prediction

    def levels(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return alpha and sigma at times t (N,), each (N, 1, 1, 1, 1)."""
        t = t.float().view(-1, 1, 1, 1, 1)
        if self.prediction in _STRAIGHT:
            return 1 - t, t
        # Time 0 is the clean volume; time k / 1000 is MONAI's step k - 1.
        step = (t * TRAIN_STEPS).round().long().clamp(0, TRAIN_STEPS)
        kept = _kept().to(t.device)[step]
        return kept.sqrt(), (1 - kept).sqrt()

    def mix(self, clean: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the noisy volume, (N, C, d, h, w)."""
        alpha, sigma = self.levels(t)
        return alpha * clean + sigma * noise

    def target(self, clean: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return what the network should say, (N, C, d, h, w)."""
        alpha, sigma = self.levels(t)
        if self.prediction == "flow":
            return clean - noise
        if self.prediction == "flow_v":
            return (alpha * noise - sigma * clean) / (alpha.square() + sigma.square()).sqrt()
        if self.prediction == "epsilon":
            return noise
        if self.prediction in ("sample", "flow_sample"):
            return clean
        return alpha * noise - sigma * clean

    def weight(self, t: torch.Tensor) -> torch.Tensor:
        """Return what a squared error of the answer counts at times t (N,), (N, 1, 1, 1, 1).

        1, but for ``"flow_sample"`` that of the velocity which the answer amounts to (arXiv 2511.13720).
        """
        sigma = self.levels(t)[1]
        return sigma.clamp_min(_LEAST_NOISE) ** -2 if self.prediction == "flow_sample" else torch.ones_like(sigma)

    def clean(self, said: torch.Tensor, noisy: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the clean volume that the network's word amounts to, (N, C, d, h, w)."""
        alpha, sigma = self.levels(t)
        if self.prediction == "flow":
            return noisy + sigma * said
        if self.prediction == "flow_v":
            size = alpha.square() + sigma.square()
            return (alpha * noisy - sigma * size.sqrt() * said) / size
        if self.prediction == "epsilon":
            return (noisy - sigma * said) / alpha.clamp_min(1e-4)
        return said if self.prediction in ("sample", "flow_sample") else alpha * noisy - sigma * said


def shifted(t: torch.Tensor, shift: float) -> torch.Tensor:
    """Return times moved towards the noise by a shift above 1, same shape (arXiv 2403.03206, section 5.3.2)."""
    return shift * t / (1 + (shift - 1) * t)


@lru_cache(maxsize=1)
def _kept() -> torch.Tensor:
    """Return the share of variance that is left of the clean volume after 0 … 1000 steps."""
    betas = torch.linspace(*_BETAS, TRAIN_STEPS, dtype=torch.float32)
    return torch.cat([torch.ones(1), torch.cumprod(1 - betas, dim=0)])
