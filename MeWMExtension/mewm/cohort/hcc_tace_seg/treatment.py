"""The collection's chemotherapy column as a protocol."""

from __future__ import annotations

from mewm.actions.protocol import Action, Protocol
from mewm.errors import InputError
from mewm.reports.extract import extract

LIPIODOL_NOTE = "free drugs are taken as conventional TACE with Lipiodol, which the table does not state"


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
    try:
        reading = extract(text)
    except InputError:
        return None, (f"the agents '{text}' are not in the action base",)
    if reading.unknown:
        return None, (f"the agent '{reading.unknown[0]}' is not in the action base",)
    protocol = reading.protocol
    if not protocol.actions:
        return None, (f"the agents '{text}' are not in the action base",)
    notes = list(reading.notes)
    if any(a.kind == "drug" for a in protocol.actions) and "lipiodol" not in protocol.agents:
        protocol = protocol.with_action(Action("lipiodol", "embolic"))
        notes.append(LIPIODOL_NOTE)
    return protocol, tuple(notes)
