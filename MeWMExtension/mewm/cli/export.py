"""``mewm export``: one chosen protocol of a run for a colleague."""

from __future__ import annotations

import argparse
from pathlib import Path

from mewm.cli.case_arguments import print_json


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "export",
        help="export one protocol of a run: numbers, pictures, provenance and a one-page PDF",
        description="Write protocol.json, ranking.csv, pictures, manifest.json and protocol.pdf into a folder or a "
        "zip. No patient name enters it unless you give one. Without the Python package fpdf2 the rest is written, and "
        "the PDF is said to be missing.",
        epilog="example: mewm export runs/case --rank 1 --out for-the-board.zip",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder written by explore or simulate")
    parser.add_argument("--rank", type=int, default=1, metavar="N", help="which protocol, 1 = lowest risk (default)")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER_OR_ZIP", help="where to write")
    parser.add_argument("--patient-name", default="", metavar="NAME", help="print this name on the PDF, nowhere else")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier export")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the export and name its files."""
    from mewm.export.write import export_protocol

    written = export_protocol(
        args.run_folder, args.out, rank=args.rank, patient_name=args.patient_name, overwrite=args.overwrite
    )
    if args.json:
        told = {"files": list(written.files), "pdf": written.page, "missing": list(written.missing)}
        print_json({"out": str(written.out), **told})
    else:
        print(f"Export (synthetic, research use only): {written.out}")
        for name in written.files:
            print(f"  {name}")
        for sentence in written.missing:
            print(f"note: {sentence}")
    return 0
