"""The options that switch a policy model on for one run, and how its payload is shown and accepted."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mewm.errors import InputError

if TYPE_CHECKING:
    from mewm.policy.payload import Accept, Payload
    from mewm.policy.vision import VisionPolicy

_SHOW = "show"


def add_policy_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`policy_from` reads."""
    group = parser.add_argument_group("policy model (off by default; nothing leaves this machine without it)")
    add_endpoint_arguments(group, required=False)
    group.add_argument(
        "--send-accepted",
        nargs="?",
        const=_SHOW,
        metavar="PAYLOAD",
        help="send without asking; with the twelve characters of mewm policy preview, only that very payload",
    )
    group.add_argument("--keep-exchange", action="store_true", help="keep what was sent and received in the run folder")


def add_endpoint_arguments(group: argparse._ActionsContainer, *, required: bool) -> None:
    """Add the options that name endpoints."""
    group.add_argument(
        "--policy",
        metavar="NAME[+NAME]",
        required=required,
        help="endpoint that proposes, and one that refines; see mewm policy list",
    )
    group.add_argument("--endpoints", type=Path, metavar="FILE", help="your endpoints (default: see mewm policy list)")


def policy_from(args: argparse.Namespace, folder: Path) -> VisionPolicy | None:
    """Return the policy model that the arguments switch on, ``None`` where they name none.

    Args:
        args: parsed arguments.
        folder: the run folder; what would be sent is shown beside it.

    Raises:
        InputError: an endpoint, its key or its package is missing, or options contradict each other.
    """
    if args.policy is None:
        if args.send_accepted or args.keep_exchange or args.endpoints:
            raise InputError("--send-accepted, --keep-exchange and --endpoints need --policy.")
        return None
    from mewm.policy.exchange import require_package
    from mewm.policy.presets import find_policy

    require_package()
    from mewm.policy.vision import VisionPolicy

    proposer, refiner = find_policy(args.policy, args.endpoints)
    accept = _acceptance(args.send_accepted, folder.with_name(f"{folder.name}.payload"))
    return VisionPolicy(proposer, refiner, accept=accept, keep=args.keep_exchange)


def _acceptance(given: str | None, folder: Path) -> Accept:
    from mewm.policy.payload import accept_digest

    if given not in (None, _SHOW):
        return accept_digest(given)

    def accept(payload: Payload) -> bool:
        page = payload.write(folder)
        print(f"{payload.to_text()}\nWith pictures: {page}", file=sys.stderr)
        if given == _SHOW:
            return True
        if sys.stdin.isatty():
            print("Send this? [y/N] ", end="", file=sys.stderr, flush=True)
            return sys.stdin.readline().strip().lower() in ("y", "yes")
        raise InputError(
            f"Nothing was sent. Look at {page}; to send exactly this, add --send-accepted {payload.digest}"
        )

    return accept
