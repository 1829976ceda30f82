"""``mewm explore``: search protocols for one case, rank them, write a run folder."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from mewm.cli.case_arguments import (
    add_assistant_argument,
    add_case_arguments,
    add_dynamics_argument,
    add_survival_argument,
    case_from,
    formulary_from,
    print_json,
)
from mewm.cli.policy_arguments import add_policy_arguments, policy_from
from mewm.cli.report import Progress, print_run
from mewm.cli.whole_numbers import from_zero

EXAMPLES = """examples:
  mewm explore --sample
  mewm explore --ct ct.nii.gz --lesion tumour.nrrd --liver liver.nrrd --facts facts.json --out runs/case1
  mewm explore --ct dicom/ --lesion seg.nrrd --lesion-label 2 --unavailable "Cisplatin, PVA" --goal "avoid platinum"
  mewm explore --sample --policy ollama --goal "spare the liver"
  mewm explore --sample --protocol "Lobaplatin 30 mg; Lipiodol 10 ml; Gelatin Sponge 350 µm"
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "explore",
        help="propose, simulate, score and rank TACE protocols for one case",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_case_arguments(parser)
    parser.add_argument("--goal", default="", help='goal in words, e.g. "avoid platinum"')
    parser.add_argument(
        "--protocol",
        action="append",
        default=[],
        metavar="TEXT",
        help="a protocol of your own, ranked with the others",
    )
    search = parser.add_argument_group("search (the paper's values are the defaults)")
    search.add_argument("--search", choices=("fast", "algorithm1", "exhaustive"), default="fast")
    search.add_argument("--beams", type=int, default=5, metavar="B")
    search.add_argument("--drugs", type=int, default=10, metavar="D", help="candidate drugs the policy proposes")
    search.add_argument("--embolics", type=int, default=5, metavar="E", help="candidate embolics the policy proposes")
    search.add_argument("--replicas", type=int, default=5, metavar="T", help="simulations of one protocol")
    search.add_argument("--drug-horizon", type=int, default=2, metavar="H_d", help="most drugs in a protocol")
    search.add_argument("--embolic-horizon", type=int, default=2, metavar="H_e", help="most embolics in a protocol")
    search.add_argument("--seed", type=int, default=0)
    search.add_argument(
        "--as-it-stands",
        action="store_true",
        help="the paper's search to the letter: drugs under construction are judged alone, not as the policy would "
        "complete them with Lipiodol and an embolic, and no last step leaves an agent out again",
    )
    add_dynamics_argument(parser)
    add_survival_argument(parser)
    add_assistant_argument(parser)
    add_policy_arguments(parser)
    add_output_arguments(parser)
    parser.set_defaults(run=run)


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options about where and how results are written."""
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=Path, help="run folder (default runs/NAME-DATE-TIME)")
    output.add_argument("--overwrite", action="store_true", help="replace the run folder if it is one")
    output.add_argument("--keep", type=from_zero, default=5, help="protocols whose volumes are written (default 5)")
    output.add_argument("--json", action="store_true", help="print JSON for programs")


def run(args: argparse.Namespace) -> int:
    """Explore one case, print the table, name the files."""
    from mewm import api
    from mewm.assistant.choose import choose_assistant
    from mewm.dynamics.choose import choose_dynamics
    from mewm.run import prepare_run_folder
    from mewm.survival.choose import choose_survival

    settings = api.Settings(
        beams=args.beams,
        drugs=args.drugs,
        embolics=args.embolics,
        replicas=args.replicas,
        drug_horizon=args.drug_horizon,
        embolic_horizon=args.embolic_horizon,
        seed=args.seed,
        complete_partial=not args.as_it_stands,
        look_back=not args.as_it_stands,
    )
    formulary = formulary_from(args)
    models = api.Models(
        dynamics=choose_dynamics(args.dynamics),
        assistant=choose_assistant(args.assistant),
        survival=choose_survival(args.survival),
    )
    case, name = case_from(args)
    folder = prepare_run_folder(args.out, name, overwrite=args.overwrite)
    policy = policy_from(args, folder)
    with Progress(enabled=not args.json) as progress:
        exploration = api.explore(
            case,
            goal=args.goal,
            formulary=formulary,
            settings=settings,
            models=models if policy is None else replace(models, policy=policy),
            search=args.search,
            own_protocols=args.protocol,
            confirm=args.keep,
            on_event=progress,
        )
        progress.note("writing the run folder")
        folder = api.write_run(exploration, folder, name=name, keep=args.keep, overwrite=args.overwrite)
    if args.json:
        print_json(exploration.to_dict() | {"run": str(folder)})
    else:
        print_run(exploration, folder)
    return 0
