"""The ranking in the panel: one row a protocol, sortable by number, driven by mouse or keyboard."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import qt

from mewm.rows import spread_words

ID_ROLE = qt.Qt.UserRole + 1
# How the engine names the guideline policy where it took over.
IN_PLACE = "guideline (in place of"
_AMBER = (176, 96, 0)
_WIDTHS = {1: 210}


class RankingView:
    """Fills a ``QTableView`` and tells which protocols the user chose."""

    def __init__(self, view: Any, on_selected: Callable[[list[str]], None]) -> None:
        """Set the view up.

        Args:
            view: the ``QTableView``.
            on_selected: called with the identifiers of the selected protocols, the current one first, when the
                user selects.
        """
        self.view = view
        self._on_selected = on_selected
        self._filling = False
        self._rows: list[dict[str, Any]] = []
        # Identifier → words, value and tip of each cell, as shown.
        self._cells: dict[str, list[tuple[str, Any, str]]] = {}
        self.model = qt.QStandardItemModel()
        self.model.setColumnCount(len(COLUMNS))
        self.model.setHorizontalHeaderLabels([title for title, _words, _value, _tip in COLUMNS])
        self.model.sortRole = qt.Qt.UserRole
        for column, (_title, _words, _value, tip) in enumerate(COLUMNS):
            self.model.setHeaderData(column, qt.Qt.Horizontal, tip, qt.Qt.ToolTipRole)
        view.setModel(self.model)
        view.sortByColumn(0, qt.Qt.AscendingOrder)
        view.verticalHeader().hide()
        for column, width in _WIDTHS.items():
            view.setColumnWidth(column, width)
        # Kept, or Python forgets the connection.
        self._selection = view.selectionModel()
        self._selection.selectionChanged.connect(self._selection_changed)

    def show(self, rows: Sequence[dict[str, Any]], selected: Sequence[str]) -> None:
        """Show rows of the ranking and select some of them by identifier, the current one first."""
        if list(rows) != self._rows:
            self._rows = list(rows)
            self._fill()
        self.select(selected)

    def _fill(self) -> None:
        """Change what has changed: a search sends a row many times, and most cells stay as they are."""
        self._filling = True
        self.view.sortingEnabled = False
        wanted = {row["protocol_id"]: row for row in self._rows}
        for place in reversed(range(self.model.rowCount())):
            if self._id(place) not in wanted:
                self._cells.pop(self._id(place))
                self.model.removeRow(place)
        places = {self._id(place): place for place in range(self.model.rowCount())}
        fresh = len(places) < len(wanted)
        for identifier, row in wanted.items():
            if identifier not in places:
                places[identifier] = self.model.rowCount()
                self.model.setRowCount(places[identifier] + 1)
            self._show_row(places[identifier], row)
        self.view.sortingEnabled = True
        self._filling = False
        if fresh:
            for column in range(len(COLUMNS)):
                if column not in _WIDTHS:
                    self.view.resizeColumnToContents(column)
        self.view.resizeRowsToContents()

    def _show_row(self, place: int, row: dict[str, Any]) -> None:
        cells = [(words(row), value(row), _tip(row)) for _title, words, value, _meaning in COLUMNS]
        before = self._cells.get(row["protocol_id"])
        self._cells[row["protocol_id"]] = cells
        for column, cell in enumerate(cells):
            if before is None:
                self.model.setItem(place, column, _item(row, *cell))
            elif before[column] != cell:
                _set(self.model.item(place, column), row, *cell)

    def select(self, ids: Sequence[str]) -> None:
        """Select rows by identifier without telling anybody."""
        if self.selected() == list(ids):
            return
        self._filling = True
        places = {self._id(index): index for index in range(self.model.rowCount())}
        flags = qt.QItemSelectionModel.Select | qt.QItemSelectionModel.Rows
        self._selection.clearSelection()
        for number, identifier in enumerate(name for name in ids if name in places):
            index = self.model.index(places[identifier], 0)
            if number == 0:
                self._selection.setCurrentIndex(index, qt.QItemSelectionModel.NoUpdate)
                self.view.scrollTo(index)
            self._selection.select(index, flags)
        self._filling = False

    def selected(self) -> list[str]:
        """Return the identifiers of the selected protocols, the current one first, the others from the top down."""
        rows = sorted(index.row() for index in self._selection.selectedRows())
        current = self.view.currentIndex().row()
        rows.sort(key=lambda row: row != current)
        return [self._id(row) for row in rows]

    def _id(self, row: int) -> str:
        return str(self.model.item(row, 0).data(ID_ROLE))

    def _selection_changed(self, *_ranges: Any) -> None:
        if not self._filling:
            self._on_selected(self.selected())


def _item(row: dict[str, Any], words: str, value: Any, tip: str) -> Any:
    item = qt.QStandardItem(words)
    item.setData(row["protocol_id"], ID_ROLE)
    item.setEditable(False)
    _set(item, row, words, value, tip)
    return item


def _set(item: Any, row: dict[str, Any], words: str, value: Any, tip: str) -> None:
    item.setText(words)
    item.setData(value, qt.Qt.UserRole)
    item.setToolTip(tip)
    bold = qt.QFont()
    bold.setBold(True)
    # No font, no brush: the view's own.
    item.setData(bold if row["origin"] == "yours" else None, qt.Qt.FontRole)
    item.setData(qt.QBrush(qt.QColor(*_AMBER)) if row["violations"] else None, qt.Qt.ForegroundRole)


def _tip(row: dict[str, Any]) -> str:
    tip = str(row["protocol"])
    if row["violations"]:
        tip += f"\nBreaks rules: {row['violations']}"
    if row["origin"] == "yours":
        tip += "\nEntered by you."
    if (row.get("policy") or "").startswith(IN_PLACE):
        tip += f"\nProposed by: {row['policy']}"
    if not row["rank"]:
        tip += "\nA step on the way; not a whole protocol yet."
    return tip


def _number(key: str, pattern: str, factor: float = 1.0) -> tuple[Callable, Callable]:
    """Return how a number is written and by what it is sorted; what is not known comes last."""

    def words(row: dict[str, Any]) -> str:
        value = row.get(key)
        if value is None:
            return "–"
        # A value that rounds to nothing has no sign.
        shown = pattern.format(value * factor if abs(value * factor) >= 0.005 else 0.0)
        return "> curve" if math.isinf(value) else shown.replace("-", "\u2212")

    def value(row: dict[str, Any]) -> float:
        number = row.get(key)
        return 1e12 if number is None or math.isinf(number) else float(number)

    return words, value


def _risk(row: dict[str, Any]) -> str:
    return _number("risk", "{:.2f}")[0](row) + spread_words(row["risk_sd"])


def _protocol(row: dict[str, Any]) -> str:
    return f"\u26a0 {row['protocol']}" if row["violations"] else str(row["protocol"])


def _median(row: dict[str, Any]) -> str:
    # No median: the predicted curve stays above one half as long as it is known.
    return "not reached" if row["median_weeks"] is None else _number("median_weeks", "{:.0f} wk")[0](row)


def _origin(row: dict[str, Any]) -> str:
    if row["violations"] and row["origin"] == "yours":
        return f"{row['origin']}, rules overridden"
    policy = row.get("policy") or ""
    model = re.search(r"vision-language \(([^()]*)\)", policy)
    if model is None:
        return str(row["origin"])
    return f"{row['origin']}, {'rules instead of ' if policy.startswith(IN_PLACE) else ''}{model[1]}"


# Title, words of a row, value to sort by, meaning.
COLUMNS: tuple[tuple[str, Callable, Callable, str], ...] = (
    (
        "#",
        lambda row: str(row["rank"]) if row["rank"] else "–",
        lambda row: row["rank"] or 10**6,
        "1 is the lowest predicted risk",
    ),
    ("Protocol", _protocol, lambda row: row["protocol"], "Agents in the order given; yours are bold"),
    (
        "Risk ± spread",
        _risk,
        lambda row: row["risk"],
        "Log hazard relative to the mean simulated case, ± its spread over the simulated futures; lower is better",
    ),
    ("1 year", *_number("survival_1y", "{:.0f} %", 100), "Predicted share of patients alive after one year"),
    ("2 years", *_number("survival_2y", "{:.0f} %", 100), "Predicted share of patients alive after two years"),
    ("Median", _median, _number("median_weeks", "{:.0f}")[1], "Predicted median overall survival"),
    (
        "Volume",
        *_number("volume_change_percent", "{:+.0f} %"),
        "Change of the lesion's volume: viable tumour, necrosis and Lipiodol together",
    ),
    (
        "Viable",
        *_number("viable_fraction", "{:.0f} %", 100),
        "Viable tumour, as the chosen reader of tissue finds it, over the lesion after treatment",
    ),
    (
        "Lipiodol",
        *_number("lipiodol_coverage", "{:.0f} %", 100),
        "Lipiodol over the lesion before treatment, at most 100 %",
    ),
    (
        "Response",
        lambda row: str(row["response"]),
        lambda row: ("CR", "PR", "SD", "PD", "").index(row["response"]),
        "mRECIST-like: category of most simulated futures of this one lesion, in the phase of your CT; not of a "
        "follow-up scan",
    ),
    (
        "Origin",
        _origin,
        lambda row: row["origin"],
        "Found by the search or entered by you",
    ),
)
