"""One run in the scene: rows and futures as the engine sends them, all in one folder, found again in a saved scene."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util

from mewm.errors import InputError
from MeWMModuleLib import appearance
from MeWMModuleLib.future_steps import NOTICE, Future, future_steps, voxels_in
from MeWMModuleLib.nodes import (
    PROTOCOL_ATTRIBUTE,
    PROTOCOL_ID_ATTRIBUTE,
    ROLE_ATTRIBUTE,
    RUN_ATTRIBUTE,
    add_folder,
    belongings,
    keep,
    mark_synthetic,
    nodes_of_class,
    remove_nodes,
)
from MeWMModuleLib.ranking_table import add_ranking_table, ranking_rows, set_ranking_rows
from MeWMModuleLib.segmentations import add_mask_segmentation
from MeWMModuleLib.survival_plot import OUTLOOK_WORDS_ATTRIBUTE, add_survival_plot, put_curves, put_outlook

CT_REFERENCE = "MeWM.CT"
PATH_ATTRIBUTE = "MeWM.Path"
STATUS_ATTRIBUTE = "MeWM.Status"
CASE_ATTRIBUTE = "MeWM.Case"
CENTRE_ATTRIBUTE = "MeWM.CentreRAS"
DIAMETER_ATTRIBUTE = "MeWM.DiameterMm"
RUNNING, COMPLETE = "running", "complete"
_ROLES = ("simulated", "difference", "tissue")


class LiveRun:
    """A run's nodes. Nothing is kept here beside the scene and the identifier, so a saved scene restores it."""

    def __init__(self, scene: Any, identifier: str) -> None:
        """Look at a run that is in the scene; see :func:`start_run` and :func:`runs_in`."""
        self.scene = scene
        self.identifier = identifier
        # What was found once, looked for again when it is gone from the scene.
        self._found: dict[str, Any] = {}
        self._rows: tuple[int, list[dict[str, Any]]] = (-1, [])

    @property
    def table(self) -> Any:
        """The ranking, a table node, or ``None`` once the run is gone."""
        return self._node("ranking")

    @property
    def ct(self) -> Any:
        """The pre-treatment CT, or ``None`` if the user deleted it."""
        return self.table.GetNodeReference(CT_REFERENCE) if self.table else None

    @property
    def lesion(self) -> Any:
        """Segmentation of the target lesion."""
        return self._node("lesion")

    @property
    def chart(self) -> Any:
        """Plot chart of the predicted survival."""
        return self._node("survival chart")

    @property
    def path(self) -> str:
        """Folder of the run on disk."""
        return self._attribute(PATH_ATTRIBUTE)

    @property
    def case_name(self) -> str:
        """Name of the case."""
        return self._attribute(CASE_ATTRIBUTE)

    @property
    def complete(self) -> bool:
        """Whether the run ended as it should."""
        return self._attribute(STATUS_ATTRIBUTE) == COMPLETE

    @property
    def centre_ras(self) -> tuple[float, float, float]:
        """Middle of the target lesion, RAS mm."""
        r, a, s = (float(value) for value in self._attribute(CENTRE_ATTRIBUTE).split())
        return r, a, s

    @property
    def diameter_mm(self) -> float:
        """Longest diameter of the target lesion."""
        return float(self._attribute(DIAMETER_ATTRIBUTE))

    def rows(self) -> list[dict[str, Any]]:
        """Return the ranking as it stands."""
        table = self.table
        if table is None:
            return []
        if self._rows[0] != table.GetTable().GetMTime():
            self._rows = (table.GetTable().GetMTime(), ranking_rows(table))
        return self._rows[1]

    def row(self, protocol_id: str) -> dict[str, Any] | None:
        """Return the row of a protocol."""
        return next((row for row in self.rows() if row["protocol_id"] == protocol_id), None)

    def put_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace the ranking; the rows are those of the engine, in the order to show."""
        set_ranking_rows(self.table, rows)
        put_curves(self._node("survival"), rows)

    def search(self) -> dict[str, Any]:
        """Return the search tree, empty if the run has none."""
        node = self._node("search")
        return json.loads(node.GetText()) if node else {}

    def future(self, protocol_id: str) -> Future | None:
        """Return the nodes of a simulated protocol, or ``None`` if it has no volumes in the scene."""
        return next((future for future in self.futures() if future.protocol_id == protocol_id), None)

    def futures(self) -> list[Future]:
        """Return all simulated protocols that have volumes in the scene."""
        found: dict[str, dict[str, Any]] = {}
        for node in self._volumes():
            key = node.GetAttribute(PROTOCOL_ID_ATTRIBUTE)
            if key:
                found.setdefault(key, {})[node.GetAttribute(ROLE_ATTRIBUTE)] = node
        return [
            Future(key, nodes["simulated"].GetAttribute(PROTOCOL_ATTRIBUTE), *(nodes[role] for role in _ROLES))
            for key, nodes in found.items()
            if nodes.keys() >= set(_ROLES)
        ]

    def put_future(self, protocol_id: str, text: str, ct_file: str | Path, tissue_file: str | Path) -> Future:
        """Add a simulated future at once; see :func:`MeWMModuleLib.future_steps.future_steps`."""
        *_, future = future_steps(self, protocol_id, text, ct_file, tissue_file)
        assert future is not None
        return future

    def drop_future(self, protocol_id: str) -> None:
        """Remove the volumes of a protocol; its row stays."""
        nodes, items = belongings(self.scene, self.identifier)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        remove_nodes(
            self.scene,
            [node for node in nodes if node.GetAttribute(PROTOCOL_ID_ATTRIBUTE) == protocol_id],
            [item for item in items if hierarchy.GetItemAttribute(item, PROTOCOL_ID_ATTRIBUTE) == protocol_id],
        )

    def add_whole_volume(self, future: Future) -> Any:
        """Add the simulated CT on the whole grid of the pre-treatment CT and return its node.

        Raises:
            InputError: the pre-treatment CT was deleted or changed.
        """
        if self.ct is None:
            raise InputError("The pre-treatment CT is no longer in the scene; load it and explore the case again.")
        box = voxels_in(future.simulated, self.ct)
        whole = self.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"SIMULATED whole CT {future.text}")
        whole.CopyOrientation(self.ct)
        array = np.array(slicer.util.arrayFromVolume(self.ct))
        array[box] = slicer.util.arrayFromVolume(future.simulated)
        slicer.util.updateVolumeFromArray(whole, array)
        whole.CreateDefaultDisplayNodes()
        appearance.set_ct_window(whole.GetDisplayNode())
        keep(whole, self.folder, self.identifier, "whole")
        mark_synthetic(whole, future.protocol_id, future.text, NOTICE)
        return whole

    def finish(self, result: Mapping[str, Any], search: str) -> None:
        """Take over the engine's final result: rows, warnings, search tree; drop what is not in the ranking.

        Args:
            result: ``result`` of the event ``done``.
            search: content of ``search.json``, empty for none.
        """
        policy = result.get("policy", "")
        self.put_rows([{**row, "policy": policy if row["origin"] == "search" else ""} for row in result["rows"]])
        ranked = {row["protocol_id"] for row in result["rows"]}
        for future in self.futures():
            if future.protocol_id not in ranked:
                self.drop_future(future.protocol_id)
        put_outlook(self._node("survival"), result.get("outlook"))
        self._name_by_rank(result["rows"])
        if search:
            self._text("search", "MeWM search tree").SetText(json.dumps(json.loads(search), ensure_ascii=False))
        notice = [NOTICE, f"Case {result['case_name']}, run of {result['created']}.", *result["warnings"]]
        self._text("notice", "MeWM research use only").SetText("\n".join(notice))
        self.table.SetAttribute(PATH_ATTRIBUTE, str(result["run"]))
        self.table.SetAttribute(STATUS_ATTRIBUTE, COMPLETE)

    def outlook(self) -> str:
        """Return what clinical facts alone predict, in words; empty for a run without it."""
        node = self._node("survival")
        return (node.GetAttribute(OUTLOOK_WORDS_ATTRIBUTE) or "") if node else ""

    def notice(self) -> str:
        """Return the notice with the run's warnings."""
        node = self._node("notice")
        return node.GetText() if node else ""

    def remove(self) -> int:
        """Remove everything the run made and return the number of nodes."""
        nodes, items = belongings(self.scene, self.identifier)
        remove_nodes(self.scene, nodes, items)
        return len(nodes)

    def _name_by_rank(self, rows: Sequence[Mapping[str, Any]]) -> None:
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        futures = {future.protocol_id: future for future in self.futures()}
        items: dict[str, list[int]] = {}
        for item in belongings(self.scene, self.identifier)[1]:
            items.setdefault(hierarchy.GetItemAttribute(item, PROTOCOL_ID_ATTRIBUTE), []).append(item)
        for row in rows:
            future = futures.get(row["protocol_id"])
            if future is None:
                continue
            name = f"{row['rank']}. {row['protocol']}"
            future.simulated.SetName(f"SIMULATED {name}")
            future.difference.SetName(f"SIMULATED change {name}")
            future.tissue.SetName(f"SIMULATED tissue {name}")
            for item in items.get(row["protocol_id"], []):
                hierarchy.SetItemName(item, f"{name} (SIMULATED)")

    @property
    def folder(self) -> int:
        """Item of the run's folder in the subject hierarchy."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        return hierarchy.GetItemParent(hierarchy.GetItemByDataNode(self.table))

    def difference_colours(self) -> Any:
        """Return the colour table of the changes in HU, made if there is none."""
        node = self._node("difference colours")
        if node is None:
            node = appearance.add_difference_colours(self.scene, "MeWM change in HU")
            node.SetAttribute(RUN_ATTRIBUTE, self.identifier)
            node.SetAttribute(ROLE_ATTRIBUTE, "difference colours")
        return node

    def _text(self, role: str, name: str) -> Any:
        node = self._node(role)
        if node is None:
            node = self.scene.AddNewNodeByClass("vtkMRMLTextNode", name)
            keep(node, self.folder, self.identifier, role)
        return node

    def _volumes(self) -> list[Any]:
        nodes = [
            *nodes_of_class(self.scene, "vtkMRMLScalarVolumeNode"),
            *nodes_of_class(self.scene, "vtkMRMLSegmentationNode"),
        ]
        return [node for node in nodes if node.GetAttribute(RUN_ATTRIBUTE) == self.identifier]

    def _node(self, role: str) -> Any:
        node = self._found.get(role)
        if node is None or not self.scene.IsNodePresent(node):
            nodes = belongings(self.scene, self.identifier)[0]
            self._found = {each.GetAttribute(ROLE_ATTRIBUTE): each for each in nodes}
            node = self._found.get(role)
        return node

    def _attribute(self, name: str) -> str:
        table = self.table
        return (table.GetAttribute(name) or "") if table else ""


def start_run(
    scene: Any, identifier: str, case_name: str, ct: Any, lesion: tuple[np.ndarray, np.ndarray], path: str
) -> LiveRun:
    """Add the folder, the empty ranking, the survival plot and the outline of the lesion of a new run.

    Args:
        scene: scene to add to.
        identifier: tells this run's nodes from another's, e.g. ``"case 2026-01-31 12:00:00"``.
        case_name: never a patient's.
        ct: pre-treatment CT node.
        lesion: mask from :func:`MeWMModuleLib.masks.mask_steps`.
        path: folder of the run on disk.
    """
    run = LiveRun(scene, identifier)
    # Not under the CT's patient and study: from there, simulated CTs could be exported as that patient's DICOM images.
    folder = add_folder(scene, None, f"MeWM {identifier}", identifier)
    table = add_ranking_table(scene, f"{case_name} protocol ranking")
    table.SetNodeReferenceID(CT_REFERENCE, ct.GetID())
    for name, value in ((PATH_ATTRIBUTE, path), (STATUS_ATTRIBUTE, RUNNING), (CASE_ATTRIBUTE, case_name)):
        table.SetAttribute(name, value)
    keep(table, folder, identifier, "ranking")
    outline = add_mask_segmentation(scene, lesion, f"{case_name} target lesion", appearance.LESION, ct)
    keep(outline, folder, identifier, "lesion")
    bounds = [0.0] * 6
    outline.GetSegmentation().GetBounds(bounds)
    low, high = np.array(bounds[0::2]), np.array(bounds[1::2])
    table.SetAttribute(CENTRE_ATTRIBUTE, " ".join(f"{value:.3f}" for value in (low + high) / 2))
    table.SetAttribute(DIAMETER_ATTRIBUTE, f"{float((high - low).max()):.2f}")
    survival, chart = add_survival_plot(scene, case_name)
    keep(survival, folder, identifier, "survival")
    keep(chart, folder, identifier, "survival chart")
    return run


def runs_in(scene: Any) -> list[LiveRun]:
    """Return the runs of a scene in the order in which they were added."""
    tables = [n for n in nodes_of_class(scene, "vtkMRMLTableNode") if n.GetAttribute(ROLE_ATTRIBUTE) == "ranking"]
    return [LiveRun(scene, table.GetAttribute(RUN_ATTRIBUTE)) for table in tables]
