"""What the engine needs in Slicer's own Python: looked at when it starts, installed only after the user agreed."""

from __future__ import annotations

import importlib
import subprocess
import sysconfig
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from mewm.errors import MewmError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).resolve().parents[1] / "Resources" / "requirements.txt"
# Without these no case can be computed; the others are for the PDF of an export.
ESSENTIAL = {"numpy", "scipy", "simpleitk"}
# Installed size in MB, as measured on Linux with Python 3.11.
SIZES_MB = {
    "numpy": 71,
    "scipy": 143,
    "simpleitk": 276,
    "pillow": 22,
    "fpdf2": 3,
    "defusedxml": 1,
    "fonttools": 30,
}
OFFLINE = "Without internet: choose a prepared Python under Advanced (docs/offline.md)."

Install = Callable[[Sequence[str]], None]


class Dependencies:
    """Asks once, installs, and lets the user try again after an error."""

    def __init__(
        self,
        ask: Callable[[str], bool],
        install: Install,
        installed: Callable[[str], str] = metadata.version,
        requirements: Path = REQUIREMENTS,
    ) -> None:
        """Look at nothing yet.

        Args:
            ask: shows a text and returns whether the user agrees.
            install: installs requirements such as ``"fpdf2==2.8.9"``; see :func:`slicer_install`.
            installed: version of an installed package; raises ``PackageNotFoundError`` without it.
            requirements: the requirements file.
        """
        self._ask = ask
        self._install = install
        self._installed = installed
        self._requirements = requirements
        self._declined = False

    def missing(self) -> list[Requirement]:
        """Return the requirements that this Python does not meet."""
        from packaging.requirements import Requirement

        lines = (line.strip() for line in self._requirements.read_text(encoding="utf-8").splitlines())
        wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
        return [requirement for requirement in wanted if not self._is_met(requirement)]

    def ensure(self, python: str = "") -> None:
        """Make sure that the engine can start.

        Args:
            python: a prepared Python, in which nothing is installed; empty for Slicer's own.

        Raises:
            MewmError: something essential is missing and was not installed, or the installation failed; the same
                call asks again.
        """
        if python.strip():
            return
        missing = self.missing()
        essential = any(_name(requirement) in ESSENTIAL for requirement in missing)
        if not missing or (self._declined and not essential):
            return
        if not self._ask(explanation(missing)):
            self._declined = True
            if essential:
                raise MewmError(f"Nothing was installed, so the engine cannot start; try again to be asked. {OFFLINE}")
            return
        try:
            self._install([str(requirement) for requirement in missing])
        except (subprocess.CalledProcessError, RuntimeError, OSError) as error:
            raise MewmError(f"The installation failed ({error}); try again. {OFFLINE}") from error
        importlib.invalidate_caches()
        if any(_name(requirement) in ESSENTIAL for requirement in self.missing()):
            raise MewmError(
                f"Something is still missing after the installation; restart Slicer and try again. {OFFLINE}"
            )

    def _is_met(self, requirement: Requirement) -> bool:
        try:
            return requirement.specifier.contains(self._installed(requirement.name), prereleases=True)
        except metadata.PackageNotFoundError:
            return False


def explanation(missing: Sequence[Requirement]) -> str:
    """Return the question to the user: what would be installed, how large it is, and where it goes."""
    size = sum(SIZES_MB.get(_name(requirement), 0) for requirement in missing)
    names = ", ".join(str(requirement) for requirement in missing)
    only_page = all(_name(requirement) not in ESSENTIAL for requirement in missing)
    purpose = "They write the PDF of an export; everything else works without them. " if only_page else ""
    return (
        f"MeWM needs Python packages that this Slicer does not have: {names}. {purpose}"
        f"They take about {size} MB in {sysconfig.get_paths()['purelib']} and come from the package index that pip is "
        "set to use (PyPI by default). No image or patient data is sent. Install them now?"
    )


def slicer_install(requirements: Sequence[str]) -> None:
    """Install into Slicer's Python, with Slicer's own progress window.

    Raises:
        MewmError: this Slicer is too old to install packages safely.
        subprocess.CalledProcessError: pip failed.
    """
    import slicer

    try:
        from slicer import packaging
    except ImportError:
        version = getattr(slicer.app, "applicationVersion", "this version")
        raise MewmError(
            f"Slicer {version} is older than 5.12, which MeWM needs to install packages; update Slicer. {OFFLINE}"
        ) from None
    packaging.pip_ensure(list(requirements), prompt_install=False, requester="MeWM")


def _name(requirement: Requirement) -> str:
    return requirement.name.lower()
