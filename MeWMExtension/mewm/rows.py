"""One scored protocol as plain values: the row that a table, a file or a program reads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.actions.text import render_protocol
from mewm.survival.curves import WEEKS_A_YEAR, every_four_weeks, survival_at

if TYPE_CHECKING:
    from mewm.explore.result import ScoredProtocol
    from mewm.roles import SurvivalModel

_ID_LENGTH = 12


def protocol_id(protocol: Protocol) -> str:
    """Return a short name of a treatment, the same in every run and whatever the order of its agents."""
    text = render_protocol(Protocol(protocol.key))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:_ID_LENGTH]


def spread_words(spread: float | None) -> str:
    """Return ``" ± 0.12"``, empty for ``None``; a spread that would round to nothing is small, not absent."""
    if spread is None:
        return ""
    return f" ± {spread:.2f}" if spread >= 0.005 else " ± <0.01"


def protocol_row(scored: ScoredProtocol, *, rank: int | None, own: bool) -> dict[str, Any]:
    """Return one row of the ranking as plain JSON values.

    Args:
        scored: the protocol and its numbers.
        rank: place in the ranking, 1 is the lowest risk; ``None`` while a search is running.
        own: whether the user wrote the protocol.

    Returns:
        The fields of a row in docs/worker.md, without ``folder`` and those of :func:`survival_values`.
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
        "survival_2y": scored.survival_2y,
        "explanation": {"method": scored.explanation.method, "parts": dict(scored.explanation.parts)},
        "risk_parts": scored.explanation.in_words(),
        "findings": [asdict(finding) | {"agents": list(finding.agents)} for finding in scored.findings],
    }


def survival_values(survival: SurvivalModel, risks: Sequence[float]) -> dict[str, Any]:
    """Return the predicted survival of a protocol over its replicas, for a row.

    Args:
        survival: a model with ``survival_curve(risk)`` and ``survival_band(risks)``, weekly curves; one without gives
            empty lists and ``None``.
        risks: risk of each replica.

    Returns:
        ``survival_curve``: mean over replicas at 0, 4, 8, … weeks; ``survival_low``, ``survival_high``: ends of its
        95 % interval (:meth:`mewm.survival.curves.Baseline.band`); ``survival_1y_interval``, ``survival_2y_interval``:
        the same after one and two years, ``[low, high]`` or ``None``.
    """
    curve, band = (getattr(survival, name, None) for name in ("survival_curve", "survival_band"))
    found: dict[str, Any] = {"survival_curve": [], "survival_low": [], "survival_high": []}
    found |= {"survival_1y_interval": None, "survival_2y_interval": None}
    if curve is not None:
        found["survival_curve"] = every_four_weeks(np.mean([curve(risk) for risk in risks], axis=0))
    if band is not None:
        ends = band(risks)
        found["survival_low"], found["survival_high"] = map(every_four_weeks, ends)
        for years in (1, 2):
            at = [round(survival_at(end, years * WEEKS_A_YEAR), 4) for end in ends]
            found[f"survival_{years}y_interval"] = at
    return found
