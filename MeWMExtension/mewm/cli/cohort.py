"""``mewm cohort``: the open simulated cohort."""

from __future__ import annotations

import argparse
from pathlib import Path

from mewm.cli.report import counted


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command group."""
    group = commands.add_parser("cohort", help="simulate a TACE cohort with known truth")
    actions = group.add_subparsers(dest="cohort_command", required=True, metavar="ACTION")
    parser = actions.add_parser(
        "simulate",
        help="write simulated cases: pre and post CT, masks, facts, outcome, truth",
        epilog="example: mewm cohort simulate --cases 400 --seed 1 cohort/",
    )
    parser.add_argument("--cases", type=int, required=True, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=None, help="processes (default: one a core)")
    parser.add_argument("out", type=Path, metavar="OUT", help="dataset folder; a stopped simulation resumes")
    parser.set_defaults(run=simulate)


def simulate(args: argparse.Namespace) -> int:
    """Write the cohort."""
    from mewm.cohort.simulate import simulate_cohort

    with counted("simulating cases", args.cases) as progress:
        simulate_cohort(args.out, cases=args.cases, seed=args.seed, workers=args.workers, progress=progress)
    print(f"{args.cases} simulated cases in {args.out}")
    return 0
