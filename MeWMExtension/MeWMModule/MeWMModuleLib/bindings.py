"""Widgets that Slicer's parameter node cannot bind by itself: combo boxes with labels, path edits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NOT_STATED = ("", "not stated")

# Parameter → widget and (value, label) in the order to show.
FACT_CHOICES: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "fact_bclc": ("bclcComboBox", (NOT_STATED, *((stage, stage) for stage in ("0", "A", "B", "C", "D")))),
    "fact_ecog": ("ecogComboBox", (NOT_STATED, *((str(value), str(value)) for value in range(5)))),
    "fact_portal_vein_thrombosis": (
        "portalVeinComboBox",
        (
            NOT_STATED,
            ("none", "none"),
            ("branch", "branch"),
            ("main", "main trunk, with collaterals"),
            ("main_without_collaterals", "main trunk, without collaterals"),
        ),
    ),
    "fact_arteriovenous_shunt": (
        "shuntComboBox",
        (NOT_STATED, ("none", "none"), ("mild", "mild"), ("severe", "severe")),
    ),
    "fact_ascites": (
        "ascitesComboBox",
        (NOT_STATED, ("none", "none"), ("mild", "mild"), ("refractory", "refractory")),
    ),
    "fact_sex": ("sexComboBox", (NOT_STATED, ("female", "female"), ("male", "male"))),
}
PATHS = {"engine_python": "enginePythonPathLineEdit", "runs_folder": "runsFolderPathLineEdit"}


class ComboBinding:
    """A combo box that shows labels and stands for values of one parameter."""

    def __init__(self, combo: Any, name: str, choices: Sequence[tuple[str, str]] = ()) -> None:
        """Fill the combo box.

        Args:
            combo: the widget.
            name: the parameter.
            choices: value and label of each item.
        """
        self.combo = combo
        self.name = name
        self._parameters: Any = None
        self._choices: list[tuple[str, str]] = []
        self._writing = False
        self.fill(choices)
        combo.currentIndexChanged.connect(self._on_changed)

    def fill(self, choices: Sequence[tuple[str, str]]) -> None:
        """Replace the items; the parameter keeps its value."""
        if list(choices) == self._choices:
            return
        self._choices = list(choices)
        self._writing = True
        self.combo.clear()
        for _value, label in self._choices:
            self.combo.addItem(label)
        self._writing = False
        self.refresh()

    def set_parameters(self, parameters: Any) -> None:
        """Follow another parameter node, or none."""
        self._parameters = parameters
        self.refresh()

    def refresh(self) -> None:
        """Show the parameter's value; one that is not among the choices shows as nothing."""
        if self._parameters is None:
            return
        value = getattr(self._parameters, self.name)
        index = next((n for n, (known, _label) in enumerate(self._choices) if known == value), -1)
        if self.combo.currentIndex != index:
            self._writing = True
            self.combo.currentIndex = index
            self._writing = False

    def _on_changed(self, *_args: Any) -> None:
        index = self.combo.currentIndex
        if not self._writing and self._parameters is not None and 0 <= index < len(self._choices):
            setattr(self._parameters, self.name, self._choices[index][0])


class PathBinding:
    """A path edit whose empty text means the default."""

    def __init__(self, edit: Any, name: str, settings: Any) -> None:
        """Show the setting of that name and connect the widget to it.

        Args:
            edit: the widget.
            name: attribute of ``settings``.
            settings: :class:`MeWMModuleLib.machine_settings.MachineSettings`.
        """
        self.edit = edit
        self.name = name
        self.settings = settings
        edit.currentPath = getattr(settings, name)
        edit.currentPathChanged.connect(self._on_changed)
        # ctkPathLineEdit takes an empty path for invalid and tells of it in this way only.
        edit.validInputChanged.connect(self._on_changed)

    def _on_changed(self, *_args: Any) -> None:
        if self.edit.currentPath != getattr(self.settings, self.name):
            setattr(self.settings, self.name, self.edit.currentPath)
