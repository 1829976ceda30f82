"""``mewm train``: fit the models of the bundles."""

from __future__ import annotations

import argparse
from pathlib import Path

from mewm.cli import train_assistant, train_dynamics, train_survival
from mewm.cli.report import counted
from mewm.cli.training_arguments import check_training_arguments
from mewm.cli.training_report import completed, is_first_process, print_now, training_line
from mewm.cli.whole_numbers import from_one


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command group."""
    group = commands.add_parser("train", help="fit a model on a cohort")
    models = group.add_subparsers(dest="model", required=True, metavar="MODEL")
    parser = models.add_parser(
        "cox",
        help="the plain survival baseline: Cox regression on viable volume, treatment and clinical facts",
        epilog="example: mewm train cox --cohort cohort/ --out models/survival_cox",
    )
    parser.add_argument("--cohort", type=Path, required=True, metavar="DIR", help="folder written by cohort simulate")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="bundle folder to write")
    parser.set_defaults(run=cox)
    parser = models.add_parser(
        "clinical-cox",
        help="Cox regression on the clinical facts of the real HCC-TACE-Seg table alone",
        epilog="example: mewm train clinical-cox --table clinical.csv --out models/clinical_cox",
    )
    parser.add_argument("--table", type=Path, required=True, metavar="FILE", help="TCIA's clinical table, xlsx or csv")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="bundle folder to write")
    parser.add_argument("--repeats", type=int, default=20, help="repeats of the 5-fold cross-validation (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="seed of splits and bootstrap")
    parser.set_defaults(run=clinical_cox)
    parser = models.add_parser(
        "autoencoder",
        help="the CT autoencoder of the learned dynamics; a training that was stopped goes on",
        epilog="example: mewm train autoencoder --cohort cohort/ --work work/autoencoder --out models/autoencoder; "
        "several devices: torchrun --nproc-per-node 4 -m mewm train autoencoder ...",
    )
    parser.add_argument("--cohort", type=Path, required=True, metavar="DIR", help="dataset to train on")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="checkpoints, logs and cache")
    parser.add_argument("--out", type=Path, metavar="DIR", help="bundle folder to write when the training is done")
    parser.add_argument("--config", type=Path, metavar="FILE", help="train.yaml (default: the bundled small one)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps (default: the fastest)")
    parser.add_argument("--begin-with", type=Path, metavar="DIR", help="bundle whose weights to begin with")
    parser.add_argument(
        "--export-only", action="store_true", help="write the bundle of the best checkpoint so far; do not train"
    )
    parser.add_argument("--test-cases", type=from_one, metavar="N", help="measure on N test cases only (default: all)")
    parser.set_defaults(run=autoencoder, resumes=True)
    train_dynamics.add_parser(models)
    train_survival.add_parser(models)
    train_assistant.add_parser(models)


def cox(args: argparse.Namespace) -> int:
    """Fit and write the Cox bundle, print its figures."""
    from mewm.training.cox import fit_cox

    with counted("reading cases", None) as progress:
        report = fit_cox(args.cohort, args.out, progress=progress)
    for name, value in report.items():
        print(f"{name}: {value}")
    print(f"bundle in {args.out}")
    return 0


def clinical_cox(args: argparse.Namespace) -> int:
    """Fit and write the clinical Cox bundle, print its figures."""
    from mewm.training.clinical_cox import fit_clinical_cox

    for name, value in fit_clinical_cox(args.table, args.out, repeats=args.repeats, seed=args.seed).items():
        print(f"{name}: {value}")
    print(f"bundle in {args.out}")
    return 0


def autoencoder(args: argparse.Namespace) -> int:
    """Train the autoencoder, then measure it and write its bundle."""
    from mewm.errors import ResourceError, how_to_install

    check_training_arguments(args)
    try:
        from mewm.training.autoencoder.config import AutoencoderConfig
        from mewm.training.autoencoder.export import export_autoencoder
        from mewm.training.autoencoder.fit import train_autoencoder
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"Training needs {error.name}, which is not installed; {how_to_install('learned,evaluation')}."
        ) from error
    from mewm.compute import choose_device
    from mewm.resources import resource_path
    from mewm.training.config import read_config

    path = args.config or resource_path("Models/dynamics_autoencoder/configs/train.yaml")
    config = read_config(path, AutoencoderConfig)
    if not args.export_only:
        with counted("reading cases", None) as progress:
            done = completed(
                lambda: train_autoencoder(
                    args.cohort,
                    args.work,
                    config,
                    device=args.device,
                    begin_with=args.begin_with,
                    tell=training_line,
                    warn=print_now,
                    reading=progress,
                ),
                args.work,
            )
        if not done:
            return 130
    if args.out is not None and is_first_process():
        with counted("measuring cases", None) as progress:
            bundle = export_autoencoder(
                args.cohort,
                args.work,
                config,
                path.read_text(encoding="utf-8"),
                args.out,
                device=choose_device(args.device),
                cases=args.test_cases,
                progress=progress,
            )
        for name, value in bundle.metadata["figures"].items():
            print(f"{name}: {value}")
        print(f"bundle in {args.out}")
    return 0
