"""What the engine's results come to, in one sentence for the user."""

from __future__ import annotations

from typing import Any

from MeWMModuleLib.model_choices import words
from MeWMModuleLib.ranking_view import IN_PLACE


def described(result: Any) -> str:
    """Return what the engine is and can do; ``result`` of the request ``describe``."""
    versions, device = result["versions"], result["device"]
    memory = f", {device['memory_free_mb'] / 1024:.0f} GB free" if device.get("memory_free_mb") else ""
    simulators, readers, risks = (
        " or ".join(map(words, result[role])) for role in ("dynamics", "assistants", "survival")
    )
    return (
        f"The engine is ready: MeWM {versions['mewm']} on Python {versions['python']} ({result['python']}), "
        f"{device['name']}, {device['cores']} cores{memory}. It can simulate with {simulators}; read tissue with "
        f"{readers}; predict risk with {risks}."
    )


def done_words(kind: str, result: Any) -> str:
    """Return what a job of a run came to; empty for volumes, which are seen."""
    if kind == "volumes":
        return ""
    if kind == "simulate":
        row = next(row for row in result["rows"] if row["protocol_id"] == result["protocol_id"])
        return f"Your protocol is number {row['rank']} of {len(result['rows'])}."
    count = result["simulations"].get("run")
    seconds = sum(result["timings"].values())
    words = f"{len(result['rows'])} protocols ranked with {count} simulations in {seconds:.0f} s."
    if result.get("policy", "").startswith(IN_PLACE):
        words += " The model gave no usable answer; the guideline rules proposed instead (see the warnings)."
    return words
