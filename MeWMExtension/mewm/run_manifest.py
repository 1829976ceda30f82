"""The manifest of a run: what went in, which models and versions, what came out. Nothing in it names the patient."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from typing import TYPE_CHECKING, Any

from mewm import __version__

if TYPE_CHECKING:
    import SimpleITK as sitk

    from mewm.exploration import Exploration, Models

SCHEMA = "mewm-run/1"
LEARNED = ("torch", "monai", "nnunetv2")
"""Packages that learned models compute with."""
NOTICE = (
    "SYNTHETIC: the post-TACE volumes are simulations; risk and survival come from demonstration models trained on "
    "simulated patients with hepatocellular carcinoma. Research use only; not a medical device."
)


def first_lines(kind: str, name: str) -> dict[str, Any]:
    """Return what a manifest can say before anything is computed.

    Args:
        kind: ``"explore"`` or ``"simulate"``.
        name: name of the case; never a patient's.
    """
    return {
        "schema": SCHEMA,
        "kind": kind,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "case_name": name,
        "synthetic_notice": NOTICE,
    }


def make_manifest(exploration: Exploration, name: str) -> dict[str, Any]:
    """Return the manifest of a finished exploration, without its status and kept protocols."""
    import numpy as np
    import SimpleITK as sitk

    from mewm.diameter import longest_axial_diameter

    case, roi = exploration.case, exploration.roi
    inputs = {"ct": case.ct, "lesion": case.lesion} | ({"liver": case.liver} if case.liver is not None else {})
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.ComputeFeretDiameterOff()
    shape.Execute(case.lesion)
    return {
        **first_lines(exploration.kind, name),
        "seed": exploration.settings.seed,
        "inputs": {key: {"voxels_sha256": image_hash(image)} for key, image in inputs.items()},
        # Masks that a network proposed, by the first digits of its weights' SHA-256.
        "proposed_masks": dict(case.proposed),
        "facts": {key: value for key, value in asdict(case.facts).items() if value not in (None, ())},
        "goal": exploration.goal,
        "formulary": sorted(exploration.formulary.available),
        "lesion": {
            "volume_ml": round(shape.GetPhysicalSize(1) / 1000, 3),
            "centre_lps": [round(value, 3) for value in shape.GetCentroid(1)],
            "diameter_mm": round(longest_axial_diameter(roi.lesion, roi.spacing), 2),
        },
        "model_grid": {
            "shape": list(np.shape(roi.ct)),
            "spacing_mm": roi.spacing,
            "origin_lps": list(roi.origin),
        },
        "versions": versions(LEARNED if exploration.models.devices else ()),
        "models": exploration.models.names,
        "model_hashes": model_hashes(exploration.models),
        "device": ", ".join(exploration.models.devices) or "cpu",
        "timings": exploration.timings,
        "parameters": asdict(exploration.settings),
        "simulations": exploration.simulations,
        "outlook": exploration.outlook,
        "warnings": list(exploration.warnings),
        "protocols": [],
    }


def versions(besides: Sequence[str] = ()) -> dict[str, str]:
    """Return the versions that a result rests on; of the packages ``besides`` only what is installed."""
    packages = {name: metadata.version(name) for name in ("numpy", "scipy", "SimpleITK")}
    for name in besides:
        with contextlib.suppress(metadata.PackageNotFoundError):
            packages[name] = metadata.version(name)
    return {"mewm": __version__, "python": platform.python_version(), "system": platform.system(), **packages}


def model_hashes(models: Models) -> dict[str, str]:
    """Return role → SHA-256 of its weights, for the roles that have weights."""
    roles = ("policy", "dynamics", "assistant", "survival")
    found = {role: getattr(getattr(models, role), "sha256", None) for role in roles}
    return {role: value for role, value in found.items() if value}


def image_hash(image: sitk.Image) -> str:
    """Hash voxels and geometry, so that the same scan has one hash in any file format."""
    import SimpleITK as sitk

    digest = hashlib.sha256(sitk.GetArrayViewFromImage(image).tobytes())
    geometry = (image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    digest.update(json.dumps([[round(value, 6) for value in part] for part in geometry]).encode())
    return digest.hexdigest()
