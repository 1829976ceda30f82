"""The simulated sample case of the engine as nodes of the scene."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from MeWMModuleLib import appearance
from MeWMModuleLib.nodes import read_volume
from MeWMModuleLib.segmentations import add_label_segmentation


def load_sample(scene: Any, result: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Add CT, tumour and liver of the sample and return their nodes.

    Args:
        scene: the scene.
        result: of the engine's request ``sample`` (docs/worker.md).

    Raises:
        InputError: a file cannot be read.
    """
    ct = read_volume(scene, Path(result["ct"]), "Sample CT (simulated patient)")
    ct.CreateDefaultDisplayNodes()
    appearance.set_ct_window(ct.GetDisplayNode())
    ct.SetDescription(result["notice"])
    tumour = add_label_segmentation(
        scene, Path(result["lesion"]), "Sample tumour", {1: ("Tumour", appearance.LESION[1])}, ct
    )
    liver = add_label_segmentation(
        scene, Path(result["liver"]), "Sample liver", {1: ("Liver", appearance.TISSUES[1][1])}, ct
    )
    return ct, tumour, liver


def set_facts(parameters: Any, facts: Mapping[str, Any]) -> None:
    """Put clinical facts into the panel; what they do not state becomes "not stated"."""
    from mewm.clinical import ClinicalFacts

    for name in ClinicalFacts.__dataclass_fields__:
        value = facts.get(name)
        old = getattr(parameters, f"fact_{name}")
        if isinstance(old, bool):
            new: Any = bool(value)
        elif value is None:
            new = ""
        elif isinstance(value, (list, tuple)):
            new = ", ".join(map(str, value))
        else:
            new = f"{value:g}" if isinstance(value, (int, float)) else str(value)
        if new != old:
            setattr(parameters, f"fact_{name}", new)
