"""``mewm scene``: a finished run as a Slicer scene and pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from mewm.cli.case_arguments import print_json


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "scene",
        help="turn a run folder into a Slicer scene (.mrb) and pictures",
        description="Write scene.mrb, which 3D Slicer opens with a double click, and figures/*.png rendered by "
        "Slicer's own slice views, into the run folder. Needs the 'scene' extra.",
        epilog="example: mewm scene runs/case --top 3",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder written by explore or simulate")
    parser.add_argument("--top", type=int, default=3, help="protocols to draw, best first (default 3)")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the scene and name its files."""
    from mewm import api

    files = api.scene(args.run_folder, top=args.top)
    if args.json:
        print_json([str(path) for path in files])
    else:
        print("Scene and pictures (synthetic, research use only):")
        for path in files:
            print(f"  {path}")
    return 0
