"""The Python way in: the same work as the command line, on objects in memory.

Example:
    >>> from mewm import api
    >>> case = api.sample_case()                                        # doctest: +SKIP
    >>> found = api.explore(case, settings=api.Settings(seed=1))        # doctest: +SKIP
    >>> print(found.ranking[0].text)                                    # doctest: +SKIP
    >>> api.write_run(found, "runs/sample", name="lits117")             # doctest: +SKIP
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mewm.actions import rules
from mewm.actions.formulary import Formulary
from mewm.actions.plausible import require_plausible
from mewm.actions.protocol import Protocol
from mewm.actions.text import parse_protocol, render_protocol
from mewm.assistant.intensity import IntensityAssistant
from mewm.case import Case, make_case, read_case
from mewm.doctor import SAMPLE_PACKAGE, doctor
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.errors import InputError, MewmError
from mewm.explore.algorithm1 import explore_algorithm1
from mewm.explore.evaluator import Evaluator, evaluate_protocol
from mewm.explore.events import CancelToken, OnEvent
from mewm.explore.exhaustive import explore_exhaustive
from mewm.explore.fast import explore_fast
from mewm.explore.finish import confirmed_ranking
from mewm.explore.result import ScoredProtocol, SearchResult
from mewm.explore.settings import ExploreSettings as Settings
from mewm.policy.guideline import GuidelinePolicy
from mewm.roi import Roi, cut_roi
from mewm.survival.cox import CoxSurvival

if TYPE_CHECKING:
    from mewm.roles import AssistantModel, DynamicsModel, Finding, PolicyModel, SurvivalModel

__all__ = [
    "Exploration",
    "Models",
    "Settings",
    "doctor",
    "explore",
    "make_case",
    "read_case",
    "sample_case",
    "scene",
    "simulate",
    "write_run",
]

Search = Literal["fast", "algorithm1", "exhaustive"]

_SEARCHES = {"fast": explore_fast, "algorithm1": explore_algorithm1, "exhaustive": explore_exhaustive}

# The package's files state no geometry. The spacing is an estimate that fits a liver of 1.7 litres.
SAMPLE_SPACING_MM = (1.40625, 1.40625, 1.40625)
# Seen in the anatomy: the first axis runs to the dome of the liver, the second to the spine, the third to the
# stomach.
SAMPLE_ORIENTATION = "SPL"
# The three larger lesions reach the edge of the crop; this one of 25 ml lies whole inside the liver.
SAMPLE_COMPONENT = 4
SAMPLE_LIVER, SAMPLE_TUMOUR = 1, 2


@dataclass(frozen=True)
class Models:
    """The four roles of the world model; the plain baselines by default."""

    policy: PolicyModel = field(default_factory=GuidelinePolicy)
    dynamics: DynamicsModel = field(default_factory=MechanisticDynamics)
    assistant: AssistantModel = field(default_factory=IntensityAssistant)
    survival: SurvivalModel = field(default_factory=CoxSurvival.load)

    @property
    def names(self) -> dict[str, str]:
        """Role → name of its implementation."""
        return {role: getattr(self, role).name for role in ("policy", "dynamics", "assistant", "survival")}


@dataclass(frozen=True, eq=False)
class Exploration:
    """Everything one run found out about one case.

    Attributes:
        case: the case as read.
        roi: its target lesion on the model grid.
        models: the four roles that were used.
        settings: settings of the search.
        evaluator: holds the simulated volumes.
        ranking: every scored complete protocol, best first, with the user's own among them.
        own: keys of the protocols that the user wrote.
        search: the search's result, ``None`` where one protocol was simulated.
        warnings: what the user must know about the case and the treatment.
        timings: seconds by stage.
        kind: ``"explore"`` or ``"simulate"``.
    """

    case: Case
    roi: Roi
    models: Models
    settings: Settings
    evaluator: Evaluator
    ranking: tuple[ScoredProtocol, ...]
    own: frozenset[tuple]
    search: SearchResult | None
    warnings: tuple[str, ...]
    timings: dict[str, float]
    kind: Literal["explore", "simulate"]

    def rows(self) -> list[dict[str, Any]]:
        """Return the ranking as plain values, one dictionary a protocol (columns of ``ranking.csv``).

        Example:
            >>> from mewm import api
            >>> case = api.sample_case()
            >>> one = api.simulate(case, "Lobaplatin 30 mg; Lipiodol 10 ml", replicas=1)
            >>> one.rows()[0]["protocol"]
            'Lobaplatin 30 mg; Lipiodol 10 ml'
        """
        return [
            {
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
                "origin": "yours" if scored.protocol.key in self.own else "search",
                "violations": " ".join(finding.message for finding in scored.findings),
            }
            for rank, scored in enumerate(self.ranking, start=1)
        ]

    @property
    def simulations(self) -> dict[str, int | None]:
        """Return how many simulations ran in all, how many the search took and what its peers would need."""
        counts: dict[str, int | None] = {"run": self.evaluator.simulations_run}
        if self.search is not None:
            cost = self.search.cost
            counts |= {"search": cost.run, "algorithm1": cost.paper, "exhaustive": cost.exhaustive}
        return counts

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: ranking, simulations, warnings, timings."""
        return {
            "kind": self.kind,
            "ranking": self.rows(),
            "simulations": self.simulations,
            "warnings": list(self.warnings),
            "models": self.models.names,
            "timings": self.timings,
        }


def sample_case(*, facts: Any = None, component: int | None = None) -> Case:
    """Read the sample case: LiTS case 117, a real CT with many metastases, from an installed package.

    The fourth largest lesion is the target. It is not a hepatocellular carcinoma and had no TACE; voxel spacing and
    orientation are estimates, because the files state none.

    Args:
        facts: clinical facts, as for :func:`read_case`; none are known of this patient.
        component: which lesion, 1 = largest; the fourth by default, the largest that is not cut off.

    Raises:
        InputError: the package is not installed.
    """
    spec = util.find_spec(SAMPLE_PACKAGE)
    if spec is None or spec.origin is None:
        raise InputError(
            "The sample case is not installed; run pip install --no-deps liver-ct-segmentation-package==1.6.0."
        )
    data = Path(spec.origin).parent / "data"
    return read_case(
        data / "img_117.mrc",
        data / "lab_117.mrc",
        lesion_label=SAMPLE_TUMOUR,
        liver=data / "lab_117.mrc",
        liver_label=SAMPLE_LIVER,
        facts=facts,
        component=SAMPLE_COMPONENT if component is None else component,
        spacing=SAMPLE_SPACING_MM,
        orientation=SAMPLE_ORIENTATION,
    )


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

    Returns:
        The ranked protocols with their simulated volumes.

    Raises:
        InputError: an own protocol cannot be read, or no protocol is admissible.
        Cancelled: ``cancel`` was set.
    """
    settings = settings or Settings()
    models = models or Models()
    formulary = formulary or Formulary.everything()
    own, told = _own_protocols(own_protocols)
    timings: dict[str, float] = {}
    with _timed(timings, "cut_roi_s"):
        roi = cut_roi(case)
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
    return Exploration(
        case,
        roi,
        models,
        settings,
        evaluator,
        tuple(sorted(ranking.values(), key=lambda scored: scored.risk)),
        frozenset(protocol.key for protocol in own),
        found,
        _warnings(case, roi, found.proposal.findings, told),
        timings,
        "explore",
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

    Raises:
        InputError: the text cannot be read, names an unknown agent, or breaks a rule that is not overridden.
        Cancelled: ``cancel`` was set.
    """
    settings = Settings(replicas=replicas, seed=seed)
    models = models or Models()
    (wanted,), told = _own_protocols([protocol])
    findings = rules.check(wanted, case.facts, formulary or Formulary.everything())
    broken = [finding.message for finding in findings if finding.severity == "excluded"]
    if broken and not override_rules:
        raise InputError(f"{' '.join(broken)} Change the protocol, or use --override-rules to go on knowingly.")
    timings: dict[str, float] = {}
    with _timed(timings, "cut_roi_s"):
        roi = cut_roi(case)
    evaluator = _evaluator(roi, models, settings, on_event, cancel)
    with _timed(timings, "simulate_s"):
        scored = evaluate_protocol(evaluator, wanted, findings)
    contraindications = rules.contraindications(case.facts, scored.measurements.baseline_mm)
    return Exploration(
        case,
        roi,
        models,
        settings,
        evaluator,
        (scored,),
        frozenset([wanted.key]),
        None,
        _warnings(case, roi, (*findings, *contraindications), told),
        timings,
        "simulate",
    )


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


def _warnings(case: Case, roi: Roi, findings: Sequence[Finding], notes: Sequence[str]) -> tuple[str, ...]:
    told = [*case.warnings, *notes]
    if not roi.liver_given:
        told.append("No liver mask was given; the liver is estimated around the lesion.")
    told += [f"{f.message} ({f.source})" for f in findings if f.severity == "warning"]
    return tuple(dict.fromkeys(told))


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[name] = round(time.perf_counter() - start, 3)
