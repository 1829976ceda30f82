"""The results in the panel: ranking, side-by-side review, reasons; what is selected drives the views."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from mewm.errors import MewmError
from mewm.warning_words import is_severe, is_sourced, told
from MeWMModuleLib import appearance, review
from MeWMModuleLib.bindings import ComboBinding
from MeWMModuleLib.borrowed_views import BorrowedViews
from MeWMModuleLib.layouts import MOST
from MeWMModuleLib.live_run import Future, LiveRun, runs_in
from MeWMModuleLib.ranking_view import RankingView
from MeWMModuleLib.surfaces import has_surfaces, surface_steps
from MeWMModuleLib.why import why_html

_WINDOW_BUTTONS = {"abdomenButton": "Abdomen", "liverButton": "Liver", "lipiodolButton": "Lipiodol"}
_TISSUE_BOXES = {"viableCheckBox": 2, "necrosisCheckBox": 3, "lipiodolCheckBox": 4}


class ReviewSection:
    """Shows one run of the scene, and of it what is selected."""

    def __init__(self, ui: Any, scene: Any, panel: Any) -> None:
        """Connect the widgets.

        Args:
            ui: the widgets of the panel by name.
            scene: the scene.
            panel: the panel, for its ``controller``, ``tell`` and ``schedule``.
        """
        self.ui = ui
        self.scene = scene
        self.panel = panel
        self.parameters: Any = None
        self.shown: list[Future] = []
        self.stale = False
        self._centre = self._arrange = True
        # Protocols that the user selected and whose volumes have not been asked for since.
        self._to_fetch: set[str] = set()
        self._live: LiveRun | None = None
        self._look: review.Look | None = None
        self._shown_for: tuple[str, tuple[str, ...]] | None = None
        self._why_for: tuple[str, str] | None = None
        self._search: tuple[str, dict[str, Any]] = ("", {})
        self._surfaces: Any = None
        self._views = BorrowedViews(scene)
        self._runs = ComboBinding(ui.runComboBox, "run")
        self.ranking = RankingView(ui.rankingView, self._on_selected)
        ui.removeRunButton.clicked.connect(self._on_remove)
        ui.centreButton.clicked.connect(self._on_centre)
        ui.wholeVolumeButton.clicked.connect(self._on_whole)
        for name, preset in _WINDOW_BUTTONS.items():
            getattr(ui, name).clicked.connect(lambda *_args, preset=preset: self._on_window(preset))
        for name, label in _TISSUE_BOXES.items():
            red, green, blue = (round(255 * part) for part in appearance.TISSUES[label][1])
            box = getattr(ui, name)
            box.styleSheet = f"QCheckBox {{ border-left: 10px solid rgb({red},{green},{blue}); padding-left: 4px; }}"
        ui.legendLabel.text = legend_html()

    @property
    def run(self) -> LiveRun | None:
        """The run that is reviewed, if it is in the scene."""
        name = self.parameters.run if self.parameters is not None else ""
        if not name:
            return None
        if self._live is None or self._live.identifier != name:
            self._live = LiveRun(self.scene, name)
        return self._live if self._live.table is not None else None

    @property
    def selected(self) -> list[str]:
        """Identifiers of the selected protocols, the chosen one first."""
        return [part for part in self.parameters.selected.split(",") if part] if self.parameters is not None else []

    @property
    def chosen(self) -> dict[str, Any] | None:
        """Row of the chosen protocol."""
        run, selected = self.run, self.selected
        return run.row(selected[0]) if run is not None and selected else None

    def set_parameters(self, parameters: Any) -> None:
        """Follow another parameter node, or none while the scene is closed."""
        self.parameters = parameters
        self.shown, self._look, self._shown_for, self._why_for = [], None, None, None
        self._runs.set_parameters(parameters)
        # A scene with a run in it was saved with its slices where the user had left them.
        self._centre = self.run is None
        if parameters is not None:
            self.show_rows()
            self.refresh()

    def show_rows(self) -> None:
        """Show the ranking as it stands."""
        run, self.stale = self.run, False
        self.ranking.show(run.rows() if run is not None else [], self.selected)

    def refresh(self) -> None:
        """Show what the parameter node says: run, selection, look."""
        known = runs_in(self.scene)
        self._runs.fill([(each.identifier, each.identifier) for each in known])
        if known and self.run is None:
            self.parameters.run = known[-1].identifier
        self._runs.refresh()
        run = self.run
        # While a run fills in, nothing of an earlier one is left in the list.
        wanted = (run.identifier if run is not None else "", tuple(self.selected))
        if self.stale or self._shown_for is None or wanted[0] != self._shown_for[0]:
            self.show_rows()
        if wanted != self._shown_for and self.panel.entered:
            self._shown_for = wanted
            self.ranking.select(self.selected)
            self.show_selected(centre=self._centre and not self.shown)
        look = self._wanted_look()
        if run is not None and self.shown and look != self._look and self.panel.entered:
            self._look = look
            review.draw(run, self.shown, look)
        self.ui.legendLabel.visible = bool(self.parameters.show_difference)
        self._enable(run)
        self._explain()

    def show_selected(self, centre: bool = False) -> None:
        """Bring the selected futures into the views; one without volumes is asked from the engine."""
        run, ids = self.run, self.selected
        self._why_for = None
        if run is None:
            self.shown = []
            return
        if run.complete and not self.panel.controller.busy:
            wanted = (key for key in ids[:MOST] if key in self._to_fetch and run.future(key) is None and run.row(key))
            missing = next(wanted, None)
            if missing is not None:
                # Once a click: what failed, was cancelled or deleted is not asked for again by itself.
                self._to_fetch.discard(missing)
                self.panel.fetch_volumes(run, missing)
        self._look = self._wanted_look()
        self._views.remember()
        before, arrange, self._arrange = len(self.shown), self._arrange, False
        self.shown = review.show(run, ids[:MOST], self._look, centre=centre, before=before, arrange=arrange)
        if ids and not self.shown and run.ct is not None:
            review.clear(run)
        review.same_window(run, self.shown)
        self._make_surfaces()

    def _make_surfaces(self) -> None:
        """Give the chosen future its surfaces for the 3D view, bit by bit, as long as it stays the chosen one."""
        if not self.shown or has_surfaces(self.shown[0].tissue):
            return
        tissue = self.shown[0].tissue
        steps = surface_steps(tissue)

        def step() -> None:
            wanted = self.shown and self.shown[0].tissue is tissue and self._surfaces is steps
            if wanted and self.scene.IsNodePresent(tissue) and next(steps, self) is not self:
                self.panel.later(step)

        self._surfaces = steps
        self.panel.later(step)

    def select(self, ids: list[str]) -> None:
        """Select protocols as if the user had."""
        self._on_selected(ids)

    def begin_run(self) -> None:
        """Show the next future as the first of a run, with the views centred on its lesion."""
        self.shown, self._centre, self._arrange = [], True, True

    def forget(self) -> None:
        """Show afresh at the next refresh: volumes came or went."""
        self._shown_for = None

    def give_views_back(self) -> None:
        """Put layout and slice views back as they were before the first future was shown."""
        self.shown = []
        self._views.give_back()

    def fetch_no_more(self) -> None:
        """Ask for no volumes until the user selects anew."""
        self._to_fetch.clear()

    def forget_missing(self) -> None:
        """Show afresh at the next refresh if something that is shown was removed from the scene."""
        nodes = [node for future in self.shown for node in (future.simulated, future.difference, future.tissue)]
        without_ct = bool(nodes) and (self.run is None or self.run.ct is None)
        if without_ct or not all(self.scene.IsNodePresent(node) for node in nodes):
            self.begin_run()
            self.forget()

    def _wanted_look(self) -> review.Look:
        parameters = self.parameters
        outlines = {
            name
            for name, on in (
                (review.VIABLE, parameters.show_viable),
                (review.NECROSIS, parameters.show_necrosis),
                (review.OIL, parameters.show_lipiodol),
            )
            if on
        }
        return review.Look(parameters.fade / 100, parameters.show_difference, frozenset(outlines))

    def _enable(self, run: LiveRun | None) -> None:
        ui = self.ui
        ui.reviewCollapsibleButton.enabled = bool(self.shown)
        # Some hundred megabytes are copied at once.
        ui.wholeVolumeButton.enabled = not self.panel.controller.busy
        ui.removeRunButton.enabled = run is not None and not self.panel.controller.busy
        ui.selectionLabel.text = self._selection_words(run)
        ui.selectionLabel.visible = bool(ui.selectionLabel.text)
        lines = run.notice().splitlines()[2:] if run is not None else []
        ui.warningsLabel.text = warnings_html(lines)
        ui.warningsLabel.toolTip = "\n\n".join(line for line in lines if is_sourced(line))
        ui.warningsLabel.visible = bool(lines)
        ui.outlookLabel.text = run.outlook() if run is not None else ""
        ui.outlookLabel.visible = bool(ui.outlookLabel.text)

    def _selection_words(self, run: LiveRun | None) -> str:
        """Return what is selected, and why some of it is not seen."""
        ids = self.selected
        if run is None:
            return "No protocols yet. Explore a case, or load a finished run."
        if not ids:
            return "Select a row to see its future; select up to four to compare them."
        if run.ct is None:
            return "The CT before treatment is no longer in the scene, so no future can be shown."
        words = f"{len(ids)} protocols are compared." if len(ids) > 1 else ""
        if len(ids) > MOST:
            words = f"{len(ids)} protocols are selected; the first {MOST} are compared."
        missing = len(ids[:MOST]) - len(self.shown)
        if missing and self.panel.entered:
            of = f"{missing} of them" if len(ids) > 1 else "this protocol"
            later = "" if self.panel.controller.busy else " To have it simulated, select another row, then this again."
            words = f"{words} The simulated CT of {of} is not there yet.{later}".strip()
        return words

    def _explain(self) -> None:
        run, row = self.run, self.chosen
        key = (run.identifier, row["protocol_id"]) if run is not None and row is not None else ("", "")
        if key == self._why_for:
            return
        self._why_for = key
        if run is None or row is None:
            self.ui.whyBrowser.setHtml("Select a protocol to see how the search came to it.")
            return
        if self._search[0] != run.identifier or not self._search[1]:
            self._search = (run.identifier, run.search())
        self.ui.whyBrowser.setHtml(why_html(row, self._search[1]))

    def _on_selected(self, ids: list[str]) -> None:
        if self.parameters is not None:
            self.parameters.selected = ",".join(ids)
            self._to_fetch, self._arrange = set(ids), True
            self.forget()
            self.refresh()
            self.panel.schedule()

    def _on_remove(self, *_args: Any) -> None:
        run = self.run
        if run is None or self.panel.controller.busy:
            return
        name = run.identifier
        run.remove()
        self.parameters.selected = ""
        self.parameters.run = ""
        if not runs_in(self.scene):
            self.panel.hidden_inputs.show_again()
            self.give_views_back()
        self.forget()
        self.panel.tell(f"{name} was removed from the scene; its folder on disk stays, and Load… brings it back.")
        self.panel.schedule()

    def _on_centre(self, *_args: Any) -> None:
        self.show_selected(centre=True)

    def _on_whole(self, *_args: Any) -> None:
        run = self.run
        if run is None or not self.shown:
            return
        try:
            node = run.add_whole_volume(self.shown[0])
        except MewmError as error:
            self.panel.tell(str(error), error=True)
            return
        self.panel.tell(f"{node.GetName()} is in the scene, in the folder of the run.")

    def _on_window(self, preset: str) -> None:
        run = self.run
        if run is not None and run.ct is not None:
            review.set_window(run, self.shown, *appearance.WINDOWS[preset])


def legend_html() -> str:
    """Return the colours of the difference as a small table that every Qt can draw."""
    half = appearance.DIFFERENCE_WINDOW / 2
    steps = [-half, -half / 2, -half / 4, 0.0, half / 4, half / 2, half]
    cells = []
    for hu in steps:
        red, green, blue, opacity = appearance.difference_colour(hu)
        colour = f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}" if opacity else "#808080"
        cells.append(f'<td bgcolor="{colour}" width="34">&nbsp;</td>')
    numbers = [f"{hu:+.0f}".replace("-", "\u2212") if hu else "0" for hu in steps]
    words = [f"<td align='center'><small>{number}</small></td>" for number in numbers]
    noise = f"<small>Change in HU; within ±{appearance.DIFFERENCE_NOISE:.0f} HU nothing is coloured.</small>"
    return f"<table cellspacing='1'><tr>{''.join(cells)}</tr><tr>{''.join(words)}</tr></table>{noise}"


# A finding of the rules: the sentence, then in brackets what it rests on.


def warnings_html(lines: Sequence[str]) -> str:
    """Return the warnings of a run, contraindications first; the sources stay in the tool tip and in the export."""
    parts = [
        f"<font color='#b00020'><b>\u26a0 {escape(text)}</b></font>" if is_severe(text) else f"\u26a0 {escape(text)}"
        for text in told(lines)
    ]
    sources = "<br><small>Point here to see the sources.</small>" if any(map(is_sourced, lines)) else ""
    return "<br>".join(parts) + sources
