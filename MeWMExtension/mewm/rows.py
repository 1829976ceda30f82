"""One scored protocol as plain values: the row that a table, a file or a program reads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mewm.actions.protocol import Protocol
from mewm.actions.text import render_protocol

if TYPE_CHECKING:
    from mewm.explore.result import ScoredProtocol
    from mewm.roles import SurvivalModel

CURVE_STEP_WEEKS = 4
"""Distance of two points of a survival curve."""
_ID_LENGTH = 12


def protocol_id(protocol: Protocol) -> str:
    """Return a short name of a treatment, the same in every run and whatever the order of its agents."""
    text = render_protocol(Protocol(protocol.key))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:_ID_LENGTH]


def protocol_row(scored: ScoredProtocol, *, rank: int | None, own: bool) -> dict[str, Any]:
    """Return one row of the ranking as plain JSON values.

    Args:
        scored: the protocol and its numbers.
        rank: place in the ranking, 1 is the lowest risk; ``None`` while a search is running.
        own: whether the user wrote the protocol.

    Returns:
        The fields of a row in docs/worker.md, without ``folder`` and ``survival_curve``.
    """
    forbidden = [finding for finding in scored.findings if finding.severity == "excluded"]
    return {
        "rank": rank,
        "protocol": render_protocol(scored.protocol),
        "risk": scored.risk,
        "risk_sd": scored.risk_sd,
        "replicas": scored.replicas,
        "survival_1y": scored.survival_1y,
        "median_weeks": scored.median_weeks,
        "volume_change_percent": scored.measurements.volume_change_percent,
        "viable_fraction": scored.measurements.viable_fraction,
        "lipiodol_coverage": scored.measurements.lipiodol_coverage,
        "response": scored.measurements.response,
        "origin": "yours" if own else "search",
        "violations": " ".join(finding.message for finding in forbidden),
        "protocol_id": protocol_id(scored.protocol),
        "complete": scored.complete,
        "overridden": bool(forbidden),
        "findings": [asdict(finding) | {"agents": list(finding.agents)} for finding in scored.findings],
    }


def survival_curve(survival: SurvivalModel, risks: Sequence[float]) -> list[float]:
    """Return the predicted survival at 0, 4, 8, … weeks, the mean over the replicas.

    Args:
        survival: a model with a method ``survival_curve(risk)`` that returns survival at 0, 1, 2, … weeks; a model
            without one gives an empty list.
        risks: risk of each replica.
    """
    import numpy as np

    curve = getattr(survival, "survival_curve", None)
    if curve is None:
        return []
    mean = np.mean([curve(risk)[::CURVE_STEP_WEEKS] for risk in risks], axis=0)
    return [round(float(value), 4) for value in mean]
