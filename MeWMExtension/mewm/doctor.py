"""What is installed, on which device MeWM will run, what is missing and the command that mends it."""

from __future__ import annotations

import ctypes.util
import os
import platform
import sys
from dataclasses import dataclass, replace
from importlib import metadata, util

from mewm import __version__
from mewm.errors import MewmError, how_to_install

# What each extra of the Python package brings and what it is for.
EXTRAS = {
    "": (("numpy", "scipy", "SimpleITK", "tqdm"), "scoring a case"),
    "evaluation": (("lifelines", "pandas", "matplotlib"), "fitting the Cox model, evaluation, cohort reports"),
    "training": (("torch", "monai", "pynrrd"), "training networks on a cohort"),
    "learned": (
        ("safetensors", "open_clip_torch", "tensorboard", "nnunetv2"),
        "the learned dynamics, assistant and survival model",
    ),
    "dicom": (("pydicom", "openpyxl"), "importing the HCC-TACE-Seg collection"),
    "policy": (("openai", "keyring", "pillow"), "a policy model of your own (mewm explore --policy)"),
    "scene": (("trame-slicer", "slicer-core", "vtk"), "Slicer scenes and pictures without a Slicer window"),
}
SAMPLE_PACKAGE = "liver_ct_segmentation_package"


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: what was looked at.
        ok: whether it is there and works.
        found: version or state, in words.
        fix: command or advice that mends it, empty if nothing is to be done.
        required: whether scoring a case needs it.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""
    required: bool = True


def doctor() -> list[Check]:
    """Examine this installation without importing anything heavy.

    Returns:
        Checks in the order a reader wants them: Python, device, packages, shipped data, optional parts.

    Example:
        >>> from mewm.api import doctor
        >>> all(check.ok for check in doctor() if check.required)
        True
    """
    checks = [_python(), _device(), Check("mewm", True, __version__)]
    for extra, (packages, purpose) in EXTRAS.items():
        checks += [_package(name, extra, purpose) for name in packages]
    checks += [_page(), _action_base(), _survival_bundle(), _policy(), _opengl(), _sample()]
    return checks


def _python() -> Check:
    version = sys.version_info[:3]
    text = f"{platform.python_version()} at {sys.executable}"
    return Check("Python", version >= (3, 10), text, "" if version >= (3, 10) else "install Python 3.10 or newer")


def _device() -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Check("device", True, f"cpu, {cores} cores; the plain baselines need no GPU", required=False)


def _package(name: str, extra: str, purpose: str) -> Check:
    try:
        return Check(name, True, metadata.version(name), required=not extra)
    except metadata.PackageNotFoundError:
        fix = how_to_install(extra) if extra else "run pip install -e . in MeWM's folder"
        return Check(name, False, f"missing; needed for {purpose}", fix, required=not extra)


def _page() -> Check:
    """The PDF comes with a plain installation, but all else works without it."""
    found = _package("fpdf2", "", "the PDF of mewm export")
    return found if found.ok else replace(found, fix="pip install fpdf2", required=False)


def _action_base() -> Check:
    from mewm.actions.base import load_action_base

    try:
        base = load_action_base()
    except MewmError as error:
        return Check("action base", False, str(error), "reinstall mewm")
    return Check("action base", True, f"{len(base.agents)} agents")


def _survival_bundle() -> Check:
    from mewm.survival.cox import CoxSurvival

    try:
        CoxSurvival.load()
    except MewmError as error:
        return Check("survival model", False, str(error), "reinstall mewm, or fit one: mewm train cox --help")
    return Check("survival model", True, "Cox, demonstration weights trained on simulated cases")


def _policy() -> Check:
    """Which endpoints could propose; nothing is connected to and no key is read but whether there is one."""
    from mewm.policy.keys import key_state
    from mewm.policy.presets import PRESETS, read_endpoints

    name = "policy endpoints"
    try:
        found = read_endpoints()
    except MewmError as error:
        return Check(name, False, str(error), "correct the file; mewm policy list", required=False)
    words = {"environment": "key in the environment", "keyring": "key from the keyring", "not needed": "no key needed"}
    ready = [
        f"{e.name} ({words[key_state(e)]})"
        for e in found.values()
        if key_state(e) in words and (e.key != "none" or PRESETS.get(e.name) != e)
    ]
    return Check(
        name, True, f"{', '.join(ready) or 'none'}; off unless mewm explore --policy names one", required=False
    )


def _opengl() -> Check:
    found = ctypes.util.find_library("EGL")
    fix = "" if found else "on Debian or Ubuntu: apt-get install libegl1 libgl1-mesa-dri"
    return Check("EGL (pictures)", bool(found), found or "missing; needed by mewm scene", fix, required=False)


def _sample() -> Check:
    there = util.find_spec(SAMPLE_PACKAGE) is not None
    fix = "" if there else "pip install --no-deps liver-ct-segmentation-package==1.6.0"
    return Check("sample case", there, "LiTS case 117" if there else "missing; needed by --sample", fix, required=False)
