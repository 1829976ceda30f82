"""What the engine needs in Slicer's own Python: looked at when it starts, installed only after the user agreed."""

from __future__ import annotations

import importlib
import logging
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
LEARNED_REQUIREMENTS = REQUIREMENTS.with_name("requirements-learned.txt")
# Only for the PDF of an export; without the others the case cannot be computed.
FOR_THE_PAGE = {"pillow", "fpdf2", "defusedxml", "fonttools"}
# Installed size in MB, as measured on Linux with Python 3.11; PyTorch with its libraries for NVIDIA, the largest build.
SIZES_MB = {
    "numpy": 71,
    "scipy": 143,
    "simpleitk": 276,
    "pillow": 22,
    "fpdf2": 3,
    "defusedxml": 1,
    "fonttools": 30,
    "torch": 5300,
    "torchvision": 15,
    "safetensors": 2,
    "open_clip_torch": 3,
    "monai": 16,
    "nnunetv2": 4,
    "timm": 18,
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

    def missing(self, learned: bool = False) -> list[Requirement]:
        """Return the requirements that this Python does not meet, those of the learned models included or not."""
        from packaging.requirements import Requirement

        files = [self._requirements, LEARNED_REQUIREMENTS] if learned else [self._requirements]
        lines = [line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()]
        wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
        return [requirement for requirement in wanted if not self._is_met(requirement)]

    def ensure(self, python: str = "", learned: bool = False) -> None:
        """Make sure that the engine can start.

        Args:
            python: a prepared Python, in which nothing is installed; empty for Slicer's own.
            learned: a learned model was chosen, so that PyTorch and more is needed.

        Raises:
            MewmError: something essential is missing and was not installed, or the installation failed; the same
                call asks again.
        """
        if python.strip():
            return
        missing = self.missing(learned)
        essential = not _only_page(missing)
        if not missing or (self._declined and not essential):
            return
        if not self._ask(explanation(missing)):
            self._declined = True
            if essential:
                way = "choose the models that need no PyTorch, or try again" if learned else "try again"
                raise MewmError(f"Nothing was installed, so the engine cannot start; {way} to be asked. {OFFLINE}")
            return
        try:
            self._install([str(requirement) for requirement in missing])
        except (subprocess.CalledProcessError, RuntimeError, OSError, MewmError) as error:
            if not essential:
                # Only the PDF of an export would miss them, and the same attempt would fail at every start.
                self._declined = True
                logging.warning("MeWM: the packages for the PDF of an export are missing (%s). %s", error, OFFLINE)
                return
            raise MewmError(f"The installation failed ({error}); try again. {OFFLINE}") from error
        importlib.invalidate_caches()
        if not _only_page(self.missing(learned)):
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
    purpose = ""
    if _only_page(missing):
        purpose = "They write the PDF of an export; everything else works without them. "
    elif any(_name(requirement) == "torch" for requirement in missing):
        purpose = "The learned models that you chose run on PyTorch, whose size depends on your graphics card. "
    room = f"{size} MB" if size < 1000 else f"{size / 1000:.1f} GB"
    return (
        f"MeWM needs Python packages that this Slicer does not have: {names}. {purpose}"
        f"They take about {room} in {sysconfig.get_paths()['purelib']} and come from the package index that pip is "
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
    rest = _without_torch(requirements)
    if rest:
        packaging.pip_ensure(rest, prompt_install=False, requester="MeWM")


def _without_torch(requirements: Sequence[str]) -> list[str]:
    """Have the PyTorch extension, where there is one, install the build that fits the GPU; return what is left.

    Raises:
        MewmError: it did not install PyTorch.
    """
    from packaging.requirements import Requirement

    wanted = {_name(requirement): requirement for requirement in map(Requirement, requirements)}
    if "torch" not in wanted:
        return list(requirements)
    try:
        from PyTorchUtils import PyTorchUtilsLogic
    except ImportError:
        return list(requirements)
    versions = {f"{name}VersionRequirement": str(wanted.pop(name).specifier) for name in _TORCH if name in wanted}
    if PyTorchUtilsLogic().installTorch(askConfirmation=False, **versions) is None:
        raise MewmError(f"The PyTorch extension did not install PyTorch; try again. {OFFLINE}")
    return [str(requirement) for requirement in wanted.values()]


_TORCH = ("torch", "torchvision")


def _only_page(missing: Sequence[Requirement]) -> bool:
    return all(_name(requirement) in FOR_THE_PAGE for requirement in missing)


def _name(requirement: Requirement) -> str:
    return requirement.name.lower()
