"""``mewm cohort``: the open simulated cohort, and the public collection in the same format."""

from __future__ import annotations

import argparse
from pathlib import Path

from mewm.cli.report import counted


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command group."""
    group = commands.add_parser("cohort", help="simulate a TACE cohort with known truth, or import the public one")
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
    parser = actions.add_parser(
        "import-hcc-tace-seg",
        help="bring TCIA's HCC-TACE-Seg into the same format, with a reason for every patient left out",
        epilog="example: mewm cohort import-hcc-tace-seg HCC-TACE-Seg/ clinical.xlsx cohort/",
    )
    parser.add_argument("tcia_dir", type=Path, metavar="TCIA_DIR", help="what the NBIA Data Retriever wrote")
    parser.add_argument("clinical", type=Path, metavar="CLINICAL", help="TCIA's clinical table, xlsx or csv")
    parser.add_argument("out", type=Path, metavar="OUT", help="dataset folder; a stopped import resumes")
    parser.add_argument("--workers", type=int, default=None, help="processes (default: one a core)")
    parser.set_defaults(run=import_hcc_tace_seg)


def simulate(args: argparse.Namespace) -> int:
    """Write the cohort."""
    from mewm.cohort.simulate import simulate_cohort

    with counted("simulating cases", args.cases) as progress:
        simulate_cohort(args.out, cases=args.cases, seed=args.seed, workers=args.workers, progress=progress)
    print(f"{args.cases} simulated cases in {args.out}")
    return 0


def import_hcc_tace_seg(args: argparse.Namespace) -> int:
    """Import the collection and say how many patients were kept."""
    from mewm.cohort.hcc_tace_seg.importer import import_hcc_tace_seg as import_collection

    with counted("importing patients", None) as progress:
        report = import_collection(args.tcia_dir, args.clinical, args.out, workers=args.workers, progress=progress)
    print(f"{len(report.kept)} of {len(report.records)} patients kept; {args.out / 'curation.csv'} says why")
    return 0
