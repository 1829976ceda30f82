"""A run folder in a Slicer scene: volumes, differences, segmentations, ranking, one folder per run.

Uses only what both 3D Slicer and the PyPI package ``slicer-core`` have, and takes the scene explicitly, so
that the same code serves the panel, the command line and the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import slicer.util

from mewm.errors import InputError
from MeWMModuleLib import appearance
from MeWMModuleLib.nodes import (
    RANK_ATTRIBUTE,
    RUN_ATTRIBUTE,
    add_folder,
    all_or_nothing,
    belongings,
    keep,
    mark_synthetic,
    read_volume,
    remove_nodes,
    same_grid,
)
from MeWMModuleLib.ranking_table import add_ranking_table
from MeWMModuleLib.run_folder import KeptProtocol, RunFolder, read_run
from MeWMModuleLib.segmentations import add_label_segmentation

if TYPE_CHECKING:
    from slicer import (
        vtkMRMLNode,
        vtkMRMLScalarVolumeNode,
        vtkMRMLScene,
        vtkMRMLSegmentationNode,
        vtkMRMLTableNode,
        vtkMRMLTextNode,
    )


@dataclass(frozen=True)
class ProtocolNodes:
    """What the scene holds of one simulated protocol."""

    protocol: KeptProtocol
    simulated: vtkMRMLScalarVolumeNode
    difference: vtkMRMLScalarVolumeNode
    tissue: vtkMRMLSegmentationNode


@dataclass(frozen=True)
class LoadedRun:
    """What the scene holds of one run.

    Attributes:
        run: the run on disk.
        folder_item: item of its folder in the subject hierarchy.
        pre: pre-treatment CT.
        lesion: segmentation of the target lesion.
        table: ranking of all scored protocols.
        notice: text that says the volumes are synthetic, with the run's manifest.
        protocols: nodes of the kept protocols in the order of their rank.
    """

    run: RunFolder
    folder_item: int
    pre: vtkMRMLScalarVolumeNode
    lesion: vtkMRMLSegmentationNode
    table: vtkMRMLTableNode
    notice: vtkMRMLTextNode
    protocols: tuple[ProtocolNodes, ...]


def load_run(scene: vtkMRMLScene, folder: str | Path) -> LoadedRun:
    """Show a finished run in a scene; a run that is already there is replaced.

    The files are read, never written: no storage node points at them, so saving the scene cannot change the run.

    Args:
        scene: scene to add to, e.g. ``slicer.mrmlScene``.
        folder: run folder of schema ``mewm-run/1``.

    Raises:
        InputError: the run cannot be used; the scene is then as it was before.
    """
    run = read_run(folder)
    earlier = belongings(scene, run.identifier)
    with all_or_nothing(scene):
        loaded = _Loader(scene, run).load()
    remove_nodes(scene, *earlier)
    return loaded


def remove_run(scene: vtkMRMLScene, identifier: str) -> int:
    """Remove everything that :func:`load_run` added for a run and return the number of nodes removed.

    Args:
        scene: the scene.
        identifier: :attr:`RunFolder.identifier`, also in the attribute ``MeWM.Run`` of each of its nodes.
    """
    nodes, items = belongings(scene, identifier)
    remove_nodes(scene, nodes, items)
    return len(nodes)


class _Loader:
    """Adds one run to one scene, in the order in which the user finds it in the subject hierarchy."""

    def __init__(self, scene: vtkMRMLScene, run: RunFolder) -> None:
        self._scene = scene
        self._run = run

    def load(self) -> LoadedRun:
        run, scene = self._run, self._scene
        folder = add_folder(scene, None, f"MeWM {run.case_name} {run.created[:16]}", run.identifier)

        pre = read_volume(scene, run.pre_ct, f"{run.case_name} pre-treatment CT")
        pre.CreateDefaultDisplayNodes()
        appearance.set_ct_window(pre.GetDisplayNode())
        self._keep(pre, folder, "pre")

        name, colour = appearance.LESION
        lesion = add_label_segmentation(scene, run.lesion, f"{run.case_name} target lesion", {1: (name, colour)}, pre)
        self._keep(lesion, folder, "lesion")

        colours = appearance.add_difference_colours(scene, "MeWM difference")
        colours.SetAttribute(RUN_ATTRIBUTE, run.identifier)
        protocols = tuple(self._protocol(kept, pre, colours, folder) for kept in run.protocols)

        table = add_ranking_table(scene, f"{run.case_name} protocol ranking", run.ranking)
        self._keep(table, folder, "ranking")

        notice = scene.AddNewNodeByClass("vtkMRMLTextNode", "MeWM research use only")
        notice.SetText(_notice(run))
        self._keep(notice, folder, "notice")
        return LoadedRun(run, folder, pre, lesion, table, notice, protocols)

    def _protocol(self, kept: KeptProtocol, pre: Any, colours: Any, folder: int) -> ProtocolNodes:
        label = kept.folder.name.replace("_", " ")
        item = add_folder(self._scene, folder, f"{kept.rank}. {kept.text} (SIMULATED)", self._run.identifier)

        simulated = read_volume(self._scene, kept.simulated_ct, f"SIMULATED {label}")
        if not same_grid(simulated, pre):
            raise InputError(f"{kept.simulated_ct} is not on the grid of {self._run.pre_ct}; run the case again.")
        simulated.CreateDefaultDisplayNodes()
        appearance.set_ct_window(simulated.GetDisplayNode())

        difference = self._scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"SIMULATED {label} minus pre")
        difference.CopyOrientation(simulated)
        change = slicer.util.arrayFromVolume(simulated).astype(np.float32)
        change -= slicer.util.arrayFromVolume(pre)
        slicer.util.updateVolumeFromArray(difference, change.round().clip(-32768, 32767).astype(np.int16))
        difference.CreateDefaultDisplayNodes()
        appearance.set_difference_window(difference.GetDisplayNode(), colours)

        tissue = add_label_segmentation(
            self._scene, kept.tissue, f"SIMULATED {label} tissue", appearance.TISSUES, simulated
        )
        tissue.GetDisplayNode().SetVisibility(kept.rank == self._run.protocols[0].rank)

        for node, role in ((simulated, "simulated"), (difference, "difference"), (tissue, "tissue")):
            self._keep(node, item, role)
            mark_synthetic(node, kept.row.get("protocol_id") or kept.text, kept.text, self._run.notice)
            node.SetAttribute(RANK_ATTRIBUTE, str(kept.rank))
        return ProtocolNodes(kept, simulated, difference, tissue)

    def _keep(self, node: vtkMRMLNode, folder: int, role: str) -> None:
        keep(node, folder, self._run.identifier, role)


def _notice(run: RunFolder) -> str:
    lines = [run.notice, f"Case {run.case_name}, run of {run.created}."]
    lines += [f"Protocol {kept.rank}: {kept.text}" for kept in run.protocols]
    lines += [str(warning) for warning in run.manifest.get("warnings", [])]
    return "\n".join(lines)
