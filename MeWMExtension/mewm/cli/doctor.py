"""``mewm doctor``: what is installed, what is missing, how to mend it."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from mewm.cli.case_arguments import print_json


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "doctor",
        help="what is installed, which device, what is missing and the command that mends it",
        epilog="example: mewm doctor --json",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report; status 1 if something that scoring a case needs is missing."""
    from mewm.doctor import doctor

    checks = doctor()
    if args.json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            mark = "ok     " if check.ok else ("MISSING" if check.required else "absent ")
            print(f"{mark}  {check.name:<16} {check.found}")
            if check.fix:
                print(f"         {'':<16} -> {check.fix}")
    return 0 if all(check.ok for check in checks if check.required) else 1
