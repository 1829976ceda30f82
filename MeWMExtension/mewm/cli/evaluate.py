"""``mewm evaluate``: how good each arm is on a cohort."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from mewm.cli.case_arguments import print_json
from mewm.cli.report import counted
from mewm.cli.whole_numbers import from_one

EXAMPLES = """examples:
  mewm evaluate --cohort cohort/ --out evaluation/
  mewm evaluate runs/case1 --cohort cohort/ --out evaluation/ --cases 20
  mewm evaluate settings.json --cohort cohort/ --out evaluation/
"""

# The paired tests are long; they are in the folder.
SHOWN = (
    "synthesis",
    "volumes",
    "survival",
    "risk_groups",
    "protocols_against_best",
    "protocols_against_as_treated",
    "ceiling",
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "evaluate",
        help="synthesis, survival and protocol metrics of every arm on a cohort, with intervals",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "settings",
        type=Path,
        nargs="?",
        metavar="RUN_OR_CONFIG",
        help="take the search settings of a run, or all settings from a JSON file (docs/evaluation.md)",
    )
    parser.add_argument("--cohort", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a stopped evaluation resumes")
    parser.add_argument("--cases", type=int, default=None, help="at most so many cases of the split")
    parser.add_argument("--workers", type=from_one, default=None, help="processes (default: one a usable core)")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(run=run, resumes=True)


def run(args: argparse.Namespace) -> int:
    """Evaluate and name the files."""
    from mewm.evaluation.config import EvaluationConfig, read_config
    from mewm.evaluation.evaluate import evaluate

    config = read_config(args.settings) if args.settings else EvaluationConfig()
    if args.cases is not None:
        config = replace(config, cases=args.cases)
    with counted("measuring cases", None) as progress:
        results = evaluate(args.cohort, args.out, config, workers=args.workers, progress=progress)
    if args.json:
        print_json(results)
    else:
        for name in SHOWN:
            path = args.out / f"{name}.md"
            if path.is_file():
                print(path.read_text(encoding="utf-8"))
        print(f"{results['notice']}\n\nTables, figures and results.json in {args.out}")
    return 0
