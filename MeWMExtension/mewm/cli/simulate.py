"""``mewm simulate``: the future of one protocol."""

from __future__ import annotations

import argparse

from mewm.cli.case_arguments import (
    add_assistant_argument,
    add_case_arguments,
    add_dynamics_argument,
    add_survival_argument,
    case_from,
    formulary_from,
    print_json,
)
from mewm.cli.explore import add_output_arguments
from mewm.cli.report import Progress, print_run
from mewm.errors import InputError, RuleViolation

EXAMPLES = """examples:
  mewm simulate --sample --protocol "Lobaplatin 30 mg; Lipiodol 10 ml; Gelatin Sponge 350 µm"
  mewm simulate --ct ct.nrrd --lesion tumour.nrrd --protocol "Doxorubicin-eluting beads 100-300 µm" --out runs/beads
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "simulate",
        help="simulate and score one protocol of your own",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_case_arguments(parser)
    parser.add_argument("--protocol", required=True, metavar="TEXT", help="agents with doses, separated by semicolons")
    parser.add_argument("--replicas", type=int, default=5, metavar="T")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--override-rules", action="store_true", help="simulate although rules forbid the protocol")
    add_dynamics_argument(parser)
    add_survival_argument(parser)
    add_assistant_argument(parser)
    add_output_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate one protocol, print its numbers, name the files."""
    from mewm import api
    from mewm.assistant.choose import choose_assistant
    from mewm.dynamics.choose import choose_dynamics
    from mewm.run import prepare_run_folder
    from mewm.survival.choose import choose_survival

    formulary = formulary_from(args)
    models = api.Models(
        dynamics=choose_dynamics(args.dynamics),
        assistant=choose_assistant(args.assistant),
        survival=choose_survival(args.survival),
    )
    case, name = case_from(args)
    folder = prepare_run_folder(args.out, name, overwrite=args.overwrite)
    with Progress(enabled=not args.json) as progress:
        try:
            exploration = api.simulate(
                case,
                args.protocol,
                replicas=args.replicas,
                seed=args.seed,
                formulary=formulary,
                models=models,
                override_rules=args.override_rules,
                on_event=progress,
            )
        except RuleViolation as error:
            raise InputError(f"{error} On the command line that is --override-rules.") from None
        folder = api.write_run(exploration, folder, name=name, keep=args.keep, overwrite=args.overwrite)
    if args.json:
        print_json(exploration.to_dict() | {"run": str(folder)})
    else:
        print_run(exploration, folder)
    return 0
