"""The shape in which a language model answers what a report says."""

from __future__ import annotations

from pydantic import BaseModel


class AgentAnswer(BaseModel):
    """One agent given in this session, with its total dose."""

    name: str
    quote: str
    dose: float | None = None
    unit: str | None = None
    smallest_um: float | None = None
    largest_um: float | None = None


class ReportAnswer(BaseModel):
    """Everything asked of one report."""

    agents: list[AgentAnswer]
    attenuation_level: int | None = None
    outcome_quote: str = ""
    deposition: str | None = None
    shunt: str | None = None
