"""``mewm train survival``."""

from __future__ import annotations

import argparse
from pathlib import Path

from mewm.cli.report import counted
from mewm.cli.training_arguments import check_training_arguments
from mewm.cli.training_report import completed, training_line

DEFAULT_CONFIG = "Models/survival_attention/configs/train.yaml"


def add_parser(models: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = models.add_parser(
        "survival",
        help="the cross-attention survival model; a training that was stopped goes on",
        epilog="example: mewm train survival --cohort cohort/ --work work/survival --out models/survival_attention",
    )
    parser.add_argument("--cohort", type=Path, required=True, metavar="DIR", help="dataset to train on")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="regions, checkpoints, logs")
    parser.add_argument("--out", type=Path, metavar="DIR", help="bundle folder to write when the training is done")
    parser.add_argument("--config", type=Path, metavar="FILE", help="train.yaml (default: the bundled small one)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps (default: the fastest)")
    parser.add_argument(
        "--export-only", action="store_true", help="write the bundle of the best checkpoint so far; do not train"
    )
    parser.set_defaults(run=run, resumes=True)


def run(args: argparse.Namespace) -> int:
    """Train the survival model, then calibrate it and write its bundle."""
    from mewm.errors import ResourceError, how_to_install
    from mewm.training.one_process import require_one_process

    check_training_arguments(args)
    require_one_process("survival model")
    try:
        from mewm.training.survival.config import SurvivalConfig
        from mewm.training.survival.export import export_survival
        from mewm.training.survival.fit import train_survival
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"Training needs {error.name}, which is not installed; {how_to_install('learned,evaluation')}."
        ) from error
    from mewm.assistant.choose import choose_assistant
    from mewm.compute import choose_device
    from mewm.dynamics.choose import choose_dynamics
    from mewm.resources import resource_path
    from mewm.training.config import read_config

    path = args.config or resource_path(DEFAULT_CONFIG)
    config = read_config(path, SurvivalConfig)
    dynamics = choose_dynamics(config.futures.dynamics, args.device)
    assistant = choose_assistant(config.futures.assistant, args.device)
    if not args.export_only:
        with counted("simulating futures", None) as progress:
            done = completed(
                lambda: train_survival(
                    args.cohort,
                    args.work,
                    config,
                    dynamics,
                    assistant,
                    device=args.device,
                    tell=training_line,
                    reading=progress,
                ),
                args.work,
            )
        if not done:
            return 130
    if args.out is not None:
        bundle = export_survival(
            args.cohort,
            args.work,
            config,
            path.read_text(encoding="utf-8"),
            dynamics,
            assistant,
            args.out,
            device=choose_device(args.device),
        )
        for name, value in bundle.metadata["figures"].items():
            print(f"{name}: {value}")
        print(f"bundle in {args.out}")
    return 0
