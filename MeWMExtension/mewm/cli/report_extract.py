"""``mewm report extract``: what free-text reports say was given, and what angiography showed."""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm.cli.case_arguments import print_json
from mewm.cli.report import counted

if TYPE_CHECKING:
    from mewm.reports.extraction import ReportExtraction
    from mewm.reports.second_reading import SecondReading

EXAMPLES = """examples:
  mewm report extract report.txt
  mewm report extract report.txt --json
  mewm report extract reports.csv --column text > readings.csv
  mewm report extract reports.csv --out readings.csv
  mewm report extract report.txt --models gpt-4o+deepseek-r1
      shows what would be sent, and the words that allow it

Everything but --models works offline. Attenuation level: 4 complete, 3 nearly, 2 partial, 1 unchanged.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command group."""
    group = commands.add_parser("report", help="read free-text TACE reports: agents, doses, sizes, outcome")
    actions = group.add_subparsers(dest="report_command", required=True, metavar="ACTION")
    parser = actions.add_parser(
        "extract",
        help="read one report (text) or a table of them (CSV, xlsx)",
        description="Read agents, doses, particle sizes and what angiography showed out of free-text TACE reports.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a text file, or a CSV, TSV or xlsx table with one report a row"
    )
    parser.add_argument("--column", metavar="NAME", help="column of the texts (default: text, report, ...)")
    parser.add_argument("--id", metavar="NAME", help="column that names the reports (default: numbered)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write here instead of printing")
    parser.add_argument("--json", action="store_true", help="print JSON for programs, with the place of every item")
    parser.add_argument("--models", metavar="ONE+OTHER", help="let two language models read the report too")
    parser.add_argument("--accept", metavar="DIGEST", help="send what was shown under this digest")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read the file and print or write the readings."""
    from mewm.reports.table import is_table, read_text

    if is_table(args.file):
        return _table(args)
    if args.column or args.id:
        from mewm.errors import InputError

        raise InputError(f"--column and --id are for tables; {args.file.name} is no CSV, TSV or xlsx file.")
    text = read_text(args.file)
    if args.models:
        return _with_models(args, text)
    from mewm.reports.extract import extract

    reading = extract(text)
    _put(args, reading.as_dict(), _lines(reading))
    return 0


def _table(args: argparse.Namespace) -> int:
    from mewm.errors import InputError
    from mewm.reports.table import COLUMNS, extract_all, read_table, row

    if args.models:
        raise InputError("Two models read one report at a time; give a text file, not a table.")
    reports = read_table(args.file, args.column, args.id)
    with counted("reading reports", len(reports)) as progress:
        readings = list(extract_all(reports, progress))
    if args.json:
        values = [
            {"report": name, "problem": problem, **(reading.as_dict() if reading else {})}
            for name, reading, problem in readings
        ]
        _put(args, values, [])
    elif args.out:
        with args.out.open("w", newline="", encoding="utf-8") as file:
            _write(file, COLUMNS, [row(*r) for r in readings])
    else:
        _write(sys.stdout, COLUMNS, [row(*r) for r in readings])
    unread = sum(reading is None for _, reading, _ in readings)
    unknown = len({name for _, reading, _ in readings if reading for name in reading.unknown})
    told = f"{len(readings) - unread} of {len(readings)} reports read; names not in the action base: {unknown}"
    print(f"{told}; the column 'problem' says why {unread} were not." if unread else f"{told}.", file=sys.stderr)
    return 0


def _write(file: Any, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _with_models(args: argparse.Namespace, text: str) -> int:
    """Show what would be sent; once accepted by its digest, let two models read the report."""
    from mewm.errors import InputError
    from mewm.policy.chat import ChatClient
    from mewm.policy.messages import asking_for, digest
    from mewm.policy.presets import find_endpoint
    from mewm.reports.answer_shape import ReportAnswer
    from mewm.reports.second_reading import asker, read_with_models, report_messages

    names = [name.strip() for name in args.models.split("+")]
    if len(names) != 2 or names[0] == names[1]:
        raise InputError(f"--models {args.models!r} does not name two models; write ONE+OTHER.")
    endpoints = [find_endpoint(name) for name in names]
    messages = asking_for(ReportAnswer, report_messages(text))
    shown = digest([e.title for e in endpoints], [m.text for m in messages])
    if args.accept is None:
        print(f"Nothing was sent. To {' and to '.join(e.title for e in endpoints)} would go:\n")
        for message in messages:
            print(f"-- {message.role} --\n{message.text}\n")
        print(f"If this may leave the machine, run the same command with --accept {shown}")
        return 0
    if args.accept.strip().lower() != shown:
        raise InputError(f"The accepted digest is {args.accept}, but this report and these models have {shown}.")
    models = {e.name: asker(ChatClient(e, accept=lambda prepared: prepared == messages)) for e in endpoints}
    reading = read_with_models(text, models)
    _put(args, _second_dict(reading), _second_lines(reading))
    return 0


def _put(args: argparse.Namespace, value: Any, lines: list[str]) -> None:
    if args.out:
        import json

        text = json.dumps(value, indent=2, ensure_ascii=False) if args.json else "\n".join(lines)
        args.out.write_text(text + "\n", encoding="utf-8")
    elif args.json:
        print_json(value)
    else:
        print("\n".join(lines))


_LEVELS = {1: "1 (unchanged)", 2: "2 (partial)", 3: "3 (nearly complete)", 4: "4 (complete)", None: "not stated"}


def _lines(reading: ReportExtraction) -> list[str]:
    from mewm.actions.text import render_protocol

    lines = [f"protocol    {render_protocol(reading.protocol) or 'none'}"]
    for mention in reading.mentions:
        dose = "" if mention.dose is None else f" {mention.dose:g} {mention.unit}"
        size = "" if mention.size_um is None else f" {'-'.join(dict.fromkeys(f'{um:g}' for um in mention.size_um))} µm"
        marks = " total" * mention.total + " (said again, not added)" * mention.repeats
        lines.append(f"  at {mention.span[0]:>5}  {mention.text}{dose}{size}{marks}")
    if reading.unknown:
        lines.append(f"unknown     {', '.join(reading.unknown)}: not in the action base")
    lines += [f"not given   {n.text} ({n.reason}), at {n.span[0]}" for n in reading.not_given]
    lines.append(f"level       {_LEVELS[reading.level]}" + "".join(f"\n  {s.text!r}" for s in reading.outcome))
    lines.append(f"deposition  {reading.deposition or 'not stated'}")
    lines.append(f"shunt       {reading.shunt or 'not mentioned'}")
    return [*lines, *(f"note        {n}" for n in reading.notes)]


def _second_lines(reading: SecondReading) -> list[str]:
    from mewm.actions.text import render_protocol

    lines = [f"protocol    {render_protocol(reading.protocol) or 'none'}", f"level       {_LEVELS[reading.level]}"]
    lines += [f"deposition  {reading.deposition or 'not stated'}", f"shunt       {reading.shunt or 'not mentioned'}"]
    if reading.unknown:
        lines.append(f"unknown     {', '.join(reading.unknown)}: not in the action base")
    for item in reading.disagreements:
        said = ", ".join(f"{who}: {what}" for who, what in item.said.items())
        lines.append(f"disagree    {item.what}: {said}; taken: {item.taken}")
    return [*lines, *(f"refused     {r}" for r in reading.refused)]


def _second_dict(reading: SecondReading) -> dict[str, Any]:
    from dataclasses import asdict

    from mewm.actions.text import render_protocol

    return {"protocol_text": render_protocol(reading.protocol), **asdict(reading), "rules": reading.rules.as_dict()}
