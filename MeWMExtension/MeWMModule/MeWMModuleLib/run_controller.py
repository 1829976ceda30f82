"""One job at a time for the engine, from the scene and back into it; no window, no waiting.

Everything happens in small steps that are called back later (``later``, Qt's single-shot timer in the panel), so the
window stays alive; whatever ends a job early, the scene is left without half-made nodes and the user is told why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from mewm.errors import MewmError
from MeWMModuleLib.future_steps import future_steps
from MeWMModuleLib.input_files import InputFolders, Inputs, write_inputs
from MeWMModuleLib.jobs import (
    ASKING,
    CANCELLING,
    GUIDELINE,
    IDLE,
    PREPARING,
    RUNNING,
    Event,
    Job,
    Listener,
    Progress,
    provisional,
)
from MeWMModuleLib.live_run import LiveRun, runs_in, start_run
from MeWMModuleLib.request import explore_request, preview_request, simulate_request, with_accepted
from MeWMModuleLib.turns import Turns


class RunController:
    """Owns the job that runs; the engine and the timer are given, so that tests can stand in for both."""

    def __init__(self, scene: Any, engine: Any, later: Callable[[Callable[[], None]], None]) -> None:
        """Wire it up.

        Args:
            scene: the scene to read from and write to.
            engine: has ``request(method, params, on_event)`` that returns an identifier, and ``cancel(identifier)``.
            later: calls a function soon, from the event loop.
        """
        self.scene = scene
        self.engine = engine
        self.listener = Listener()
        self.state = IDLE
        self.progress = Progress()
        self._later = later
        self._job: Job | None = None
        self.input_folders = InputFolders(later)
        self._turns = Turns(later, self._take, self._guarded)

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._job is not None

    @property
    def run(self) -> LiveRun | None:
        """The run that the job adds to."""
        return self._job.run if self._job else None

    def explore(self, parameters: Any, folder: Path) -> None:
        """Search protocols for the chosen case into a new run folder inside ``folder``."""
        self._with_inputs("explore", parameters, folder, explore_request)

    def simulate(self, parameters: Any, folder: Path, run: LiveRun | None) -> None:
        """Simulate the user's own protocol and rank it in ``run``, or in a run of its own where there is none."""
        if run is None:
            self._with_inputs("simulate", parameters, folder, simulate_request)
            return
        job = self._start("simulate", run=run)
        job.nodes = {"CT": run.ct}
        request = {
            "add_to": run.path,
            "protocol": parameters.own_protocol,
            "override_rules": parameters.override_rules,
        }
        self._send(job, "simulate", request)

    def fetch_volumes(self, run: LiveRun, protocol_id: str) -> None:
        """Simulate a ranked protocol whose volumes were not kept, to show it."""
        job = self._start("volumes", run=run)
        job.nodes = {"CT": run.ct}
        self._send(job, "volumes", {"run": run.path, "protocol_id": protocol_id})

    def ask(self, kind: str, params: Mapping[str, Any]) -> None:
        """Ask the engine for something that does not touch the scene, such as ``export`` or ``sample``."""
        self._send(self._start(kind), kind, params)

    def cancel(self) -> None:
        """Stop the job at once; what it made in the scene goes."""
        job = self._job
        if job is None or self.state == CANCELLING:
            return
        if job.request is None:
            self._end_early(f"Cancelled; {job.left()}.", wanted=True)
            return
        self.state = CANCELLING
        self.progress = Progress("Cancelling")
        self.engine.cancel(job.request)
        self.listener.changed()

    def check_nodes(self) -> None:
        """Stop the job if the user deleted something it needs."""
        job = self._job
        if job is None:
            return
        for what, node in job.nodes.items():
            if node is not None and not self.scene.IsNodePresent(node):
                self._drop(f"The {what} was deleted, so the run was stopped; {job.left()}.")
                return
        if job.run is not None and job.run.table is None:
            self._drop("The results of the run were deleted, so it was stopped.")

    def scene_closing(self) -> None:
        """Stop the job because its scene goes; the scene is not touched."""
        if self._job is not None:
            self._job.run = None
            self._drop("The scene was closed, so the run was stopped; nothing was kept.")

    def close(self) -> None:
        """Stop everything without a word: the module is reloaded or the application quits."""
        self.listener = Listener()
        if self._job is not None:
            self._drop("")
        self.input_folders.close()

    def _start(self, kind: str, run: LiveRun | None = None) -> Job:
        if self._job is not None:
            raise MewmError("Another job is running; wait for it or cancel it.")
        job = self._job = Job(kind, run=run)
        if run is not None:
            job.before = run.rows()
            job.had = frozenset(future.protocol_id for future in run.futures())
        self.state, self.progress = PREPARING, Progress("Preparing")
        self.listener.changed()
        return job

    def _with_inputs(self, kind: str, parameters: Any, folder: Path, make_request: Callable[..., dict]) -> None:
        job = self._start(kind)
        job.nodes = {"CT": parameters.ct, "tumour segmentation": parameters.tumour}
        tumour = (parameters.tumour, parameters.tumour_segment)
        liver = (parameters.liver, parameters.liver_segment) if parameters.liver is not None else None
        name = parameters.case_name
        try:
            steps = write_inputs(self.input_folders.new(), parameters.ct, tumour, liver)
        except OSError as error:
            self._end_early(_disk(error))
            return
        self.progress = Progress("Handing the case to the engine")
        inputs = Inputs()

        def step() -> None:
            if self._job is not job:
                return
            try:
                nonlocal inputs
                inputs = next(steps)
            except StopIteration:
                self._guarded(launch)
            except (MewmError, OSError) as error:
                self._end_early(_disk(error) if isinstance(error, OSError) else str(error))
            else:
                self._later(step)

        def launch() -> None:
            request = make_request(parameters, inputs.files, "")
            if request.get("policy", GUIDELINE) == GUIDELINE:
                begin(request)
            else:
                self._ask_first(job, request, parameters.keep_exchange, begin)

        def begin(request: dict[str, Any]) -> None:
            now = datetime.now()
            path = folder / f"{name}-{now:%Y%m%d-%H%M%S-%f}"
            identifier = _free_name(self.scene, f"{name} {now:%Y-%m-%d %H:%M:%S}")
            job.run = start_run(self.scene, identifier, name, parameters.ct, inputs.lesion, str(path))
            job.made_run = True
            self._send(job, kind, {**request, "run": str(path)})

        self._later(step)

    def _ask_first(
        self, job: Job, request: dict[str, Any], keep_exchange: bool, begin: Callable[[dict[str, Any]], None]
    ) -> None:
        """Show what a policy model would be sent; only what the user accepts is sent, and only by the engine."""

        def shown(payload: Event) -> None:
            # The engine has answered: whatever ends the job now has nothing to cancel there.
            job.request, self.state = None, ASKING
            self.progress = Progress("Waiting for you to accept or refuse what would be sent")
            self.listener.changed()
            self.listener.confirm(payload, lambda accepted: answered(payload, accepted))

        def answered(payload: Event, accepted: bool) -> None:
            if self._job is not job:
                return
            if accepted:
                self._guarded(lambda: begin(with_accepted(request, payload["digest"], keep_exchange)))
            else:
                self._end_early("You did not accept what would be sent, so nothing was sent and no run began.", True)

        assert self.input_folders.current is not None
        job.then = shown
        self._send(job, "preview", preview_request(request, str(self.input_folders.current / "payload")))

    def _send(self, job: Job, method: str, params: Mapping[str, Any]) -> None:
        self.state = RUNNING
        self.progress = Progress("Asking the engine" if self.engine.running else "Starting the engine")
        try:
            job.request = self.engine.request(method, params, lambda event: self._turns.add((job, event)))
        except MewmError as error:
            self._end_early(str(error))
            return
        self.listener.changed()

    def _take(self, what: tuple[Job, Event]) -> None:
        """Handle an event of the engine, unless its job is over."""
        job, event = what
        if job is not self._job:
            return
        handle = {
            "progress": self._on_progress,
            "scored": self._on_scored,
            "simulated": self._on_simulated,
            "done": self._on_done,
            "error": self._on_error,
        }.get(event["event"])
        if handle is not None:
            self._guarded(lambda: handle(job, event))

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do something that a full disk, a changed file or the user's deleting nodes may spoil."""
        try:
            action()
        except MewmError as error:
            self._drop(str(error))
        except OSError as error:
            self._drop(_disk(error))

    def _on_progress(self, job: Job, event: Event) -> None:
        if self.state != CANCELLING:
            self.progress = Progress(event["stage"], event.get("fraction"), event.get("left_s"))
            self.listener.changed()

    def _on_scored(self, job: Job, event: Event) -> None:
        if job.run is None or self.state == CANCELLING:
            return
        row = dict(event["row"])
        job.rows[row["protocol_id"]] = row
        others = [known for known in job.before if known["protocol_id"] not in job.rows]
        job.run.put_rows(provisional([*others, *job.rows.values()]))
        self.listener.rows(job.run)

    def _on_simulated(self, job: Job, event: Event) -> None:
        if job.run is not None and self.state != CANCELLING:
            self._turns.begin(self._show(job.run, event))

    def _show(self, run: LiveRun, event: Event) -> Iterator[None]:
        files = event["files"]
        for _ in future_steps(run, event["protocol_id"], event["protocol"], files["ct"], files["tissue"]):
            yield None
        self.listener.future(run, event["protocol_id"])

    def _on_done(self, job: Job, event: Event) -> None:
        result = event["result"]
        if job.then is not None:
            then, job.then = job.then, None
            then(result)
            return
        if job.run is not None:
            tree = Path(result["run"]) / "search.json"
            job.run.finish(result, tree.read_text(encoding="utf-8") if tree.is_file() else "")
        self._end()
        if job.run is not None:
            self.listener.rows(job.run)
        self.listener.finished(job.kind, job.run, result)

    def _on_error(self, job: Job, event: Event) -> None:
        wanted = event.get("kind") == "cancelled"
        self._end_early(f"Cancelled; {job.left()}." if wanted else event["message"], wanted)

    def _drop(self, sentence: str) -> None:
        """End a job whose answer no longer matters."""
        job = self._job
        if job is not None and job.request is not None:
            self.engine.cancel(job.request)
        self._end_early(sentence)

    def _end_early(self, sentence: str, wanted: bool = False) -> None:
        job = self._job
        self._end()
        if job is not None and job.run is not None:
            self._take_back(job)
        self.listener.failed(sentence, wanted)

    def _take_back(self, job: Job) -> None:
        """Leave the run as it was before the job, or remove it if the job made it."""
        run = job.run
        if run is None or run.table is None:
            return
        if job.made_run:
            run.remove()
            return
        for future in run.futures():
            if future.protocol_id not in job.had:
                run.drop_future(future.protocol_id)
        if job.rows:
            run.put_rows(job.before)
        self.listener.rows(run)

    def _end(self) -> None:
        self._job = None
        # What a half-made future has in the scene goes with it.
        self._turns.drop_steps()
        self.state, self.progress = IDLE, Progress()
        self.input_folders.clear()
        self.listener.changed()


def _free_name(scene: Any, name: str) -> str:
    """Return the name, with a number behind it where a run of the scene has it already."""
    taken = {run.identifier for run in runs_in(scene)}
    return next(n for n in (name, *(f"{name} ({k})" for k in range(2, len(taken) + 3))) if n not in taken)


def _disk(error: OSError) -> str:
    return f"The files of the run could not be written or read ({error.strerror or error}); check the free space."
