"""Explore and simulate: a run folder that grows while the caller looks on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm import api
from mewm.assistant.choose import assistant_names, choose_assistant
from mewm.assistant.without import LesionAssistant
from mewm.dynamics.choose import choose_dynamics, dynamics_names
from mewm.errors import InputError
from mewm.explore.events import stop_if_cancelled
from mewm.roi import cut_roi
from mewm.rows import protocol_id
from mewm.run import begin_run, fill_run, is_kept, read_manifest
from mewm.run_files import read_ranking
from mewm.run_update import (
    add_to_run,
    add_volumes,
    case_of_run,
    formulary_of_run,
    ranked_protocol,
    require_same_models,
)
from mewm.survival.choose import choose_survival, survival_names
from mewm.worker.fields import Fields
from mewm.worker.job import Job
from mewm.worker.policy import described_payload
from mewm.worker.requests import (
    Addition,
    CaseFiles,
    OwnProtocol,
    RunRequest,
    read_explore,
    read_preview,
    read_simulate,
)
from mewm.worker.stream import SEARCHED, Progress, Stream

if TYPE_CHECKING:
    from mewm.actions.formulary import Formulary
    from mewm.case import Case
    from mewm.clinical import ClinicalFacts
    from mewm.exploration import Exploration, Models
    from mewm.roi import Roi

Result = dict[str, Any]


class Runs:
    """The methods that write run folders."""

    def __init__(self, models: Models) -> None:
        """Use these models for every run."""
        self._models = models
        # The case of the last run, so that a protocol added to it does not read and cut it again.
        self._last: tuple[Path, Case, Roi] | None = None
        # Role → the last model of another name than that of the models, kept warm: a network takes seconds to load.
        self._warm: dict[str, tuple[tuple[str, str | None], Any]] = {}
        # The case of the last preview, which is explored next.
        self._previewed: tuple[CaseFiles, tuple[Any, ...], Case, Roi] | None = None

    def explore(self, job: Job) -> Result:
        """Propose, simulate, score and rank; see docs/worker.md.

        Raises:
            MewmError: the request or its input cannot be used.
            Cancelled: the caller cancelled; the run folder is removed.
        """
        request = read_explore(job.params)
        _require_allowed(request.own, request.case.facts, request.formulary)
        policy = request.policy.build(job)
        models = self._models_with(request.dynamics, request.assistant, request.survival, request.device)
        models = models if policy is None else replace(models, policy=policy)
        with self._new_run(request, "explore", job, models) as (case, roi, progress, stream):
            found = api.explore(
                case,
                goal=request.goal,
                formulary=request.formulary,
                settings=request.settings,
                models=models,
                search=request.search,
                own_protocols=[own.text for own in request.own],
                confirm=request.keep,
                on_event=stream,
                cancel=job.cancelled,
                roi=roi,
            )
            return self._finish(job, found, request, progress, stream)

    def preview(self, job: Job) -> Result:
        """Build exactly what a policy model would be sent and write it to look at; sends nothing.

        Raises:
            MewmError: the request or its input cannot be used, or its free text could identify the patient.
            Cancelled: the caller cancelled.
        """
        request = read_preview(job.params)
        from mewm.policy.exchange import require_package
        from mewm.policy.presets import find_policy

        require_package()
        from mewm.policy.payload import available_agents, build_payload

        endpoints = find_policy(request.policy)
        case, roi = self._read_case(request.case, job, Progress(job))
        self._previewed = (request.case, request.case.stamp, case, roi)
        available = available_agents(roi, request.goal, request.formulary)
        settings = request.settings
        payload = build_payload(roi, request.goal, available, settings.drugs, settings.embolics, *endpoints)
        stop_if_cancelled(job.cancelled)
        return dict(described_payload(payload, request.folder))

    def simulate(self, job: Job) -> Result:
        """Simulate the user's protocol in a run of its own or beside those of a run; raises as :meth:`explore`."""
        request = read_simulate(job.params)
        if isinstance(request, Addition):
            return self._add(job, request)
        _require_allowed(request.own, request.case.facts, request.formulary)
        (own,) = request.own
        models = self._models_with(request.dynamics, request.assistant, request.survival, request.device)
        with self._new_run(request, "simulate", job, models) as (case, roi, progress, stream):
            found = api.simulate(
                case,
                own.text,
                replicas=request.settings.replicas,
                seed=request.settings.seed,
                formulary=request.formulary,
                models=models,
                override_rules=True,
                on_event=stream,
                cancel=job.cancelled,
                roi=roi,
            )
            result = self._finish(job, found, request, progress, stream)
        return result | {"protocol_id": protocol_id(found.ranking[0].protocol)}

    def volumes(self, job: Job) -> Result:
        """Simulate a ranked protocol again to show it, and write its whole volumes where they are not there.

        Raises as :meth:`explore`.
        """
        given = Fields(job.params, "volumes")
        folder, wanted = given.path("run"), given.text("protocol_id")
        given.finish()
        manifest = read_manifest(folder)
        row, protocol = ranked_protocol(folder, wanted)
        models = self._models_of(manifest)
        require_same_models(folder, manifest, models)
        progress = Progress(job)
        case, roi = self._case_of(folder, manifest, progress)
        stream = self._stream(job, progress, case, roi, folder, formulary_of_run(manifest), [], models)
        found = api.simulate(
            case,
            protocol,
            replicas=row["replicas"],
            seed=manifest["seed"],
            models=models,
            override_rules=True,
            on_event=stream,
            cancel=job.cancelled,
            roi=roi,
        )
        if not row["folder"]:
            progress.volumes(0, 1)
            manifest = add_volumes(folder, manifest, wanted, found)
        return _result(folder, manifest) | {"protocol_id": wanted}

    def _add(self, job: Job, request: Addition) -> Result:
        folder = request.run
        manifest = read_manifest(folder)
        models = self._models_of(manifest)
        require_same_models(folder, manifest, models)
        progress = Progress(job)
        case, roi = self._case_of(folder, manifest, progress)
        formulary = formulary_of_run(manifest)
        _require_allowed([request.own], case.facts, formulary)
        stream = self._stream(job, progress, case, roi, folder, formulary, [request.own], models)
        found = api.simulate(
            case,
            request.own.text,
            replicas=manifest["parameters"]["replicas"],
            seed=manifest["seed"],
            formulary=formulary,
            models=models,
            override_rules=True,
            on_event=stream,
            cancel=job.cancelled,
            roi=roi,
        )
        stop_if_cancelled(job.cancelled)
        progress.volumes(0, 1)
        manifest = add_to_run(folder, manifest, found)
        notes = [warning for warning in found.warnings if warning not in manifest["warnings"]]
        return _result(folder, manifest, notes) | {"protocol_id": protocol_id(found.ranking[0].protocol)}

    def _models_with(self, dynamics: str, assistant: str, survival: str, device: str | None = None) -> Models:
        """Return the models with dynamics, assistant and survival model by name, networks on ``device``."""
        models = self._models
        if dynamics != models.dynamics.name:
            models = replace(models, dynamics=self._kept("dynamics", dynamics, device, choose_dynamics))
        if assistant != models.assistant.name:
            models = replace(models, assistant=self._kept("assistant", assistant, device, choose_assistant))
        if survival != models.survival.name:
            models = replace(models, survival=self._kept("survival", survival, device, choose_survival))
        return models

    def _kept(self, role: str, name: str, device: str | None, choose: Callable[[str, str | None], Any]) -> Any:
        """Return a model by name; the last one of each role stays loaded."""
        wanted = (name, device)
        if role not in self._warm or self._warm[role][0] != wanted:
            self._warm[role] = (wanted, choose(name, device))
        return self._warm[role][1]

    def _models_of(self, manifest: dict[str, Any]) -> Models:
        """Return the models of a run: each by name where known here, else those in use."""
        made = manifest.get("models", {})
        dynamics, assistant, survival = (made.get(role) for role in ("dynamics", "assistant", "survival"))
        here = self._models
        return self._models_with(
            dynamics if dynamics in dynamics_names() else here.dynamics.name,
            assistant if assistant in (*assistant_names(), LesionAssistant.name) else here.assistant.name,
            survival if survival in survival_names() else here.survival.name,
        )

    @contextmanager
    def _new_run(
        self, request: RunRequest, kind: str, job: Job, models: Models
    ) -> Iterator[tuple[Case, Roi, Progress, Stream]]:
        """Read the case and open the run folder; whatever goes wrong inside leaves no folder behind."""
        folder = request.run
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"The folder {folder} is not empty; choose a new folder for the run.")
        progress = Progress(job, request.expected_simulations if kind == "explore" else 0)
        case, roi = self._read_case(request.case, job, progress)
        try:
            begin_run(folder, kind, request.name)
            stream = self._stream(job, progress, case, roi, folder, request.formulary, request.own, models)
            yield case, roi, progress, stream
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._last = (folder.resolve(), case, roi)

    def _read_case(self, files: CaseFiles, job: Job, progress: Progress) -> tuple[Case, Roi]:
        """Read and cut a case, unless it was for the preview just before."""
        known, self._previewed = self._previewed, None
        if known is not None and known[0] == files and files.stamp and known[1] == files.stamp:
            return known[2:]
        progress.stage("Reading the case", 0.0)
        case = files.read()
        stop_if_cancelled(job.cancelled)
        roi = cut_roi(case)
        stop_if_cancelled(job.cancelled)
        return case, roi

    def _stream(
        self,
        job: Job,
        progress: Progress,
        case: Case,
        roi: Roi,
        folder: Path,
        formulary: Formulary,
        own: Sequence[OwnProtocol],
        models: Models,
    ) -> Stream:
        protocols = [api.read_protocol(wanted.text) for wanted in own]
        return Stream(job, progress, case, roi, folder, formulary, protocols, models.survival)

    def _case_of(self, folder: Path, manifest: dict[str, Any], progress: Progress) -> tuple[Case, Roi]:
        if self._last is None or self._last[0] != folder.resolve():
            progress.stage("Reading the case", 0.0)
            case = case_of_run(folder, manifest)
            self._last = (folder.resolve(), case, cut_roi(case))
        return self._last[1:]

    def _finish(self, job: Job, found: Exploration, request: RunRequest, progress: Progress, stream: Stream) -> Result:
        """Show what is kept, then write the run."""
        progress.stage("Showing the best protocols", SEARCHED)
        for scored, row in zip(found.ranking, found.rows(), strict=True):
            if is_kept(row, request.keep):
                stop_if_cancelled(job.cancelled)
                stream.show(scored.protocol, found.evaluator.future(scored.protocol))

        def on_volume(done: int, total: int) -> None:
            stop_if_cancelled(job.cancelled)
            progress.volumes(done, total)

        manifest = fill_run(found, request.run, request.name, request.keep, on_volume)
        return _result(request.run, manifest)


def _require_allowed(own: Sequence[OwnProtocol], facts: ClinicalFacts, formulary: Formulary) -> None:
    """Make sure that rules allow the user's protocols or are overridden, before any work is done."""
    for wanted in own:
        protocol = api.read_protocol(wanted.text)
        api.check_rules(protocol, facts, formulary, override_rules=wanted.override_rules)


def _result(folder: Path, manifest: dict[str, Any], notes: Sequence[str] = ()) -> Result:
    return {
        "run": str(folder),
        "case_name": manifest["case_name"],
        "created": manifest["created"],
        "kind": manifest["kind"],
        "policy": manifest["models"]["policy"],
        "rows": read_ranking(folder),
        "warnings": [*manifest["warnings"], *notes],
        "simulations": manifest["simulations"],
        "timings": manifest["timings"],
        "lesion": manifest["lesion"],
        "outlook": manifest.get("outlook"),
    }
