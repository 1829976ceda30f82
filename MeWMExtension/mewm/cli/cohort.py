"""``mewm cohort``: simulate a cohort, import the public one in the same format, check, report, look."""

from __future__ import annotations

import argparse
from pathlib import Path

from mewm.cli.report import counted
from mewm.cli.whole_numbers import from_one
from mewm.errors import ResourceError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command group."""
    group = commands.add_parser("cohort", help="simulate a TACE cohort with known truth, import, check, report")
    actions = group.add_subparsers(dest="cohort_command", required=True, metavar="ACTION")
    _add_simulate(actions)
    _add_import(actions)
    parser = actions.add_parser(
        "check",
        help="name everything that is wrong with a dataset: table, images, masks, splits, truth",
        epilog="example: mewm cohort check cohort/",
    )
    _add_dataset(parser)
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(run=check)
    parser = actions.add_parser(
        "report",
        help="hold a cohort against published figures: report.md, report.json and figures",
        epilog="example: mewm cohort report cohort/ --real data/",
    )
    _add_dataset(parser)
    _add_real(parser)
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="folder to write (default: DIR/report)")
    parser.set_defaults(run=report)
    parser = actions.add_parser(
        "pictures",
        help="a page of random cases before and after treatment, beside real CTs where given",
        epilog="example: mewm cohort pictures cohort/ --cases 20 --seed 3 --backgrounds scans/",
    )
    parser.add_argument("dataset", type=Path, metavar="DIR", help="dataset folder")
    parser.add_argument("--cases", type=int, default=20, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backgrounds", type=Path, default=None, metavar="DIR", help="real CTs to show beside them")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="FILE", help="PNG to write (default: DIR/pictures.png)"
    )
    parser.set_defaults(run=pictures)


def simulate(args: argparse.Namespace) -> int:
    """Write the cohort and, where it can be, its report."""
    from mewm.cohort.simulate import simulate_cohort

    with counted("simulating cases", args.cases) as progress:
        simulate_cohort(
            args.out,
            cases=args.cases,
            seed=args.seed,
            workers=args.workers,
            progress=progress,
            backgrounds=args.backgrounds,
        )
    print(f"{args.cases} simulated cases in {args.out}")
    if not args.no_report:
        try:
            _write_report(args.out, args.real, None, args.workers)
        except ResourceError as error:
            print(f"The report was left out: {error}")
    return 0


def import_hcc_tace_seg(args: argparse.Namespace) -> int:
    """Import the collection and say how many patients were kept; 1 where there is none."""
    from mewm.cohort.hcc_tace_seg.importer import import_hcc_tace_seg as import_collection

    with counted("importing patients", None) as progress:
        report = import_collection(args.tcia_dir, args.clinical, args.out, workers=args.workers, progress=progress)
    print(f"{len(report.kept)} of {len(report.records)} patients kept; {args.out / 'curation.csv'} says why")
    return 0 if report.kept else 1


def check(args: argparse.Namespace) -> int:
    """Print every problem of a dataset; 1 where there is one."""
    from mewm.cohort.check import check_cohort, report_json

    with counted("checking cases", None) as progress:
        found = check_cohort(args.dataset, workers=args.workers, progress=progress)
    if args.json:
        print(report_json(found))
    else:
        for problem in found.problems:
            print(problem.sentence)
        told = f"{len(found.problems)} problems" if len(found.problems) != 1 else "1 problem"
        print(f"{found.cases} cases in {args.dataset}: {told if found.problems else 'nothing is wrong'}")
    return 1 if found.problems else 0


def report(args: argparse.Namespace) -> int:
    """Write the report and print which aims were missed."""
    _write_report(args.dataset, args.real, args.out, args.workers)
    return 0


def pictures(args: argparse.Namespace) -> int:
    """Write the page of random cases."""
    from mewm.evaluation.cohort_report.pictures import write_pictures

    out = args.out or args.dataset / "pictures.png"
    write_pictures(args.dataset, out, cases=args.cases, seed=args.seed, backgrounds=args.backgrounds)
    print(f"pictures in {out}")
    return 0


def _write_report(dataset: Path, real: Path | None, out: Path | None, workers: int | None) -> None:
    from mewm.evaluation.cohort_report.report import report_cohort

    with counted("measuring cases", None) as progress:
        lines = report_cohort(dataset, out, real=real, workers=workers, progress=progress)
    aimed = [line for line in lines if line.met is not None]
    for line in aimed:
        if not line.met and line.published.target is not None:
            low, high = line.published.target
            print(f"missed: {line.name}: {line.found.value:.4g}, aim {low:.4g} to {high:.4g}")
    print(f"{sum(bool(line.met) for line in aimed)} of {len(aimed)} aims met; report in {out or dataset / 'report'}")


def _add_simulate(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "simulate",
        help="write simulated cases: pre and post CT, masks, facts, outcome, truth",
        epilog="example: mewm cohort simulate --cases 400 --seed 1 cohort/",
    )
    parser.add_argument("--cases", type=int, required=True, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=from_one, default=None, help="processes (default: one a core)")
    parser.add_argument(
        "--backgrounds", type=Path, default=None, metavar="DIR", help="real CTs with liver masks as anatomy"
    )
    parser.add_argument("--no-report", action="store_true", help="do not write OUT/report")
    _add_real(parser)
    parser.add_argument("out", type=Path, metavar="OUT", help="dataset folder; a stopped simulation resumes")
    parser.set_defaults(run=simulate, resumes=True)


def _add_import(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "import-hcc-tace-seg",
        help="bring TCIA's HCC-TACE-Seg into the same format, with a reason for every patient left out",
        epilog="example: mewm cohort import-hcc-tace-seg HCC-TACE-Seg/ clinical.xlsx cohort/",
    )
    parser.add_argument("tcia_dir", type=Path, metavar="TCIA_DIR", help="what the NBIA Data Retriever wrote")
    parser.add_argument("clinical", type=Path, metavar="CLINICAL", help="TCIA's clinical table, xlsx or csv")
    parser.add_argument("out", type=Path, metavar="OUT", help="dataset folder; a stopped import resumes")
    parser.add_argument("--workers", type=from_one, default=None, help="processes (default: one a core)")
    parser.set_defaults(run=import_hcc_tace_seg, resumes=True)


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DIR", help="dataset folder, simulated or imported")
    parser.add_argument("--workers", type=from_one, default=None, help="processes (default: one a core)")


def _add_real(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--real",
        type=Path,
        default=None,
        metavar="DIR",
        help="folder with hcc_tace_seg/clinical.csv, for whole real distributions (default: MEWM_REAL_DATA)",
    )
