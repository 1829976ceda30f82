"""``mewm train dynamics``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mewm.cli.report import counted
from mewm.cli.training_arguments import check_training_arguments
from mewm.cli.training_report import completed, is_first_process, print_now, training_line
from mewm.cli.whole_numbers import from_one

if TYPE_CHECKING:
    import torch

    from mewm.dynamics.autoencoder.codec import CtAutoencoder

DEFAULT_CONFIG = "Models/dynamics_diffusion/configs/train.yaml"


def add_parser(models: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = models.add_parser(
        "dynamics",
        help="the action-conditioned diffusion of the learned dynamics; a training that was stopped goes on",
        epilog="example: mewm train dynamics --cohort cohort/ --autoencoder models/dynamics_autoencoder --work "
        "work/dynamics --out models/dynamics_diffusion; several devices: torchrun --nproc-per-node 4 -m mewm train ...",
    )
    parser.add_argument("--cohort", type=Path, required=True, metavar="DIR", help="dataset to train on")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="latents, checkpoints, logs")
    parser.add_argument("--out", type=Path, metavar="DIR", help="bundle folder to write when the training is done")
    parser.add_argument("--config", type=Path, metavar="FILE", help="train.yaml (default: the bundled small one)")
    parser.add_argument("--autoencoder", type=Path, metavar="DIR", help="its bundle (default: the shipped one)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps (default: the fastest)")
    parser.add_argument(
        "--export-only", action="store_true", help="write the bundle of the best checkpoint so far; do not train"
    )
    parser.add_argument("--test-cases", type=from_one, metavar="N", help="measure on N test cases only (default: all)")
    parser.set_defaults(run=run, resumes=True)


def run(args: argparse.Namespace) -> int:
    """Train the dynamics model, then measure it and write its bundle."""
    from mewm.errors import ResourceError, how_to_install

    check_training_arguments(args)
    try:
        from mewm.dynamics.autoencoder.codec import load_autoencoder
        from mewm.training.dynamics.config import DynamicsConfig
        from mewm.training.dynamics.export import export_dynamics
        from mewm.training.dynamics.fit import train_dynamics
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"Training needs {error.name}, which is not installed; {how_to_install('learned,evaluation')}."
        ) from error
    from mewm.compute import choose_device
    from mewm.resources import resource_path
    from mewm.training.config import read_config

    path = args.config or resource_path(DEFAULT_CONFIG)
    config = read_config(path, DynamicsConfig)

    def codec(device: torch.device) -> CtAutoencoder:
        return load_autoencoder(args.autoencoder, device)

    if not args.export_only:
        with counted("encoding cases", None) as progress:
            done = completed(
                lambda: train_dynamics(
                    args.cohort,
                    args.work,
                    config,
                    codec,
                    device=args.device,
                    tell=training_line,
                    reading=progress,
                    warn=print_now,
                ),
                args.work,
            )
        if not done:
            return 130
    if args.out is not None and is_first_process():
        with counted("measuring cases", None) as progress:
            bundle = export_dynamics(
                args.cohort,
                args.work,
                config,
                path.read_text(encoding="utf-8"),
                codec(choose_device(args.device)),
                args.out,
                cases=args.test_cases,
                progress=progress,
            )
        for name, value in bundle.metadata["figures"].items():
            print(f"{name}: {value}")
        print(f"bundle in {args.out}")
    return 0
