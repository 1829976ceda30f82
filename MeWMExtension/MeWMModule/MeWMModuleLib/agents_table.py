"""The table in which the user picks agents, doses and particle sizes for a protocol of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

from mewm.actions.base import load_action_base
from mewm.actions.protocol import Protocol
from MeWMModuleLib.own_rules import picked_text, size_text, usual_amounts

_AGENT, _DOSE, _UNIT, _SIZE = range(4)


class AgentsTable:
    """One row an agent: tick, dose, unit, size. The text of the protocol is the truth; this follows and edits it."""

    def __init__(self, table: Any, on_text: Callable[[str], None]) -> None:
        """Fill the table.

        Args:
            table: a ``QTableWidget``.
            on_text: called with the text of the protocol when the user changes the table.
        """
        self.table = table
        self._on_text = on_text
        self._filling = True
        self._ids = list(load_action_base().agents)
        table.columnCount = 4
        table.rowCount = len(self._ids)
        table.setHorizontalHeaderLabels(["Agent", "Dose", "Unit", "Size (µm)"])
        for row, identifier in enumerate(self._ids):
            agent = load_action_base().agents[identifier]
            name = qt.QTableWidgetItem(agent.name)
            name.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
            name.setCheckState(qt.Qt.Unchecked)
            name.setToolTip("\n".join(f"{caution.message} ({caution.source})" for caution in agent.cautions))
            table.setItem(row, _AGENT, name)
            table.setItem(row, _DOSE, qt.QTableWidgetItem(""))
            unit = qt.QTableWidgetItem(agent.unit or "")
            unit.setFlags(qt.Qt.ItemIsEnabled)
            table.setItem(row, _UNIT, unit)
            size = qt.QTableWidgetItem("")
            if agent.size_range_um is None:
                size.setFlags(qt.Qt.ItemIsEnabled)
            table.setItem(row, _SIZE, size)
        table.resizeColumnsToContents()
        self._filling = False
        table.itemChanged.connect(self._changed)

    def show(self, protocol: Protocol | None) -> None:
        """Tick what a protocol holds; nothing where there is none."""
        wanted = {action.agent: action for action in protocol.actions} if protocol is not None else {}
        self._filling = True
        for row, identifier in enumerate(self._ids):
            action = wanted.get(identifier)
            self.table.item(row, _AGENT).setCheckState(qt.Qt.Checked if action else qt.Qt.Unchecked)
            dose = f"{action.dose:g}" if action and action.dose is not None else ""
            self.table.item(row, _DOSE).setText(dose)
            self.table.item(row, _SIZE).setText(size_text(action.size_um) if action else "")
        self._filling = False

    def _changed(self, item: Any) -> None:
        if self._filling:
            return
        row = item.row()
        agent = self.table.item(row, _AGENT)
        ticked = agent.checkState() == qt.Qt.Checked
        self._filling = True
        if item.column() == _AGENT and ticked:
            dose, size = usual_amounts(self._ids[row])
            self.table.item(row, _DOSE).setText(dose)
            self.table.item(row, _SIZE).setText(size)
        elif item.column() != _AGENT and not ticked:
            agent.setCheckState(qt.Qt.Checked)
        self._filling = False
        self._on_text(picked_text(self._picks()))

    def _picks(self) -> list[tuple[str, str, str]]:
        item = self.table.item
        return [
            (identifier, item(row, _DOSE).text(), item(row, _SIZE).text())
            for row, identifier in enumerate(self._ids)
            if item(row, _AGENT).checkState() == qt.Qt.Checked
        ]
