"""The collection's chemotherapy column as a protocol."""

from __future__ import annotations

import re

from mewm.actions.protocol import Action, Protocol
from mewm.actions.text import parse_protocol
from mewm.errors import MewmError

LIPIODOL_NOTE = "free drugs are taken as conventional TACE with Lipiodol, which the table does not state"
_MISSPELT = {"Cisplastin": "Cisplatin"}
"""Slips of the pen in the collection's table."""


def protocol_of(text: str) -> tuple[Protocol | None, tuple[str, ...]]:
    """Read a cell of the chemotherapy column.

    The table names drugs without doses. Free drugs were given as conventional TACE, so Lipiodol is added and the
    assumption noted; drug-eluting beads stand alone.

    Returns:
        The protocol, ``None`` where the cell is empty or names an agent that the action base does not know, and
        notes.
    """
    if not text.strip():
        return None, ("the table does not state the agents",)
    notes = []
    for wrong, right in _MISSPELT.items():
        text, count = re.subn(wrong, right, text, flags=re.IGNORECASE)
        notes += [f"'{wrong}' is read as {right}"] * bool(count)
    try:
        parsed = parse_protocol(text)
    except MewmError:
        return None, (f"the agents '{text}' are not in the action base",)
    if parsed.unknown:
        return None, (f"the agent '{parsed.unknown[0]}' is not in the action base",)
    protocol = parsed.protocol
    if any(a.kind == "drug" for a in protocol.actions) and "lipiodol" not in protocol.agents:
        protocol = protocol.with_action(Action("lipiodol", "embolic"))
        notes.append(LIPIODOL_NOTE)
    return protocol, tuple(notes)
