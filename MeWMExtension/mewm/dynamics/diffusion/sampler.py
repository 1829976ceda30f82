"""From noise to a future in a few calls of the denoiser.

``"ddim"`` is DDIM without noise of its own (arXiv 2010.02502); on rectified flow the same step is Euler's.
``"multistep"`` corrects it by the step before (DPM-Solver++ 2M, arXiv 2211.01095), at no further call.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mewm.dynamics.diffusion.action_encoder import ActionTokens
from mewm.dynamics.diffusion.model import ActionDiffusion, CaseConditions
from mewm.dynamics.diffusion.noise import shifted
from mewm.errors import InputError

SOLVERS = ("ddim", "multistep")


@dataclass(frozen=True)
class SamplerSettings:
    """How futures are drawn.

    Attributes:
        solver: ``"ddim"`` or ``"multistep"``.
        steps: of the solver; each calls the denoiser once, and once more for each guidance.
        shift: above 1 puts more of the steps near the noise, where a protocol's effect is decided.
        guidance: how far to go from "not told" to the protocol; 1 goes there and no further, at half the calls.
        outcome_guidance: the same for the outcome that was drawn, where the model has an outcome head: above 1 the
            future keeps closer to it.
        batch: futures at once.
    """

    solver: str = "multistep"
    steps: int = 4
    shift: float = 1.5
    guidance: float = 1.0
    outcome_guidance: float = 1.0
    batch: int = 5

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS or self.steps < 1 or self.batch < 1 or self.shift <= 0:
            raise InputError(
                f"The sampler cannot take {self.steps} steps of {self.solver!r} with a shift of {self.shift:g} in "
                f"batches of {self.batch}; choose a solver among {', '.join(SOLVERS)} and numbers above 0."
            )

    @property
    def calls(self) -> int:
        """Calls of the denoiser for one future."""
        return self.steps * (1 + (self.guidance != 1.0) + (self.outcome_guidance != 1.0))


def seeded_noise(seed: int, channels: int, edge: int) -> torch.Tensor:
    """Return a seed's noise, (channels, edge, edge, edge) float32 on CPU: the same for every protocol and device."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    return torch.randn(channels, edge, edge, edge, generator=generator)


def sample(
    model: ActionDiffusion,
    case: CaseConditions,
    action: ActionTokens,
    noise: torch.Tensor,
    settings: SamplerSettings,
    untold: ActionTokens | None = None,
    outcome: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return post-treatment latents, (N, C, d, h, w).

    Args:
        model: the trained model.
        case: N cases or one case repeated.
        action: N protocols.
        noise: (N, C, d, h, w), where the futures differ.
        settings: solver and steps.
        untold: the tokens of "not told", where ``settings.guidance`` is not 1.
        outcome: (N, 3) of :meth:`ActionDiffusion.draw_outcome`.

    Raises:
        InputError: guidance is asked for without ``untold``.
    """
    if settings.guidance != 1.0 and untold is None:
        raise InputError("Guidance needs the tokens of a hidden protocol beside those of the protocol.")
    process, x = model.process, noise
    times = torch.linspace(1.0, 0.0, settings.steps + 1, device=noise.device)
    times = shifted(times, settings.shift)
    before: torch.Tensor | None = None
    for number in range(settings.steps):
        t, following = (times[number + k].expand(len(x)) for k in (0, 1))
        said = model(x, t, case, action, outcome)
        if settings.guidance != 1.0 and untold is not None:
            plain = model(x, t, case, untold)
            said = plain + settings.guidance * (said - plain)
        if settings.outcome_guidance != 1.0 and outcome is not None:
            plain = model(x, t, case, action)
            said = plain + settings.outcome_guidance * (said - plain)
        clean = process.clean(said, x, t)
        aim = clean
        if settings.solver == "multistep" and before is not None and number + 1 < settings.steps:
            aim = clean + _correction(model, times, number) * (clean - before)
        alpha, sigma = process.levels(t)
        next_alpha, next_sigma = process.levels(following)
        # The noise that is in x if ``aim`` is the clean volume, put back at the next level.
        x = next_alpha * aim + (next_sigma / sigma) * (x - alpha * aim)
        before = clean
    return model.from_target(x, case)


def _correction(model: ActionDiffusion, times: torch.Tensor, number: int) -> float:
    """Return 1 / 2r of DPM-Solver++: r is the step before over this step in log signal-to-noise."""
    logs = []
    for t in times[number - 1 : number + 2]:
        alpha, sigma = model.process.levels(t[None])
        logs.append(float(torch.log(alpha.clamp_min(1e-4)) - torch.log(sigma.clamp_min(1e-4))))
    ratio = (logs[1] - logs[0]) / max(logs[2] - logs[1], 1e-6)
    return 0.5 / max(ratio, 1e-3)
