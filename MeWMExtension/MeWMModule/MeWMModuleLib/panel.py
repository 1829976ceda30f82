"""The panel: wires the sections, the parameter node and the engine; decides nothing about medicine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt

from mewm.errors import MewmError
from MeWMModuleLib.case_section import CaseSection
from MeWMModuleLib.export_section import ExportSection
from MeWMModuleLib.finished_run import load_finished_run
from MeWMModuleLib.following import Following
from MeWMModuleLib.hidden_inputs import HiddenInputs
from MeWMModuleLib.jobs import ASKING, Listener
from MeWMModuleLib.live_run import LiveRun
from MeWMModuleLib.machine_settings import MachineSettings
from MeWMModuleLib.model_choices import needs_pytorch
from MeWMModuleLib.own_section import OwnSection
from MeWMModuleLib.policy_dialog import PolicyDialog, policy_choices
from MeWMModuleLib.progress_view import show_progress
from MeWMModuleLib.request import why_not
from MeWMModuleLib.result_words import described, done_words
from MeWMModuleLib.review_section import ReviewSection
from MeWMModuleLib.run_controller import RunController
from MeWMModuleLib.sample_case import SampleCase

_WAIT_MS = 0


class Panel:
    """What the radiologist sees of MeWM; one for the life of the module's widget."""

    def __init__(
        self,
        ui: Any,
        scene: Any,
        engine: Any,
        dependencies: Any,
        settings: MachineSettings,
        default_folder: Callable[[], Path],
    ) -> None:
        """Connect everything; nothing is started.

        Args:
            ui: the widgets of ``MeWMModule.ui`` by name.
            scene: the scene.
            engine: :class:`MeWMModuleLib.engine.Engine`, or what stands in for it.
            dependencies: :class:`MeWMModuleLib.dependencies.Dependencies`, or what stands in for it.
            settings: paths of this machine.
            default_folder: where runs go unless the user chose a folder.
        """
        self._engine = engine
        self._dependencies = dependencies
        self.settings = settings
        self._python = settings.engine_python
        self.ui = ui
        self.scene = scene
        self.parameters: Any = None
        self._default_folder = default_folder
        self._gui_tag: Any = None
        self._observed: tuple[Any, int] | None = None
        self._scheduled = False
        self._was_busy = False
        self._sample = SampleCase(scene)
        self.hidden_inputs = HiddenInputs(scene)
        # Whether the user is in the module: the views are another module's otherwise.
        self.entered = True
        self._open = True
        self.policy_dialog: PolicyDialog | None = None
        self.controller = RunController(scene, engine, self.later)
        self.case = CaseSection(ui, scene, settings)
        self.review = ReviewSection(ui, scene, self)
        self.following = Following(self.review, self.hidden_inputs)
        self.own = OwnSection(ui, self)
        self.export = ExportSection(ui, self)
        self.controller.listener = Listener(
            changed=self._on_changed,
            rows=self._on_rows,
            future=self._on_future,
            finished=self._on_finished,
            failed=self._on_failed,
            confirm=self._on_confirm,
        )
        ui.exploreButton.clicked.connect(self._on_explore)
        ui.loadRunButton.clicked.connect(self._on_load_run)
        ui.sampleButton.clicked.connect(self._on_sample)
        ui.setUpButton.clicked.connect(lambda *_args: self.ask("describe", {}))
        ui.statusLabel.visible = False
        self._offer_policies()

    def set_parameters(self, parameters: Any) -> None:
        """Bind the widgets to a parameter node, or to none while the scene is closed."""
        if self.parameters is not None:
            self.parameters.disconnectGui(self._gui_tag)
            node, tag = self._observed or (None, 0)
            if node is not None:
                node.RemoveObserver(tag)
            self._observed = None
        self.parameters = parameters
        self.export.forget_patient()
        for section in (self.case, self.review, self.own):
            section.set_parameters(parameters)
        if parameters is not None:
            self._gui_tag = parameters.connectGui(self.ui)
            tag = parameters.AddObserver("ModifiedEvent", lambda *_args: self.schedule())
            self._observed = (parameters.parameterNode, tag)
            self.case.choose_only_ct()
            self.refresh()

    def explore(self) -> None:
        """Start a search for the chosen case."""
        reason = why_not(self.parameters)
        if reason or self.controller.busy:
            self.tell(reason, error=True)
            return
        self._begin(lambda: self.controller.explore(self.parameters, self.runs_folder()))

    def simulate(self) -> None:
        """Simulate the user's own protocol and rank it in the run that is shown, or in one of its own."""
        if self.own.reason():
            return
        run = self.review.run
        use = run if run is not None and run.complete and self.own.is_of_shown_case() else None
        self._begin(lambda: self.controller.simulate(self.parameters, self.runs_folder(), use))

    def fetch_volumes(self, run: LiveRun, protocol_id: str) -> None:
        """Have the engine simulate a ranked protocol again whose volumes were not kept."""
        self._begin(lambda: self.controller.fetch_volumes(run, protocol_id))

    def ask(self, kind: str, params: dict[str, Any]) -> None:
        """Ask the engine for something that leaves the scene alone."""
        self._begin(lambda: self.controller.ask(kind, params), computes=kind == "describe")

    def runs_folder(self) -> Path:
        """Return the folder that holds the runs."""
        return Path(self.settings.runs_folder) if self.settings.runs_folder else self._default_folder()

    def tell(self, sentence: str, error: bool = False) -> None:
        """Show one sentence under the button; errors stand out."""
        label = self.ui.statusLabel
        label.text = sentence
        label.styleSheet = "color: #b00020; font-weight: bold" if error else ""
        label.visible = bool(sentence)

    def schedule(self) -> None:
        """Refresh soon; many changes at once cost one refresh."""
        if not self._scheduled:
            self._scheduled = True
            self.later(self._refresh_scheduled)

    def refresh(self) -> None:
        """Show the parameter node and the state of the engine."""
        if self.parameters is None:
            return
        if self._sample.take_facts_back(self.parameters):
            self.tell("The clinical facts of the sample were taken back; state those of this patient.")
        self.case.refresh()
        self.review.refresh()
        self.own.refresh()
        self.export.refresh()
        self._show_state()

    def nodes_changed(self) -> None:
        """Take notice that a node was removed from the scene."""
        self.controller.check_nodes()
        # Somebody else's node must not bring the views back to the review.
        self.review.forget_missing()
        self.schedule()

    def scene_closing(self) -> None:
        """Stop what runs and let go of the scene's nodes."""
        # What was told of the scene that goes does not hold for the next.
        self.tell("")
        self.controller.scene_closing()
        self.hidden_inputs.forget()
        self.review.give_views_back()
        self.set_parameters(None)

    def close(self) -> None:
        """Stop everything: the module is reloaded or the application quits."""
        self._open = False
        self._close_dialog()
        self.controller.close()
        self._sample.remove_folder()
        self.set_parameters(None)

    def _begin(self, start: Callable[[], None], computes: bool = True) -> None:
        self.tell("")
        try:
            learned = computes and needs_pytorch(self.parameters)
            self._dependencies.ensure(self.settings.engine_python, learned)
            if self.settings.engine_python != self._python:
                self._python = self.settings.engine_python
                self._engine.restart()
            start()
        except (MewmError, OSError) as error:
            self.tell(str(error), error=True)

    def _show_state(self) -> None:
        busy = self.controller.busy
        show_progress(self.ui, self.controller, "" if busy else why_not(self.parameters))
        self.case.set_enabled(not busy)

    def _on_explore(self, *_args: Any) -> None:
        if self.controller.busy:
            self.controller.cancel()
        else:
            self.explore()

    def _on_load_run(self, *_args: Any) -> None:
        folder = qt.QFileDialog.getExistingDirectory(
            None, "Folder of a finished run (it holds manifest.json)", str(self.runs_folder())
        )
        if folder:
            self.load_run(folder)

    def load_run(self, folder: str) -> None:
        """Load a finished run from its folder and review it."""
        qt.QApplication.setOverrideCursor(qt.Qt.WaitCursor)
        try:
            run = load_finished_run(self.scene, folder)
        except MewmError as error:
            self.tell(str(error), error=True)
            return
        finally:
            qt.QApplication.restoreOverrideCursor()
        self.show_run(run.identifier)
        self.tell(f"{len(run.futures())} simulated protocols loaded for {run.case_name}.")

    def _on_sample(self, *_args: Any) -> None:
        # The folder is made when nothing else is missing.
        self._begin(lambda: self.controller.ask("sample", {"folder": self._sample.new_folder()}), computes=False)

    def _take_sample(self, result: Any) -> None:
        try:
            self._sample.load(result, self.parameters)
        except MewmError as error:
            self.tell(str(error), error=True)
            return
        self.tell("A simulated patient is loaded. Press Explore.")

    def show_run(self, identifier: str) -> None:
        """Review a run of the scene, its best protocol first."""
        run = LiveRun(self.scene, identifier)
        self.parameters.run = identifier
        rows = [row for row in run.rows() if run.future(row["protocol_id"]) is not None]
        self.parameters.selected = rows[0]["protocol_id"] if rows else ""
        self.review.forget()
        self.review.begin_run()
        self.review.show_rows()
        self.refresh()

    def _offer_policies(self) -> None:
        try:
            self.case.policy.fill(policy_choices())
        except MewmError as error:
            self.tell(str(error), error=True)

    def _on_confirm(self, payload: Any, answer: Callable[[bool], None]) -> None:
        self.policy_dialog = PolicyDialog(self.ui.exploreButton.window(), payload, answer)

    def _close_dialog(self) -> None:
        dialog, self.policy_dialog = self.policy_dialog, None
        if dialog is not None:
            dialog.close()

    def _on_changed(self) -> None:
        if self.controller.state != ASKING:
            self._close_dialog()
        if self.parameters is None:
            return
        self._show_state()
        if self.controller.busy != self._was_busy:
            self._was_busy = self.controller.busy
            self.own.refresh()
            self.export.refresh()

    def _on_rows(self, run: LiveRun) -> None:
        if self.parameters is None:
            return
        if self.parameters.run != run.identifier:
            self.following.begin(run)
        self.review.stale = True
        self.schedule()

    def _on_future(self, run: LiveRun, protocol_id: str) -> None:
        """Show the newest future until the user chooses one."""
        if self.parameters is None:
            return
        if self.parameters.run != run.identifier:
            self.following.begin(run)
        self.review.forget()
        self.following.came(protocol_id)
        self.schedule()

    def _on_finished(self, kind: str, run: LiveRun | None, result: Any) -> None:
        if self.parameters is None:
            return
        if kind in ("explore", "simulate", "volumes") and run is not None:
            self.review.forget()
            wanted = result.get("protocol_id") or result["rows"][0]["protocol_id"]
            known = {row["protocol_id"] for row in result["rows"]}
            if kind == "simulate" or not self.following.user_chose() or not known.issuperset(self.review.selected):
                self.following.select(wanted)
            self.review.stale = True
            self.tell(done_words(kind, result))
        elif kind == "sample":
            self._take_sample(result)
        elif kind == "describe":
            self._offer_policies()
            self.case.offer(result["devices"])
            self.tell(described(result))
        elif kind == "read":
            self.own.finished(result)
        else:
            self.export.finished(kind, result)
        self.following.end()
        self.schedule()

    def _on_failed(self, sentence: str, wanted: bool) -> None:
        if self.parameters is not None:
            self.following.go_back()
            self.review.fetch_no_more()
            self.schedule()
        self._sample.remove_folder()
        self.tell(sentence, error=not wanted)

    def _refresh_scheduled(self) -> None:
        self._scheduled = False
        self.refresh()

    def later(self, action: Callable[[], None]) -> None:
        """Call something soon, from the event loop, unless the panel is gone by then."""
        qt.QTimer.singleShot(_WAIT_MS, lambda: action() if self._open else None)
