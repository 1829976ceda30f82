"""A network that learns: its loss, its optimizer and the running average of its weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from mewm.compute import mixed_precision
from mewm.errors import InputError
from mewm.training.processes import Processes


@dataclass
class Step:
    """Where the training is, given to every loss.

    Attributes:
        number: steps done before this one.
        total: steps in all.
        generator: random numbers on the training device, seeded by training, step and process: take all noise from it.
        shared: for one loss to leave something to the next of the same step.
    """

    number: int
    total: int
    generator: torch.Generator
    shared: dict[str, Any] = field(default_factory=dict)


Loss = Callable[[Mapping[str, Any], Step], Mapping[str, torch.Tensor]]
"""``loss(batch, step)`` returns scalars by name; ``"loss"`` is minimised, all are logged."""


@dataclass(frozen=True)
class Optimisation:
    """How a network's weights follow its loss (AdamW).

    Attributes:
        learning_rate: at its highest.
        warmup: steps of linear rise.
        final_rate: share of the learning rate that is left at the end of a cosine.
        betas: of the moment averages.
        weight_decay: decoupled.
        clip: largest norm of the gradient.
        average: decay a step of the running average of weights; 0 keeps none.
    """

    learning_rate: float = 5e-4
    warmup: int = 200
    final_rate: float = 0.05
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    clip: float = 1.0
    average: float = 0.999

    def rate(self, step: int, total: int) -> float:
        """Return the learning rate of a step; it depends on nothing else, so resuming needs no schedule's state."""
        rise = min(1.0, (step + 1) / max(self.warmup, 1))
        fall = self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * min(step / max(total, 1), 1.0)))
        return self.learning_rate * rise * fall


class Learner:
    """A module with what trains it.

    Args:
        module: the network, on its device.
        loss: its loss; calls the module itself, as often as it likes.
        optimisation: learning rate and so on.
        start: steps before which it does not learn (a discriminator comes later than its generator).
    """

    def __init__(
        self, module: nn.Module, loss: Loss, optimisation: Optimisation | None = None, *, start: int = 0
    ) -> None:
        self.module, self.loss, self.start = module, loss, start
        self.optimisation = how = optimisation or Optimisation()
        self.optimizer = torch.optim.AdamW(
            (p for p in module.parameters() if p.requires_grad),
            lr=how.learning_rate,
            betas=how.betas,
            weight_decay=how.weight_decay,
        )
        self.averaged = (
            AveragedModel(module, multi_avg_fn=_running_average(how.average), use_buffers=False)
            if how.average
            else None
        )

    @property
    def best_module(self) -> nn.Module:
        """The averaged network where there is one, else the network itself."""
        if self.averaged is None:
            return self.module
        # Buffers, such as a codebook, are averages already or no quantity to average.
        for mean, now in zip(self.averaged.module.buffers(), self.module.buffers(), strict=True):
            mean.copy_(now)
        return self.averaged.module

    def learn(self, batch: Mapping[str, Any], step: Step, processes: Processes) -> dict[str, torch.Tensor]:
        """Do one step and return what the loss reported, detached.

        Raises:
            InputError: the loss is no longer a number.
        """
        if step.number < self.start:
            return {}
        self.module.train()
        self.optimizer.zero_grad(set_to_none=True)
        for group in self.optimizer.param_groups:
            group["lr"] = self.optimisation.rate(step.number - self.start, step.total - self.start)
        with mixed_precision(processes.device, training=True):
            figures = self.loss(batch, step)
        if not bool(torch.isfinite(figures["loss"])):
            raise InputError(
                f"The loss is no longer a number at step {step.number}; choose a lower learning rate than "
                f"{self.optimisation.learning_rate:g}."
            )
        figures["loss"].backward()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        processes.average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, self.optimisation.clip)
        self.optimizer.step()
        if self.averaged is not None:
            self.averaged.update_parameters(self.module)
        return {**{k: v.detach() for k, v in figures.items()}, "gradient": norm.detach()}

    def state(self) -> dict[str, Any]:
        """Return everything that a later process needs to go on."""
        return {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` returned."""
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])


@contextmanager
def frozen(module: nn.Module) -> Iterator[nn.Module]:
    """Let gradients pass through a module without reaching its weights: a discriminator inside a generator's loss."""
    learning = [p for p in module.parameters() if p.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield module
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def _running_average(decay: float) -> Callable[[Iterable[Any], Iterable[Any], Any], None]:
    """Return an update for ``AveragedModel`` whose decay rises to its value: the first weights are forgotten soon."""

    @torch.no_grad()
    def update(averages: Any, current: Any, done: Any) -> None:
        now = min(decay, (1 + int(done)) / (10 + int(done)))
        torch._foreach_lerp_(averages, current, 1 - now)

    return update
