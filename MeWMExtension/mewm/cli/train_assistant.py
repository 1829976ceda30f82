"""``mewm train assistant``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mewm.cli.report import counted
from mewm.cli.training_arguments import check_training_arguments
from mewm.cli.training_report import duration, print_now
from mewm.cli.whole_numbers import from_one

CONFIGS = {
    "post": "Models/assistant_nnunet/configs/train.yaml",
    "pre": "Models/proposal_nnunet/configs/train.yaml",
}
_STAGES = {
    "fingerprint": "nnU-Net reads the dataset's fingerprint",
    "plan": "nnU-Net plans",
    "preprocess": "nnU-Net preprocesses",
    "growth": "looking for tumours that grew out of the drawn lesion",
    "train": "nnU-Net trains",
}


def add_parser(models: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = models.add_parser(
        "assistant",
        help="the nnU-Net that reads a CT after treatment, or proposes masks before it; a stopped training goes on",
        epilog="example: mewm train assistant --cohort cohort/ --work work/assistant --out models/assistant_nnunet",
    )
    parser.add_argument("--cohort", type=Path, required=True, metavar="DIR", help="dataset to train on")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="nnU-Net's folders, checkpoints, logs")
    parser.add_argument("--out", type=Path, metavar="DIR", help="bundle folder to write when the training is done")
    parser.add_argument(
        "--task",
        choices=tuple(CONFIGS),
        default="post",
        help="post reads the CT after treatment (default), pre proposes liver and tumour before it",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="train.yaml (default: the small one of the task)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps (default: the fastest)")
    parser.add_argument(
        "--export-only", action="store_true", help="write the bundle of the last checkpoint so far; do not train"
    )
    parser.add_argument("--test-cases", type=from_one, metavar="N", help="measure on N test cases only (default: all)")
    parser.set_defaults(run=run, resumes=True)


def run(args: argparse.Namespace) -> int:
    """Train an nnU-Net, then measure it and write its bundle."""
    from mewm.errors import InputError, ResourceError, how_to_install
    from mewm.training.one_process import require_one_process

    check_training_arguments(args)
    require_one_process("assistant")
    try:
        import nnunetv2  # noqa: F401

        from mewm.training.assistant.config import AssistantConfig
        from mewm.training.assistant.export import export_assistant
        from mewm.training.assistant.fit import train_assistant
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"Training needs {error.name}, which is not installed; {how_to_install('learned,evaluation')}."
        ) from error
    from mewm.resources import resource_path
    from mewm.training.config import read_config

    path = args.config or resource_path(CONFIGS[args.task])
    config = read_config(path, AssistantConfig)
    if config.task != args.task:
        raise InputError(f"The configuration {path} is of the task {config.task!r}; add --task {config.task}.")
    if not args.export_only:
        with counted("writing nnU-Net's dataset", None) as progress:
            folder = train_assistant(args.cohort, args.work, config, device=args.device, tell=_tell, writing=progress)
        print_now(f"nnU-Net's model folder: {folder}")
    if args.out is not None:
        with counted("measuring cases", None) as progress:
            bundle = export_assistant(
                args.cohort,
                args.work,
                config,
                path.read_text(encoding="utf-8"),
                args.out,
                device=args.device,
                cases=args.test_cases,
                progress=progress,
            )
        print((bundle.folder / "docs" / "README.md").read_text(encoding="utf-8"))
        print(f"bundle in {args.out}")
    return 0


def _tell(event: dict[str, Any]) -> None:
    if "stage" in event:
        print_now(_STAGES[event["stage"]])
        return
    dice = ", ".join(f"{name} {value:.3f}" for name, value in event["dice"].items())
    print_now(
        f"epoch {event['epoch']} of {event['epochs']}, {event['seconds_an_epoch']:.0f} s an epoch, "
        f"{duration(event['seconds_left'])} left: loss {event['loss']:.3f}, Dice on patches {dice}"
    )
