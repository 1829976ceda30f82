"""The requests of ``explore`` and ``simulate`` as typed values, checked before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mewm.actions.formulary import Formulary
from mewm.assistant.choose import DEFAULT as DEFAULT_ASSISTANT
from mewm.assistant.choose import assistant_names
from mewm.clinical import ClinicalFacts, read_facts
from mewm.dynamics.choose import DEFAULT, dynamics_names
from mewm.errors import InputError
from mewm.explore.fast import SMALL_BUDGET
from mewm.explore.settings import LIMITS, ExploreSettings
from mewm.run import check_name
from mewm.survival.choose import DEFAULT as DEFAULT_SURVIVAL
from mewm.survival.choose import survival_names
from mewm.worker.fields import Fields, RequestError
from mewm.worker.options import DEVICES, SEARCHES, Search
from mewm.worker.policy import PolicyChoice, read_choice

if TYPE_CHECKING:
    from mewm.case import Case


@dataclass(frozen=True)
class OwnProtocol:
    """A protocol that the user wrote, and whether they override the rules for it."""

    text: str
    override_rules: bool


@dataclass(frozen=True)
class CaseFiles:
    """Where a case lies.

    Attributes:
        images: arguments of :func:`mewm.case.read_case` for the images.
        facts: the clinical facts.
    """

    images: dict[str, Any]
    facts: ClinicalFacts

    @property
    def stamp(self) -> tuple[Any, ...]:
        """What changes when a file changes; empty where a folder is named, whose files this does not look into."""
        paths = [value for value in self.images.values() if isinstance(value, Path)]
        if not all(path.is_file() for path in paths):
            return ()
        return tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths)

    def read(self) -> Case:
        """Read and check the case.

        Raises:
            InputError: see :func:`mewm.case.read_case`.
        """
        from mewm.case import read_case

        return read_case(**self.images, facts=self.facts)


@dataclass(frozen=True)
class RunRequest:
    """What a new run is asked to be; the fields are the parameters in docs/worker.md."""

    case: CaseFiles
    run: Path
    name: str
    own: tuple[OwnProtocol, ...]
    formulary: Formulary
    settings: ExploreSettings
    goal: str = ""
    search: Search = "fast"
    keep: int = 5
    policy: PolicyChoice = field(default_factory=PolicyChoice)
    dynamics: str = DEFAULT
    survival: str = DEFAULT_SURVIVAL
    assistant: str = DEFAULT_ASSISTANT
    device: str | None = None

    @property
    def expected_simulations(self) -> int:
        """Simulations that an exploration will take, roughly."""
        s = self.settings
        steps = s.drugs + (s.drug_horizon - 1) * s.beams * s.drugs // 2 + s.embolic_horizon * s.beams * s.embolics
        all_of_them = steps * s.replicas
        # The fast search takes a tenth, but never less than a small search needs (mewm.explore.fast).
        searched = max(all_of_them // 10, SMALL_BUDGET) if self.search == "fast" else all_of_them
        return searched + self.keep * (s.replicas - 1) + len(self.own) * s.replicas


@dataclass(frozen=True)
class PreviewRequest:
    """A payload to build and show; nothing is sent."""

    case: CaseFiles
    folder: Path
    policy: str
    goal: str
    formulary: Formulary
    settings: ExploreSettings


@dataclass(frozen=True)
class Addition:
    """A protocol for a run that exists."""

    run: Path
    own: OwnProtocol


def read_explore(params: object) -> RunRequest:
    """Read the parameters of ``explore``.

    Raises:
        RequestError: a parameter is missing, unknown or of the wrong type.
        InputError: a value cannot be used.
    """
    given = Fields(params, "explore")
    own = tuple(_own(Fields(item, "own protocol")) for item in given.items("own_protocols"))
    goal = given.text("goal", "")
    policy = read_choice(given)
    search = _one_of(given.text("search", "fast"), SEARCHES, "search")
    keep = given.whole("keep", 5)
    if not 1 <= keep <= 50:
        raise InputError(f"The number of protocols to keep is {keep}; give a whole number from 1 to 50.")
    settings = _settings(given, set(LIMITS))
    request = RunRequest(
        **_place(given), own=own, settings=settings, goal=goal, search=cast(Search, search), keep=keep, policy=policy
    )
    given.finish()
    return request


def read_preview(params: object) -> PreviewRequest:
    """Read the parameters of ``preview``; the exceptions are those of :func:`read_explore`."""
    given = Fields(params, "preview")
    request = PreviewRequest(
        case=_case(given.fields("case")),
        folder=given.path("folder"),
        policy=given.text("policy"),
        goal=given.text("goal", ""),
        formulary=_formulary(given.fields("formulary", None)),
        settings=_settings(given, set(LIMITS)),
    )
    given.finish()
    return request


def read_simulate(params: object) -> RunRequest | Addition:
    """Read the parameters of ``simulate``; the exceptions are those of :func:`read_explore`."""
    given = Fields(params, "simulate")
    own = OwnProtocol(given.text("protocol"), given.flag("override_rules"))
    if given.has("add_to"):
        addition = Addition(given.path("add_to"), own)
        given.finish()
        return addition
    settings = _settings(given, {"replicas", "seed"})
    request = RunRequest(**_place(given), own=(own,), settings=settings)
    given.finish()
    return request


def _place(given: Fields) -> dict[str, Any]:
    """Read what every new run needs: the case, the formulary, the folder."""
    device = given.text("device", DEVICES[0])
    _one_of(device, DEVICES, "device")
    dynamics = given.text("dynamics", DEFAULT)
    if not Path(dynamics).is_dir():
        _one_of(dynamics, tuple(dynamics_names()), "dynamics model")
    survival = given.text("survival", DEFAULT_SURVIVAL)
    if not Path(survival).is_dir():
        _one_of(survival, tuple(survival_names()), "survival model")
    assistant = given.text("assistant", DEFAULT_ASSISTANT)
    if not Path(assistant).is_dir():
        _one_of(assistant, tuple(assistant_names()), "assistant")
    name = given.text("name", "case")
    check_name(name)
    return {
        "case": _case(given.fields("case")),
        "run": given.path("run"),
        "name": name,
        "formulary": _formulary(given.fields("formulary", None)),
        "dynamics": dynamics,
        "survival": survival,
        "assistant": assistant,
        "device": None if device == DEVICES[0] else device,
    }


def _case(given: Fields) -> CaseFiles:
    images = {
        "ct": given.path("ct"),
        "lesion": given.path("lesion"),
        "lesion_label": given.whole("lesion_label", None),
        "liver": given.path("liver", None),
        "liver_label": given.whole("liver_label", None),
        "component": given.whole("component", None),
    }
    facts = read_facts(given.mapping("facts"))
    given.finish()
    return CaseFiles(images, facts)


def _formulary(given: Fields | None) -> Formulary:
    if given is None:
        return Formulary.everything()
    chosen = [name for name in ("available", "unavailable") if given.has(name)]
    if len(chosen) != 1:
        raise RequestError("The formulary takes either 'available' or 'unavailable', a list of agents.")
    names = given.items(chosen[0])
    given.finish()
    if not all(isinstance(name, str) for name in names):
        raise RequestError(f"The '{chosen[0]}' agents of the formulary are {names!r}; give texts.")
    return Formulary.only(names) if chosen == ["available"] else Formulary.without(names)


def _own(given: Fields) -> OwnProtocol:
    own = OwnProtocol(given.text("protocol"), given.flag("override_rules"))
    given.finish()
    return own


def _settings(given: Fields, allowed: set[str]) -> ExploreSettings:
    values = given.mapping("settings")
    unknown = sorted(set(values) - allowed)
    if unknown:
        raise RequestError(f"There is no setting {unknown[0]!r} here; use {', '.join(sorted(allowed))}.")
    return ExploreSettings(**values)


def _one_of(value: str, known: tuple[str, ...], what: str) -> str:
    if value not in known:
        raise InputError(f"The {what} {value!r} is not available; choose {' or '.join(known)}.")
    return value
