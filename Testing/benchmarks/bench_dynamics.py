"""Print what the learned dynamics costs: weights, denoiser calls, seconds a future, seconds a training step, memory.

    python Testing/benchmarks/bench_dynamics.py [--bundle DIR] [--threads N]

Without a bundle the networks of the shipped configurations are built untrained: time does not depend on weights.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from mewm.actions.base import load_action_base
from mewm.actions.text import parse_protocol
from mewm.cohort.dataset import read_cohort
from mewm.cohort.simulate import simulate_cohort
from mewm.dynamics.autoencoder.codec import CtAutoencoder
from mewm.dynamics.autoencoder.network import Autoencoder
from mewm.dynamics.diffusion.dynamics import DiffusionDynamics, load_dynamics
from mewm.resources import resource_path
from mewm.training.autoencoder.config import AutoencoderConfig
from mewm.training.config import read_config
from mewm.training.dynamics.config import Attenuation, DynamicsConfig
from mewm.training.dynamics.examples import pair_draws
from mewm.training.dynamics.fit import make_model
from mewm.training.dynamics.latents import open_latents
from mewm.training.dynamics.loss import diffusion_loss
from mewm.training.learner import Learner, Step
from mewm.training.processes import Processes

PROTOCOLS = ("Lobaplatin 30 mg; Lipiodol 10 ml; PVA 300-500 µm", "Epirubicin 50 mg; Lipiodol 10 ml")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--train-steps", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = read_config(resource_path("Models/dynamics_diffusion/configs/train.yaml"), DynamicsConfig)
    agents = tuple(load_action_base().agents)
    with tempfile.TemporaryDirectory() as folder:
        cohort = read_cohort(simulate_cohort(Path(folder) / "cohort", cases=6, seed=3, workers=1))
        dynamics = load_dynamics(args.bundle) if args.bundle else untrained(config, agents)
        for part in ("denoiser", "action"):
            count = sum(p.numel() for p in getattr(dynamics.model, part).parameters())
            print(f"{part}: {count / 1e6:.2f} M weights, {count * 2 / 1e6:.1f} MB in half precision")
        print(f"denoiser calls a simulation: {dynamics.settings.calls}")
        for row in cohort.rows[:3]:
            simulate(dynamics, cohort.load(row))
        training_steps(config, agents, cohort, dynamics.codec, Path(folder), args.train_steps)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    print(f"most memory of this process: {kilobytes / 1e6:.2f} GB")


def untrained(config: DynamicsConfig, agents: tuple[str, ...]) -> DiffusionDynamics:
    """Return the shipped configuration's networks without training."""
    coding = read_config(resource_path("Models/dynamics_autoencoder/configs/train.yaml"), AutoencoderConfig)
    codec = CtAutoencoder(Autoencoder(**coding.network), torch.device("cpu"))
    return DiffusionDynamics(make_model(config, agents, codec.channels), codec, config.sampler)


def simulate(dynamics: DiffusionDynamics, case: object) -> None:
    """Time the first future of a case, one more, and five of one protocol."""
    roi = case.roi  # type: ignore[attr-defined]
    edge = max(np.ptp(np.argwhere(roi.lesion), axis=0)) * roi.spacing
    one, other = (parse_protocol(text).protocol for text in PROTOCOLS)
    first = timed(lambda: dynamics.simulate(roi, one, [1]), 1)
    again = timed(lambda: dynamics.simulate(roi, other, [1]), 3)
    five = timed(lambda: dynamics.simulate(roi, one, [1, 2, 3, 4, 5]), 3)
    told = ", ".join(
        f"{name} {wall:.2f} s ({cpu:.2f} CPU s)"
        for name, (wall, cpu) in {"first future": first, "one more": again, "five": five}.items()
    )
    print(f"lesion of {edge:.0f} mm: {told}")


def training_steps(
    config: DynamicsConfig, agents: tuple[str, ...], cohort: object, codec: CtAutoencoder, folder: Path, steps: int
) -> None:
    """Time steps with and without the contrastive pass."""
    latents = open_latents(cohort, cohort.rows, codec, Attenuation(), folder)  # type: ignore[attr-defined, arg-type]
    model = make_model(config, agents, codec.channels).to(memory_format=torch.channels_last_3d)
    draws = pair_draws(latents, agents, config.tower, model.action.places, config.attenuation.share, 1)
    learner = Learner(model, diffusion_loss(model, config.objective, config.contrastive), config.denoiser)
    processes = Processes(0, 1, torch.device("cpu"))
    seconds: dict[str, list[tuple[float, float]]] = {"plain": [], "contrastive": []}
    for number in range(steps + 2):
        examples = [draws[number * config.loop.batch + k] for k in range(config.loop.batch)]
        batch = {name: torch.stack([e[name] for e in examples]) for name in examples[0]}
        step = Step(number, steps, torch.Generator().manual_seed(number))
        found = timed(lambda b=batch, s=step: learner.learn(b, s, processes), 1)  # type: ignore[misc]
        if number >= 2:
            seconds["contrastive" if number % config.contrastive.every == 0 else "plain"].append(found)
    best = {name: min(found) for name, found in seconds.items() if found}
    told = ", ".join(f"{name} {wall:.2f} s ({cpu:.2f} CPU s)" for name, (wall, cpu) in best.items())
    mean = np.mean([wall for wall, _ in best.values()])
    print(f"training step of {2 * config.loop.batch} cases: {told}; about {7200 / mean:.0f} steps in two hours")


def timed(work: object, times: int) -> tuple[float, float]:
    """Return the shortest wall time and the least CPU time."""
    found = []
    for _ in range(times):
        begun = time.perf_counter(), time.process_time()
        work()  # type: ignore[operator]
        found.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
    return min(wall for wall, _ in found), min(cpu for _, cpu in found)


if __name__ == "__main__":
    main()
