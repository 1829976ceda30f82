"""The action base: every drug and embolic agent MeWM knows, read from ``Resources/ActionBase``.

The agents are those of the Medical World Model paper (arXiv 2506.02327, section 3.1, and its public code).
Doses, particle sizes, cautions and counts carry their own references in the data files.
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from mewm.actions.protocol import Action, Kind
from mewm.errors import InputError, ResourceError
from mewm.resources import resource_path

_KINDS = ("drug", "embolic", "bead")
_OCCLUSIONS = (None, "none", "temporary", "permanent")


@dataclass(frozen=True)
class Reference:
    """A published source.

    Attributes:
        key: identifier inside the data files.
        text: citation as shown to the user (authors, journal, year, pages).
        doi, pmid, url: where to find it; empty where the source has none.
    """

    key: str
    text: str
    doi: str = ""
    pmid: str = ""
    url: str = ""

    @property
    def citation(self) -> str:
        """Citation with its DOI, PMID or address."""
        where = f"doi {self.doi}" if self.doi else f"PMID {self.pmid}" if self.pmid else self.url
        return f"{self.text}, {where}" if where else self.text


@dataclass(frozen=True)
class Caution:
    """What a label or guideline says about an agent and an organ.

    Attributes:
        organ: ``"renal"``, ``"cardiac"``, ``"hepatic"``, ``"lung"``, ``"biliary"``, ``"thyroid"``,
            ``"vascular"``, ``"marrow"``, ``"nerve"`` or ``"allergy"``.
        message: one plain sentence.
        source: citation.
        above_dose: it concerns doses above this one, in the agent's unit; ``None`` for every dose.
    """

    organ: str
    message: str
    source: str
    above_dose: float | None = None


@dataclass(frozen=True)
class Agent:
    """One drug, embolic agent or drug-eluting bead.

    Attributes:
        id: identifier used in actions, e.g. ``"gelatin_sponge"``.
        name: display name, e.g. ``"Gelatin Sponge"``.
        kind: ``"drug"``, ``"embolic"`` or ``"bead"``.
        drug_class: ``"platinum"``, ``"anthracycline"``, ``"antimetabolite"``, ``"mitomycin"`` or
            ``"topoisomerase-I"`` for drugs and beads (the drug they carry), else ``None``.
        usual_dose: usual total dose of one session in ``unit``; ``None`` where it is given to effect.
        unit: ``"mg"`` or ``"ml"``, ``None`` for particles given to effect.
        dose_range: smallest and largest plausible total dose in ``unit``.
        usual_sizes_um: usual particle diameter ranges in µm, the most usual first.
        size_range_um: smallest and largest plausible particle diameter in µm.
        occlusion: ``"none"`` (the agent does not occlude a vessel by itself), ``"temporary"`` or
            ``"permanent"``; ``None`` for free drugs.
        counts: how often published series used it, by reference key of the series.
        aliases: other names that mean this agent and no other.
        allergens: substances whose allergy rules it out, beside the agent and its class.
        cautions: organ cautions with their sources.
        references: citations for doses and sizes.
    """

    id: str
    name: str
    kind: Kind
    drug_class: str | None = None
    usual_dose: float | None = None
    unit: str | None = None
    dose_range: tuple[float, float] | None = None
    usual_sizes_um: tuple[tuple[float, float], ...] = ()
    size_range_um: tuple[float, float] | None = None
    occlusion: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    allergens: tuple[str, ...] = ()
    cautions: tuple[Caution, ...] = ()
    references: tuple[str, ...] = ()


def normalise_name(name: str) -> str:
    """Return a name reduced to lower-case words: ``"Epi-ADM "`` becomes ``"epi adm"``."""
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name).lower()))


@dataclass(frozen=True)
class ActionBase:
    """All agents and the series their counts come from.

    Attributes:
        agents: agents by identifier.
        series: number of treatments in each counted series, by reference key.
        unresolved: trade names seen in reports whose meaning no source explains, with what is known of them.
        references: citations by key.
    """

    agents: dict[str, Agent]
    series: dict[str, int]
    unresolved: dict[str, str]
    references: dict[str, Reference]
    names: dict[str, str] = field(repr=False, default_factory=dict)

    def resolve(self, name: str) -> Agent | None:
        """Return the agent of that identifier, display name or alias, or ``None`` for an unknown name."""
        agent_id = self.names.get(normalise_name(name))
        return None if agent_id is None else self.agents[agent_id]

    def require(self, name: str) -> Agent:
        """Return the agent of that name.

        Raises:
            InputError: the name is unknown; the message lists the closest known names.
        """
        agent = self.resolve(name)
        if agent is not None:
            return agent
        raise InputError(f"The action base knows no agent {name!r}; {self.suggest(name)}")

    def suggest(self, name: str) -> str:
        """Return the second half of a sentence: the closest known names, or all of them if none is close."""
        close = difflib.get_close_matches(normalise_name(name), self.names, n=5, cutoff=0.6)
        agents = list(dict.fromkeys(self.agents[self.names[c]].name for c in close))[:3]
        if agents:
            return f"did you mean {' or '.join(agents)}?"
        return f"choose among {', '.join(a.name for a in self.agents.values())}."

    def usual(self, agent_id: str) -> Action:
        """Return the agent's usual dose and particle size as an action.

        Raises:
            InputError: the agent is unknown.
        """
        agent = self.agents.get(agent_id) or self.require(agent_id)
        size = agent.usual_sizes_um[0] if agent.usual_sizes_um else None
        unit = None if agent.usual_dose is None else agent.unit
        return Action(agent.id, agent.kind, agent.usual_dose, unit, size)

    def display_name(self, agent_id: str) -> str:
        """Return the display name of an agent; an unknown agent keeps its verbatim words."""
        agent = self.agents.get(agent_id)
        return agent_id if agent is None else agent.name

    def frequency(self, agent_id: str) -> float:
        """Return the share of treatments in all counted series that used the agent, in [0, 1]."""
        return sum(self.agents[agent_id].counts.values()) / sum(self.series.values())

    def cite(self, keys: Iterable[str]) -> str:
        """Return the citations of the given reference keys, separated by semicolons."""
        return "; ".join(self.references[k].citation for k in keys)


def read_data_file(name: str) -> dict[str, Any]:
    """Read one JSON file of the action base.

    Raises:
        ResourceError: the file is missing or is not JSON.
    """
    path = resource_path(f"ActionBase/{name}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ResourceError(f"The file {path.name} of the action base is damaged ({error}).") from error
    if not isinstance(data, dict):
        raise ResourceError(f"The file {path.name} of the action base is damaged (no object at its top).")
    return data


def build_action_base(data: Mapping[str, Any], references: Mapping[str, Any]) -> ActionBase:
    """Build the action base from the contents of ``agents.json`` and ``references.json``.

    Raises:
        ResourceError: an entry contradicts itself or another, or cites a source that is not listed.
    """
    known = {key: Reference(key, **entry) for key, entry in references.items()}
    agents: dict[str, Agent] = {}
    names: dict[str, str] = {}
    series = {key: int(n) for key, n in data["series"].items()}
    unresolved = dict(data["unresolved"])
    for entry in data["agents"]:
        agent = _build_agent(entry, known)
        if agent.id in agents:
            raise ResourceError(f"agents.json defines {agent.id} twice.")
        if missing := set(agent.counts) - set(series):
            raise ResourceError(f"agents.json counts {agent.id} in an unknown series {sorted(missing)[0]!r}.")
        agents[agent.id] = agent
        for name in (agent.id, agent.name, *agent.aliases):
            if names.setdefault(normalise_name(name), agent.id) != agent.id:
                raise ResourceError(f"agents.json uses the name {name!r} for two agents.")
    for name in unresolved:
        if normalise_name(name) in names:
            raise ResourceError(f"agents.json lists {name!r} both as an alias and as unresolved.")
    return ActionBase(agents, series, unresolved, known, names)


@lru_cache(maxsize=1)
def load_action_base() -> ActionBase:
    """Read the shipped action base (cached).

    Raises:
        ResourceError: a data file is missing or damaged.
    """
    return build_action_base(read_data_file("agents.json"), read_data_file("references.json"))


def _build_agent(entry: Mapping[str, Any], known: Mapping[str, Reference]) -> Agent:
    def cite(key: str) -> str:
        if key not in known:
            raise ResourceError(f"agents.json cites {key!r} for {entry.get('id')}, which references.json lacks.")
        return known[key].citation

    def pair(value: list[float] | None) -> tuple[float, float] | None:
        return None if value is None else (float(value[0]), float(value[1]))

    try:
        agent = Agent(
            id=entry["id"],
            name=entry["name"],
            kind=entry["kind"],
            drug_class=entry.get("drug_class"),
            usual_dose=None if entry.get("usual_dose") is None else float(entry["usual_dose"]),
            unit=entry.get("unit"),
            dose_range=pair(entry.get("dose_range")),
            usual_sizes_um=tuple((float(a), float(b)) for a, b in entry.get("usual_sizes_um", [])),
            size_range_um=pair(entry.get("size_range_um")),
            occlusion=entry.get("occlusion"),
            counts=dict(entry.get("counts", {})),
            aliases=tuple(entry.get("aliases", [])),
            allergens=tuple(entry.get("allergens", [])),
            cautions=tuple(
                Caution(c["organ"], c["message"], cite(c["source"]), c.get("above_dose"))
                for c in entry.get("cautions", [])
            ),
            references=tuple(cite(k) for k in entry["references"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ResourceError(
            f"The entry {entry.get('id')!r} of agents.json is damaged ({type(error).__name__}: {error})."
        ) from error
    consistent = (
        agent.kind in _KINDS
        and agent.occlusion in _OCCLUSIONS
        and bool(agent.references)
        and (agent.drug_class is None) == (agent.kind == "embolic")
        and (agent.dose_range is None) == (agent.unit is None)
        and _within(agent.usual_dose, agent.dose_range)
        and all(_within(s, agent.size_range_um) for size in agent.usual_sizes_um for s in size)
    )
    if not consistent:
        raise ResourceError(f"The entry {agent.id!r} of agents.json contradicts itself or has no reference.")
    return agent


def _within(value: float | None, limits: tuple[float, float] | None) -> bool:
    return value is None or (limits is not None and 0 < limits[0] <= value <= limits[1])
