"""``mewm train``: fit the models of the bundles."""

from __future__ import annotations

import argparse
from pathlib import Path

from mewm.cli.report import counted


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command group."""
    group = commands.add_parser("train", help="fit a model on a cohort")
    models = group.add_subparsers(dest="model", required=True, metavar="MODEL")
    parser = models.add_parser(
        "cox",
        help="the plain survival baseline: Cox regression on radiomics and clinical facts",
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
    from mewm.errors import InputError
    from mewm.training.clinical_cox import fit_clinical_cox

    if args.repeats < 1:
        raise InputError(f"{args.repeats} repeats of the cross-validation give no figure; ask for at least 1.")
    for name, value in fit_clinical_cox(args.table, args.out, repeats=args.repeats, seed=args.seed).items():
        print(f"{name}: {value}")
    print(f"bundle in {args.out}")
    return 0
