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


def cox(args: argparse.Namespace) -> int:
    """Fit and write the Cox bundle, print its figures."""
    from mewm.training.cox import fit_cox

    with counted("reading cases", None) as progress:
        report = fit_cox(args.cohort, args.out, progress=progress)
    for name, value in report.items():
        print(f"{name}: {value}")
    print(f"bundle in {args.out}")
    return 0
