"""The Python way in: the same work as the command line, on objects in memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mewm.actions import rules
from mewm.actions.formulary import Formulary
from mewm.actions.plausible import require_plausible
from mewm.actions.protocol import Protocol
from mewm.actions.text import parse_protocol
from mewm.case import Case, make_case, read_case
from mewm.diameter import longest_axial_diameter
from mewm.doctor import doctor
from mewm.dynamics.sketch import ResponseSketch
from mewm.errors import InputError, MewmError, RuleViolation
from mewm.exploration import Exploration, Models
from mewm.explore.algorithm1 import explore_algorithm1
from mewm.explore.evaluator import Evaluator, evaluate_protocol
from mewm.explore.events import CancelToken, OnEvent
from mewm.explore.exhaustive import explore_exhaustive
from mewm.explore.fast import explore_fast
from mewm.explore.finish import confirmed_ranking
from mewm.explore.result import ScoredProtocol, SearchResult
from mewm.explore.settings import ExploreSettings as Settings
from mewm.roi import Roi, cut_roi
from mewm.sample import sample_case

if TYPE_CHECKING:
    from mewm.clinical import ClinicalFacts
    from mewm.roles import Finding, PolicyModel

__all__ = [
    "Exploration",
    "Models",
    "Settings",
    "check_rules",
    "doctor",
    "explore",
    "make_case",
    "read_case",
    "read_protocol",
    "sample_case",
    "scene",
    "simulate",
    "write_run",
]

Search = Literal["fast", "algorithm1", "exhaustive"]


def _explore_fast(evaluator: Evaluator, policy: PolicyModel, formulary: Formulary, goal: str) -> SearchResult:
    sketch = ResponseSketch(evaluator.roi, evaluator.seeds)
    return explore_fast(evaluator, policy, formulary, goal, sketch)


_SEARCHES = {"fast": _explore_fast, "algorithm1": explore_algorithm1, "exhaustive": explore_exhaustive}


def explore(
    case: Case,
    *,
    goal: str = "",
    formulary: Formulary | None = None,
    settings: Settings | None = None,
    models: Models | None = None,
    search: Search = "fast",
    own_protocols: Sequence[str | Protocol] = (),
    confirm: int = 5,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
    roi: Roi | None = None,
) -> Exploration:
    """Propose, simulate, segment, score and rank TACE protocols for one case.

    Args:
        case: from :func:`read_case` or :func:`make_case`.
        goal: the goal in words, for the policy.
        formulary: agents that can be given; everything by default.
        settings: horizons, beams, replicas and seed; the paper's by default.
        models: the four roles; the plain baselines by default.
        search: ``"fast"`` finds Algorithm 1's winner with fewer simulations, ``"algorithm1"`` is the paper's
            search, ``"exhaustive"`` scores everything.
        own_protocols: the user's protocols, ranked with the others even where rules advise against them.
        confirm: rows at the top of the ranking that get all replicas after a fast search.
        on_event: receives news while the search runs.
        cancel: checked between simulations.
        roi: the case on the model grid where the caller has cut it already.

    Returns:
        The ranked protocols with their simulated volumes.

    Raises:
        InputError: an own protocol cannot be read, or no protocol is admissible.
        Cancelled: ``cancel`` was set.

    Example:
        >>> from mewm import api
        >>> quick = api.Settings(beams=1, drugs=2, embolics=2, replicas=1)
        >>> found = api.explore(api.sample_case(), settings=quick)
        >>> [row["rank"] for row in found.rows()][:2]
        [1, 2]
    """
    settings = settings or Settings()
    models = models or Models()
    formulary = formulary or Formulary.everything()
    own, told = _own_protocols(own_protocols)
    timings: dict[str, float] = {}
    with _timed(timings, "cut_roi_s"):
        roi = roi or cut_roi(case)
    evaluator = _evaluator(roi, models, settings, on_event, cancel)
    with _timed(timings, "search_s"):
        found = _SEARCHES[search](evaluator, models.policy, formulary, goal)
    if found.winner is None:
        raise InputError(_nothing_admissible(found))
    with _timed(timings, "confirm_s"):
        ranked = confirmed_ranking(evaluator, formulary, found.winner.protocol, confirm)
    ranking = {scored.protocol.key: scored for scored in ranked}
    for protocol in own:
        findings = rules.check(protocol, case.facts, formulary)
        ranking[protocol.key] = evaluate_protocol(evaluator, protocol, findings)
    best_first = tuple(sorted(ranking.values(), key=lambda scored: scored.risk))
    return Exploration(
        case,
        roi,
        models,
        settings,
        evaluator,
        best_first,
        frozenset(protocol.key for protocol in own),
        found,
        _warnings(case, roi, found.proposal.findings, told, models, best_first),
        timings,
        "explore",
        formulary,
        goal,
    )


def simulate(
    case: Case,
    protocol: str | Protocol,
    *,
    replicas: int = 5,
    seed: int = 0,
    formulary: Formulary | None = None,
    models: Models | None = None,
    override_rules: bool = False,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
    roi: Roi | None = None,
) -> Exploration:
    """Simulate, segment and score one protocol.

    Args:
        case: from :func:`read_case` or :func:`make_case`.
        protocol: a protocol or its text, such as ``"Lobaplatin 30 mg; Lipiodol 10 ml"``.
        replicas: T, futures that are simulated.
        seed: seed of the replicas.
        formulary: agents that can be given; everything by default.
        models: the four roles; the plain baselines by default.
        override_rules: go on although rules forbid the protocol; the violations stay in the result.
        on_event: receives news.
        cancel: checked between simulations.
        roi: the case on the model grid where the caller has cut it already.

    Raises:
        InputError: the text cannot be read or names an unknown agent.
        RuleViolation: the protocol breaks a rule that is not overridden.
        Cancelled: ``cancel`` was set.

    Example:
        >>> from mewm import api
        >>> one = api.simulate(api.sample_case(), "Lobaplatin 30 mg; Lipiodol 10 ml", replicas=1)
        >>> one.rows()[0]["protocol"]
        'Lobaplatin 30 mg; Lipiodol 10 ml'
    """
    settings = Settings(replicas=replicas, seed=seed)
    models = models or Models()
    formulary = formulary or Formulary.everything()
    (wanted,), told = _own_protocols([protocol])
    findings = check_rules(wanted, case.facts, formulary, override_rules=override_rules)
    timings: dict[str, float] = {}
    with _timed(timings, "cut_roi_s"):
        roi = roi or cut_roi(case)
    evaluator = _evaluator(roi, models, settings, on_event, cancel)
    with _timed(timings, "simulate_s"):
        scored = evaluate_protocol(evaluator, wanted, findings)
    contraindications = rules.contraindications(case.facts, longest_axial_diameter(roi.lesion, roi.spacing))
    return Exploration(
        case,
        roi,
        models,
        settings,
        evaluator,
        (scored,),
        frozenset([wanted.key]),
        None,
        _warnings(case, roi, (*findings, *contraindications), told, models, (scored,)),
        timings,
        "simulate",
        formulary,
    )


def read_protocol(protocol: str | Protocol) -> Protocol:
    """Read a protocol that a user wrote and make sure that it can be simulated.

    Raises:
        InputError: the text cannot be read, or names an unknown agent or an impossible dose.
    """
    return _own_protocols([protocol])[0][0]


def check_rules(
    protocol: Protocol, facts: ClinicalFacts, formulary: Formulary, *, override_rules: bool = False
) -> tuple[Finding, ...]:
    """Return what the clinical rules say about a protocol, exclusions first.

    Raises:
        RuleViolation: a rule forbids it and ``override_rules`` is false.
    """
    findings = rules.check(protocol, facts, formulary)
    broken = tuple(finding for finding in findings if finding.severity == "excluded")
    if broken and not override_rules:
        told = " ".join(finding.message for finding in broken)
        raise RuleViolation(f"{told} Change the protocol, or override the rules to go on knowingly.", broken)
    return findings


def write_run(
    exploration: Exploration,
    folder: str | Path,
    *,
    name: str = "case",
    keep: int = 5,
    overwrite: bool = False,
) -> Path:
    """Write a run folder (manifest, ranking, search tree, volumes); see :mod:`mewm.run`."""
    from mewm.run import write_run as write

    return write(exploration, Path(folder), name=name, keep=keep, overwrite=overwrite)


def scene(run: str | Path, *, top: int = 3) -> list[Path]:
    """Turn a run folder into ``scene.mrb`` and pictures, with Slicer's own scene and slice views.

    Slicer's libraries run in a process of their own, so that this one never imports them.

    Args:
        run: folder written by :func:`write_run`.
        top: protocols to draw.

    Returns:
        The files written.

    Raises:
        MewmError: no run there, the ``scene`` extra is missing, or drawing failed; in one sentence.
    """
    import json

    from mewm.run import read_manifest

    read_manifest(Path(run))
    command = [sys.executable, "-m", "MeWMModuleLib.headless", str(run), "--top", str(top), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise MewmError("The scene was not written; the message above says why.")
    return [Path(path) for path in json.loads(done.stdout)]


def _evaluator(
    roi: Roi, models: Models, settings: Settings, on_event: OnEvent | None, cancel: CancelToken | None
) -> Evaluator:
    return Evaluator(
        roi, models.dynamics, models.assistant, models.survival, settings, on_event=on_event, cancel=cancel
    )


def _own_protocols(given: Sequence[str | Protocol]) -> tuple[list[Protocol], list[str]]:
    """Read the user's protocols; return them with what the reader of their text left open."""
    protocols: list[Protocol] = []
    told: list[str] = []
    for protocol in given:
        if isinstance(protocol, str):
            parsed = parse_protocol(protocol)
            told += parsed.notes
            protocol = parsed.protocol
        unknown = [action.agent for action in protocol.actions if action.kind == "unknown"]
        if unknown:
            raise InputError(
                f"The action base does not know {', '.join(unknown)}, so it cannot be simulated; "
                "use the generic name of the agent."
            )
        require_plausible(protocol)
        protocols.append(protocol)
    return protocols, told


def _nothing_admissible(found: SearchResult) -> str:
    reasons = dict.fromkeys(f.message for f in found.proposal.findings if f.severity == "excluded")
    told = " ".join(reasons) or "The formulary has no drug with Lipiodol and no drug-eluting beads."
    return f"No protocol is admissible for this case. {told}"


def _warnings(
    case: Case,
    roi: Roi,
    findings: Sequence[Finding],
    notes: Sequence[str],
    models: Models,
    ranking: Sequence[ScoredProtocol],
) -> tuple[str, ...]:
    told = [*case.warnings, *notes, *models.cautions]
    unfamiliar = getattr(models.survival, "unfamiliar", None)
    told += [] if unfamiliar is None else unfamiliar(roi, [scored.protocol for scored in ranking])
    told += [f"{f.message} ({f.source})" for f in findings if f.severity == "warning"]
    return tuple(dict.fromkeys(told))


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[name] = round(time.perf_counter() - start, 3)
