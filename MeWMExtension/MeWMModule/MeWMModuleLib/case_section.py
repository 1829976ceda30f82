"""The inputs of the panel: CT, masks, clinical facts, formulary, advanced settings."""

from __future__ import annotations

from typing import Any

import qt

from mewm.actions.base import load_action_base
from MeWMModuleLib.bindings import FACT_CHOICES, PATHS, ComboBinding, PathBinding
from MeWMModuleLib.masks import likely_choice, mask_choices
from MeWMModuleLib.model_choices import model_choices
from MeWMModuleLib.nodes import SYNTHETIC_ATTRIBUTE, nodes_of_class
from MeWMModuleLib.policy_dialog import OFFLINE
from MeWMModuleLib.request import stated_facts, unavailable_of

_TUMOUR_WORDS = ("tumour", "tumor", "lesion", "hcc", "mass")
_LIVER_WORDS = ("liver", "hepat")
SECTIONS = ("caseCollapsibleButton", "factsCollapsibleButton", "formularyCollapsibleButton")


class CaseSection:
    """Keeps the input widgets and the parameter node in step."""

    def __init__(self, ui: Any, scene: Any, settings: Any) -> None:
        """Fill what has fixed choices and connect.

        Args:
            ui: the widgets of the panel by name.
            scene: the scene to choose nodes from.
            settings: :class:`MeWMModuleLib.machine_settings.MachineSettings`.
        """
        self.ui = ui
        self._scene = scene
        self.parameters: Any = None
        for selector in (ui.ctSelector, ui.tumourSelector, ui.liverSelector):
            selector.setMRMLScene(scene)
        self._masks = {
            "tumour": (ComboBinding(ui.tumourSegmentComboBox, "tumour_segment"), _TUMOUR_WORDS),
            "liver": (ComboBinding(ui.liverSegmentComboBox, "liver_segment"), _LIVER_WORDS),
        }
        self.policy = ComboBinding(ui.policyComboBox, "policy", OFFLINE)
        self.device = ComboBinding(ui.deviceComboBox, "device", [("auto", "automatic"), ("cpu", "processor (CPU)")])
        self._paths = [PathBinding(getattr(ui, widget), name, settings) for name, widget in PATHS.items()]
        self._combos = [
            *(ComboBinding(getattr(ui, widget), name, choices) for name, (widget, choices) in FACT_CHOICES.items()),
            *(ComboBinding(getattr(ui, f"{name}ComboBox"), name, known) for name, known in model_choices().items()),
            self.policy,
            self.device,
        ]
        self._agents = list(load_action_base().agents.values())
        self._filling = True
        for agent in self._agents:
            item = qt.QListWidgetItem(agent.name)
            item.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled)
            item.setCheckState(qt.Qt.Checked)
            ui.formularyListWidget.addItem(item)
        self._filling = False
        ui.formularyListWidget.itemChanged.connect(self._on_agent)

    def set_parameters(self, parameters: Any) -> None:
        """Follow another parameter node, or none while the scene is closed."""
        self.parameters = parameters
        for binding in (*self._combos, *(binding for binding, _words in self._masks.values())):
            binding.set_parameters(parameters)
        if parameters is not None:
            self.refresh()

    def refresh(self) -> None:
        """Show what the parameter node says, and choose the likely segment of a newly chosen segmentation."""
        for role, (segments, words) in self._masks.items():
            choices = mask_choices(getattr(self.parameters, role))
            segments.fill(choices)
            if getattr(self.parameters, segments.name) not in dict(choices):
                likely = likely_choice(choices, words)
                if likely != getattr(self.parameters, segments.name):
                    setattr(self.parameters, segments.name, likely)
            segments.refresh()
        for binding in self._combos:
            binding.refresh()
        self._show_formulary()
        count = len(stated_facts(self.parameters))
        # The section may be folded while facts of an earlier patient stand in it.
        self.ui.factsCollapsibleButton.text = f"Clinical facts ({f'{count} stated' if count else 'optional'})"

    def choose_only_ct(self) -> None:
        """Choose the CT where the scene has one volume that can be one, to save the user some clicks."""
        if self.parameters.ct is not None:
            return
        volumes = nodes_of_class(self._scene, "vtkMRMLScalarVolumeNode")
        # Label maps are scalar volumes too; simulated ones are no input.
        fitting = [
            n for n in volumes if not n.IsA("vtkMRMLLabelMapVolumeNode") and not n.GetAttribute(SYNTHETIC_ATTRIBUTE)
        ]
        if len(fitting) == 1:
            self.parameters.ct = fitting[0]

    def offer(self, devices: list[str]) -> None:
        """Offer what the engine says it has."""
        names = {"auto": "automatic", "cpu": "processor (CPU)"}
        self.device.fill([(value, names.get(value, value)) for value in devices])

    def set_enabled(self, enabled: bool) -> None:
        """Let the user change the inputs, or not while they are in use."""
        for name in SECTIONS:
            widget = getattr(self.ui, name)
            if widget.enabled != enabled:
                widget.enabled = enabled
        self.ui.advancedCollapsibleButton.enabled = enabled

    def _show_formulary(self) -> None:
        missing = set(unavailable_of(self.parameters))
        self._filling = True
        for row, agent in enumerate(self._agents):
            wanted = qt.Qt.Unchecked if agent.id in missing else qt.Qt.Checked
            item = self.ui.formularyListWidget.item(row)
            if item.checkState() != wanted:
                item.setCheckState(wanted)
        self._filling = False

    def _on_agent(self, _item: Any) -> None:
        if self._filling or self.parameters is None:
            return
        rows = self.ui.formularyListWidget
        missing = [a.id for row, a in enumerate(self._agents) if rows.item(row).checkState() == qt.Qt.Unchecked]
        self.parameters.unavailable = ",".join(missing)
