"""Export of the chosen protocol, by the engine, into a folder or zip."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import qt


class ExportSection:
    """Asks where to, and says what was written."""

    def __init__(self, ui: Any, panel: Any) -> None:
        """Connect the widgets.

        Args:
            ui: the widgets of the panel by name.
            panel: the panel, for its ``controller``, ``review``, ``ask`` and ``tell``.
        """
        self.ui = ui
        self.panel = panel
        self._patient_of: tuple[str, str] = ("", "")
        ui.exportFolderButton.clicked.connect(self._on_folder)
        ui.exportZipButton.clicked.connect(self._on_zip)

    def refresh(self) -> None:
        """Say what would be exported, or why nothing can be."""
        run, ct = self.panel.review.run, self.panel.parameters.ct
        case = (run.identifier if run is not None else "", ct.GetID() if ct is not None else "")
        if case != self._patient_of:
            self._patient_of = case
            self.forget_patient()
        reason = self.reason()
        row = self.panel.review.chosen
        marked = " It breaks rules; the export says so." if row is not None and row["violations"] else ""
        self.ui.exportLabel.text = (
            f"{row['protocol']}: numbers, pictures, provenance and a page to read.{marked}" if row is not None else ""
        )
        self.ui.exportLabel.visible = row is not None
        self.ui.exportFolderButton.enabled = self.ui.exportZipButton.enabled = not reason
        self.ui.exportReasonLabel.text = reason
        self.ui.exportReasonLabel.visible = bool(reason)

    def forget_patient(self) -> None:
        """Clear the patient's name: it must not head the page of the next patient."""
        self.ui.patientNameLineEdit.text = ""

    def reason(self) -> str:
        """Return why nothing can be exported now; empty if it can."""
        run = self.panel.review.run
        if self.panel.controller.busy:
            return "Wait until the engine is done, or cancel it."
        if run is None or self.panel.review.chosen is None:
            return "Select a protocol in the table first."
        if not run.complete:
            return "The run is not complete; explore the case again."
        if not (Path(run.path) / "manifest.json").is_file():
            return f"The folder of the run, {run.path}, is gone; explore the case again."
        return ""

    def export(self, out: Path) -> None:
        """Export the chosen protocol to ``out``, a folder to be made or a file that ends in ``.zip``."""
        run, row = self.panel.review.run, self.panel.review.chosen
        params = {"run": run.path, "protocol_id": row["protocol_id"], "out": str(out)}
        name = self.ui.patientNameLineEdit.text.strip()
        self.panel.ask("export", params | ({"patient_name": name} if name else {}))

    def finished(self, kind: str, result: Any) -> None:
        """Tell where the export lies."""
        if kind == "export":
            self.forget_patient()
            told = [_written(result), *result["missing"]]
            if result["missing"] and not self.panel.settings.engine_python.strip():
                told.append("In its own Python, Slicer offers to install it at the first run after a restart.")
            self.panel.tell(" ".join(told))

    def _on_folder(self, *_args: Any) -> None:
        parent = qt.QFileDialog.getExistingDirectory(None, "Folder that will hold the export", str(Path.home()))
        if parent:
            self.export(Path(parent) / self._name())

    def _on_zip(self, *_args: Any) -> None:
        wished = str(Path.home() / f"{self._name()}.zip")
        file = qt.QFileDialog.getSaveFileName(None, "Name of the export", wished, "Zip archive (*.zip)")
        if file:
            self.export(Path(file if file.lower().endswith(".zip") else f"{file}.zip"))

    def _name(self) -> str:
        run, row = self.panel.review.run, self.panel.review.chosen
        agents = re.sub(r"[^a-z]+", "-", row["protocol"].lower()).strip("-")[:40].rstrip("-")
        return f"{run.case_name}-{agents}-{datetime.now():%Y%m%d-%H%M%S}"


def _written(result: Any) -> str:
    """Return where the export lies and what to read first."""
    first = f"; read {result['pdf']} first" if result["pdf"] else ""
    return f"Exported to {result['out']}: {len(result['files'])} files{first}."
