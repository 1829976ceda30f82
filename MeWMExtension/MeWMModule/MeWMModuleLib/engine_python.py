"""With which Python the engine process runs, and in which environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import mewm
from mewm.errors import InputError
from MeWMModuleLib.child_process import Launch

# What Slicer sets for its own Python, Qt and ITK, and what breaks another Python that inherits it.
_SLICER_ONLY = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONNOUSERSITE",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "QT_PLUGIN_PATH",
    "QT_QPA_PLATFORM_PLUGIN_PATH",
)
# ITK would load Slicer's own readers into the engine's SimpleITK.
_NEVER = ("ITK_AUTOLOAD_PATH",)


def slicer_python() -> str:
    """Return Slicer's own Python; outside Slicer the running one.

    ``sys.executable`` inside Slicer can be Slicer itself, which would open a second window.
    """
    return shutil.which("PythonSlicer") or sys.executable


def engine_launch(python: str, current: Mapping[str, str], startup: Mapping[str, str]) -> Launch:
    """Return how to start the engine.

    Args:
        python: a prepared Python, its path or its environment's folder; empty for Slicer's own.
        current: environment of this process.
        startup: environment without what Slicer added to it (``slicer.util.startupEnvironment()``); for another
            Python.

    Raises:
        InputError: there is no such Python.
    """
    own = slicer_python()
    program = _executable(python.strip()) if python.strip() else own
    if program == own:
        environment = {key: value for key, value in current.items() if key not in _NEVER}
    else:
        environment = {key: value for key, value in startup.items() if key not in (*_NEVER, *_SLICER_ONLY)}
    # The engine that came with this panel, whatever else is installed in that Python.
    home = str(Path(mewm.__file__).resolve().parents[1])
    paths = [home, *environment.get("PYTHONPATH", "").split(os.pathsep)]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in dict.fromkeys(paths) if path)
    return Launch(program, ("-m", "mewm.worker"), environment)


def _executable(python: str) -> str:
    path = Path(python).expanduser()
    if path.is_dir():
        inside = [
            path / "bin" / "python",
            path / "bin" / "python3",
            path / "python.exe",
            path / "Scripts" / "python.exe",
        ]
        found = next((candidate for candidate in inside if candidate.is_file()), None)
        if found is None:
            raise InputError(f"The folder {path} holds no Python; choose the python program of an environment.")
        path = found
    if not path.is_file() or not os.access(path, os.X_OK):
        raise InputError(f"The engine's Python {path} is not a program that can be run; choose another in Advanced.")
    return str(path)
