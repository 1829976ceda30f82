"""The user's own protocol in the panel: picked or typed, judged by the rules, simulated and ranked."""

from __future__ import annotations

from html import escape
from typing import Any

from mewm.clinical import ClinicalFacts
from MeWMModuleLib.agents_table import AgentsTable
from MeWMModuleLib.own_rules import Verdict, is_sentence, judge
from MeWMModuleLib.request import why_not


class OwnSection:
    """Keeps table, text and verdict in step; the text in the parameter node is the truth."""

    def __init__(self, ui: Any, panel: Any) -> None:
        """Connect the widgets.

        Args:
            ui: the widgets of the panel by name.
            panel: the panel, for its ``controller``, ``review``, ``simulate`` and ``schedule``.
        """
        self.ui = ui
        self.panel = panel
        self.parameters: Any = None
        self._judged: tuple | None = None
        self.verdict = Verdict()
        self._agents = AgentsTable(ui.agentsTable, self._on_picked)
        # Text that was read and what the engine found in it; shown until the text changes.
        self._read: tuple[str, dict[str, Any]] | None = None
        ui.simulateButton.clicked.connect(lambda *_args: panel.simulate())
        ui.readButton.clicked.connect(self._on_read)
        ui.useReadButton.clicked.connect(self._on_use)

    def set_parameters(self, parameters: Any) -> None:
        """Follow another parameter node, or none while the scene is closed."""
        self.parameters = parameters
        self._judged = None
        if parameters is not None:
            self.refresh()

    def refresh(self) -> None:
        """Judge the text anew where it, the facts or the formulary changed, and say what stands in the way."""
        parameters = self.parameters
        facts = tuple(getattr(parameters, f"fact_{name}") for name in ClinicalFacts.__dataclass_fields__)
        key = (parameters.own_protocol, parameters.unavailable, facts)
        if key != self._judged:
            first, self._judged = self._judged is None, key
            self.verdict = judge(parameters.own_protocol, parameters)
            self._agents.show(self.verdict.protocol)
            if not first and parameters.override_rules and not self.verdict.excluded:
                parameters.override_rules = False
        self._show_read(parameters.own_protocol)
        said = verdict_html(self.verdict) if parameters.own_protocol.strip() else ""
        self.ui.violationsLabel.text = said
        self.ui.violationsLabel.visible = bool(said)
        self.ui.overrideCheckBox.visible = bool(self.verdict.excluded)
        reason = self.reason()
        self.ui.simulateButton.enabled = not reason
        self.ui.ownReasonLabel.text = reason
        self.ui.ownReasonLabel.visible = bool(reason)

    def reason(self) -> str:
        """Return why the protocol cannot be simulated now; empty if it can."""
        if self.panel.controller.busy:
            return "Wait until the engine is done, or cancel it."
        if self._read is not None:
            return "Confirm what was understood, or change the text."
        if self.verdict.problem:
            return self.verdict.problem
        if self.verdict.excluded and not self.parameters.override_rules:
            return "Rules forbid this protocol; change it, or tick that you override them."
        run = self.panel.review.run
        return "" if run is not None and run.complete and self.is_of_shown_case() else why_not(self.parameters)

    def is_of_shown_case(self) -> bool:
        """Whether the chosen CT is that of the run that is shown; facts and rules of the panel are then that case's.

        A protocol for another case is no row of that run.
        """
        run, ct = self.panel.review.run, self.parameters.ct
        return run is not None and (ct is None or run.ct is None or ct is run.ct)

    def finished(self, result: dict[str, Any]) -> None:
        """Show what the engine found in the text, for the user to confirm."""
        if self.parameters is not None:
            self._read = (self._asked, result)
            self.refresh()

    _asked = ""

    def _on_read(self, *_args: Any) -> None:
        if self.parameters is not None and not self.panel.controller.busy:
            self._asked = self.parameters.own_protocol
            self.panel.ask("read", {"text": self._asked})

    def _on_use(self, *_args: Any) -> None:
        if self.parameters is not None and self._read is not None:
            self.parameters.own_protocol = self._read[1]["protocol"]

    def _show_read(self, text: str) -> None:
        ui = self.ui
        if self._read is not None and self._read[0] != text:
            self._read = None
        ui.readButton.visible = is_sentence(text) and self._read is None
        ui.readButton.enabled = not self.panel.controller.busy
        ui.readLabel.visible = self._read is not None
        ui.readLabel.text = read_html(self._read[1]) if self._read is not None else ""
        ui.useReadButton.visible = self._read is not None and bool(self._read[1]["protocol"])

    def _on_picked(self, text: str) -> None:
        if self.parameters is not None:
            self.parameters.own_protocol = text


def read_html(result: dict[str, Any]) -> str:
    """Return what was found in a text: agents and doses, names that nobody knows as they stand there, what is open."""
    lines = [f"Understood: <b>{escape(result['protocol'])}</b>" if result["protocol"] else "No agent was understood."]
    for name in result["unknown"]:
        lines.append(
            f"<font color='#b06000'>\u26a0 {escape(name)}</font>: not in the action base, cannot be simulated."
        )
    told = tuple(f"{name} is not in the action base" for name in result["unknown"])
    lines += [escape(hint) for hint in result["hints"] if not (told and hint.startswith(told))]
    return "<br>".join(lines)


NO_RULE = (
    "No rule speaks against these agents. What is not stated under Clinical facts, and what is not asked for there "
    "(extensive bilobar tumour, an untreatable fistula, disease of heart or lung), is not checked."
)


def verdict_html(verdict: Verdict) -> str:
    """Return what the rules say, forbidding sentences first and in colour."""
    lines = [f"<font color='#b06000'>\u26a0 {escape(text)}</font>" for text in verdict.excluded]
    lines += [f"\u26a0 {escape(text)}" for text in verdict.warnings]
    lines += [escape(text) for text in verdict.notes]
    if not lines and verdict.protocol is not None and not verdict.problem:
        lines = [NO_RULE]
    return "<br>".join(lines)
