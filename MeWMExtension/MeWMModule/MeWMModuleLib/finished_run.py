"""A finished run from disk, loaded into the scene so that the panel reviews it like one of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mewm.errors import InputError
from MeWMModuleLib.live_run import (
    CASE_ATTRIBUTE,
    CENTRE_ATTRIBUTE,
    COMPLETE,
    CT_REFERENCE,
    DIAMETER_ATTRIBUTE,
    PATH_ATTRIBUTE,
    STATUS_ATTRIBUTE,
    LiveRun,
)
from MeWMModuleLib.nodes import keep
from MeWMModuleLib.scene import load_run
from MeWMModuleLib.survival_plot import add_survival_plot, put_curves, put_outlook


def load_finished_run(scene: Any, folder: str | Path) -> LiveRun:
    """Load a run folder with everything the panel shows: volumes, ranking, search tree, survival.

    Args:
        scene: the scene.
        folder: written by the panel, ``mewm explore`` or ``mewm simulate``.

    Raises:
        InputError: the run cannot be used; the scene is then as it was before.
    """
    # Runs of the first version have no ranking.json and no curves.
    ranking, tree = (_read(Path(folder) / name) for name in ("ranking.json", "search.json"))
    loaded = load_run(scene, folder)
    run, table, item = loaded.run, loaded.table, loaded.folder_item
    x, y, z = run.centre_lps
    table.SetNodeReferenceID(CT_REFERENCE, loaded.pre.GetID())
    for name, value in (
        (PATH_ATTRIBUTE, str(Path(folder).resolve())),
        (STATUS_ATTRIBUTE, COMPLETE),
        (CASE_ATTRIBUTE, run.case_name),
        (CENTRE_ATTRIBUTE, f"{-x:.3f} {-y:.3f} {z:.3f}"),
        (DIAMETER_ATTRIBUTE, f"{run.diameter_mm:.2f}"),
    ):
        table.SetAttribute(name, value)
    survival, chart = add_survival_plot(scene, run.case_name)
    keep(survival, item, run.identifier, "survival")
    keep(chart, item, run.identifier, "survival chart")
    put_curves(survival, ranking.get("rows", []))
    put_outlook(survival, run.manifest.get("outlook"))
    if tree:
        node = scene.AddNewNodeByClass("vtkMRMLTextNode", "MeWM search tree")
        node.SetText(json.dumps(tree, ensure_ascii=False))
        keep(node, item, run.identifier, "search")
    live = LiveRun(scene, run.identifier)
    policy = run.manifest.get("models", {}).get("policy", "")
    live.put_rows([{**row, "policy": policy if row["origin"] == "search" else ""} for row in live.rows()])
    return live


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); explore the case again.") from error
