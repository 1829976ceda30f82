"""What became of every patient, and why: the curation log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mewm.errors import MewmError

KEPT = "kept"
LEFT_OUT = "left out"
COLUMNS = (
    "case_id",
    "status",
    "reason",
    "notes",
    "studies",
    "pre_phase",
    "post_phase",
    "interval_weeks",
    "interval_table_weeks",
    "registration",
    "registration_poor",
    "bend_mm",
    "liver_inside_post",
    "mutual_information_rigid",
    "mutual_information_final",
    "edge_match_rigid",
    "edge_match_final",
    "jacobian_min",
    "jacobian_max",
)
"""Columns of ``curation.csv``."""


class LeftOut(MewmError):
    """A patient, study or series that cannot be part of the cohort; the message is the reason."""


@dataclass
class CurationRecord:
    """One line of the curation log.

    Attributes:
        case_id: public pseudonym, ``"HCC_001"``.
        status: :data:`KEPT` or :data:`LEFT_OUT`.
        reason: why, one plain sentence.
        notes: what a user of the case should know: assumptions, repairs, guesses.
        values: the measured columns by name.
    """

    case_id: str
    status: str
    reason: str
    notes: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Return the line of ``curation.csv``."""
        return {
            "case_id": self.case_id,
            "status": self.status,
            "reason": self.reason,
            "notes": " | ".join(dict.fromkeys(self.notes)),
            **{name: self.values.get(name) for name in COLUMNS[4:]},
        }

    def content(self) -> dict[str, Any]:
        """Return the record as it is kept in JSON."""
        return asdict(self)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> CurationRecord:
        """Return the record that :meth:`content` wrote."""
        return cls(**content)
