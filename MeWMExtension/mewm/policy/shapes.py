"""The shape of what a policy model answers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, field_validator


class Candidate(BaseModel):
    """An agent worth simulating, as the model names it."""

    agent: str
    reason: str = ""
    guideline: str = ""


class Contraindication(BaseModel):
    """What speaks against an agent, or against the procedure (agent "TACE")."""

    agent: str
    reason: str = ""
    guideline: str = ""


class Suggestion(BaseModel):
    """Drugs (or drug-eluting beads) and embolic agents, best first, and what speaks against some."""

    drugs: list[Candidate]
    embolics: list[Candidate]
    contraindications: list[Contraindication] = []

    @field_validator("drugs", "embolics", "contraindications", mode="before")
    @classmethod
    def _names_alone(cls, value: Any) -> Any:
        """Accept a bare name for an entry, as models without structured output like to give."""
        if isinstance(value, list):
            return [{"agent": entry} if isinstance(entry, str) else entry for entry in value]
        return value


class Prescription(BaseModel):
    """One protocol: the agents to give, and why."""

    drugs: list[str]
    embolics: list[str]
    reason: str = ""
