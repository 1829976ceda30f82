"""The simulated sample case of the engine: its files, its nodes in the scene, and the facts that come with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import slicer

from MeWMModuleLib import appearance
from MeWMModuleLib.nodes import all_or_nothing, read_volume
from MeWMModuleLib.request import stated_facts
from MeWMModuleLib.segmentations import add_label_segmentation


class SampleCase:
    """Brings the sample into the scene; its files are gone afterwards, and its facts with its CT."""

    def __init__(self, scene: Any) -> None:
        """Nothing is loaded yet."""
        self.scene = scene
        self._folder = ""
        # Identifier of its CT, and the facts that came with it.
        self._ct, self._facts = "", dict[str, Any]()

    def new_folder(self) -> str:
        """Return a new temporary folder for the files of the engine.

        Raises:
            OSError: the disk is full or not writable.
        """
        self.remove_folder()
        self._folder = tempfile.mkdtemp(prefix="mewm-sample-")
        return self._folder

    def remove_folder(self) -> None:
        """Remove the temporary folder, if there is one."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def load(self, result: Mapping[str, Any], parameters: Any) -> None:
        """Load the sample, choose it as the case and show its CT; the temporary folder goes.

        Args:
            result: of the engine's request ``sample`` (docs/worker.md).
            parameters: the panel's choices.

        Raises:
            InputError: a file cannot be read; the scene is then as it was before.
        """
        try:
            with all_or_nothing(self.scene):
                ct, tumour, liver = load_sample(self.scene, result)
        finally:
            self.remove_folder()
        parameters.ct, parameters.tumour, parameters.liver = ct, tumour, liver
        parameters.case_name = "sample"
        set_facts(parameters, result["facts"])
        self._ct, self._facts = ct.GetID(), stated_facts(parameters)
        logic = slicer.app.applicationLogic()
        logic.GetSelectionNode().SetActiveVolumeID(ct.GetID())
        logic.PropagateVolumeSelection(1)

    def take_facts_back(self, parameters: Any) -> bool:
        """Take the sample's facts back once another CT is chosen: they are no facts of another patient.

        Returns:
            Whether facts were taken back; what the user changed stays.
        """
        if not self._ct or parameters.ct is None or parameters.ct.GetID() == self._ct:
            return False
        facts, self._ct, self._facts = self._facts, "", {}
        if stated_facts(parameters) != facts:
            return False
        set_facts(parameters, {})
        return True


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
