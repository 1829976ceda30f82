"""``mewm policy``: which models could propose, what they would be sent, and their keys."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path

from mewm.cli.case_arguments import add_case_arguments, case_from, formulary_from, print_json
from mewm.cli.policy_arguments import add_endpoint_arguments

EXAMPLES = """examples:
  mewm policy list
  mewm policy preview --sample --policy paper --goal "spare the liver" --out payload
  mewm policy key gpt-4o
  mewm explore --sample --policy ollama
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command group."""
    group = commands.add_parser(
        "policy",
        help="models that can propose drugs and embolics, what they would be sent, their keys",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = group.add_subparsers(dest="policy_command", required=True, metavar="ACTION")
    parser = actions.add_parser("list", help="endpoints by name, and where their keys come from; connects to none")
    parser.add_argument("--endpoints", type=Path, metavar="FILE", help="another file of your endpoints")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(run=show)
    parser = actions.add_parser(
        "preview",
        help="write exactly what would be sent for a case, text and pictures; sends nothing",
        epilog='example: mewm policy preview --ct ct.nrrd --lesion tumour.nrrd --policy paper --goal "avoid platinum"',
    )
    add_case_arguments(parser)
    parser.add_argument("--goal", default="", help="goal in words")
    parser.add_argument("--drugs", type=int, default=10, metavar="D", help="as in mewm explore")
    parser.add_argument("--embolics", type=int, default=5, metavar="E", help="as in mewm explore")
    add_endpoint_arguments(parser, required=True)
    parser.add_argument("--out", type=Path, default=Path("payload"), metavar="DIR", help="folder to write")
    parser.set_defaults(run=preview)
    parser = actions.add_parser("key", help="store an endpoint's key in the system keyring; it is typed, not shown")
    parser.add_argument("name", metavar="NAME", help="endpoint")
    parser.add_argument("--endpoints", type=Path, metavar="FILE", help="another file of your endpoints")
    parser.set_defaults(run=key)


def show(args: argparse.Namespace) -> int:
    """Print the endpoints; no key is read but whether the environment has one."""
    from mewm.policy.keys import key_state
    from mewm.policy.presets import endpoints_file, read_endpoints

    found = read_endpoints(args.endpoints).values()
    if args.json:
        keys = ("name", "model", "base_url", "key", "vision", "note")
        print_json([{k: getattr(e, k) for k in keys} | {"key_state": key_state(e)} for e in found])
        return 0
    for endpoint in found:
        eyes = "proposes, refines" if endpoint.vision else "refines only"
        state = key_state(endpoint)
        told = "no key needed" if state == "not needed" else f"key: {endpoint.key} ({state})"
        print(f"{endpoint.name:<18} {endpoint.model} at {endpoint.host}; {eyes}; {told}")
        if endpoint.note:
            print(f"{'':<18} {endpoint.note}")
    print(f"\npaper              gpt-4o+deepseek-r1\nYour own endpoints: {args.endpoints or endpoints_file()}")
    return 0


def preview(args: argparse.Namespace) -> int:
    """Write a page with everything that would be sent and print what accepts it."""
    from mewm.policy.payload import available_agents, build_payload, require_new_or_payload
    from mewm.policy.presets import find_policy
    from mewm.roi import cut_roi

    proposer, refiner = find_policy(args.policy, args.endpoints)
    formulary = formulary_from(args)
    require_new_or_payload(args.out)
    case, _ = case_from(args)
    roi = cut_roi(case)
    available = available_agents(roi, args.goal, formulary)
    payload = build_payload(roi, args.goal, available, args.drugs, args.embolics, proposer, refiner)
    page = payload.write(args.out)
    print(payload.to_text())
    print(f"\nNothing was sent. With pictures: {page}")
    print(f"To send exactly this: mewm explore ... --policy {args.policy} --send-accepted {payload.digest}")
    return 0


def key(args: argparse.Namespace) -> int:
    """Ask for a key and store it."""
    from mewm.policy.keys import store_key
    from mewm.policy.presets import find_endpoint

    endpoint = find_endpoint(args.name, args.endpoints)
    asked = f"Key for {endpoint.title}: "
    value = getpass.getpass(asked) if sys.stdin.isatty() else sys.stdin.readline()
    store_key(endpoint, value)
    print(f"The key for {endpoint.name} lies in the system keyring.")
    return 0
