"""What belongs to the machine and not to a scene, kept in the application's settings.

A scene travels: in it, a path of this machine would be wrong elsewhere, and opening a colleague's scene would start the
program that it names.
"""

from __future__ import annotations

from typing import Any

PREFIX = "MeWM"


class MachineSettings:
    """Paths of this machine; an empty one means the default."""

    def __init__(self, store: Any) -> None:
        """Read and write ``store``, a ``QSettings`` such as ``slicer.app.userSettings()``."""
        self._store = store

    @property
    def engine_python(self) -> str:
        """Python that runs the engine; empty for Slicer's own."""
        return self._read("EnginePython")

    @engine_python.setter
    def engine_python(self, path: str) -> None:
        self._store.setValue(f"{PREFIX}/EnginePython", path)

    @property
    def runs_folder(self) -> str:
        """Folder that holds the runs; empty for the default."""
        return self._read("RunsFolder")

    @runs_folder.setter
    def runs_folder(self, path: str) -> None:
        self._store.setValue(f"{PREFIX}/RunsFolder", path)

    def _read(self, name: str) -> str:
        return str(self._store.value(f"{PREFIX}/{name}") or "")
