"""The sample case leaves no files behind, whether it comes into the scene or not, and no half of it in the scene."""

from pathlib import Path

import numpy as np
import phantom_run
import pytest

PARTS = ("ct", "lesion", "liver")


def _press(desk):
    """Press the button; return the temporary folder that the engine was given."""
    desk.ui.sampleButton.click()
    method, params, _ = desk.engine.requests[-1]
    assert method == "sample"
    folder = Path(params["folder"])
    assert folder.is_dir()
    return folder


def _written(folder, broken=None):
    """Write the sample as the engine does, one of its files broken; return the engine's result."""
    paths = {part: folder / f"simulated_{part}.nrrd" for part in PARTS}
    for part, path in paths.items():
        voxels = np.zeros((8, 10, 12), np.int16 if part == "ct" else np.uint8)
        voxels[3:5, 4:6, 4:8] = 1
        phantom_run.write_nrrd(path, voxels, np.eye(3), np.zeros(3))
        if part == broken:
            path.write_bytes(b"no volume")
    facts = {"child_pugh": "A5", "ecog": 0}
    return {**{part: str(path) for part, path in paths.items()}, "facts": facts, "notice": "Simulated."}


def test_a_sample_that_loads_is_the_case_and_its_files_are_gone(desk):
    folder = _press(desk)
    desk.engine.send("done", result=_written(folder))
    desk.settle()
    parameters = desk.panel.parameters
    assert parameters.ct.GetName().startswith("Sample CT") and parameters.case_name == "sample"
    assert (parameters.fact_child_pugh, parameters.fact_ecog) == ("A5", "0")
    assert desk.ui.exploreButton.enabled and not folder.exists()


@pytest.mark.parametrize("broken", PARTS)
def test_a_sample_that_cannot_be_read_leaves_neither_files_nor_nodes(desk, broken):
    before = desk.node_ids()
    folder = _press(desk)
    desk.engine.send("done", result=_written(folder, broken))
    desk.settle()
    assert f"Slicer cannot read {folder / f'simulated_{broken}.nrrd'}" in desk.ui.statusLabel.text
    assert not folder.exists()
    assert {i for i in desk.node_ids() - before if "View" not in i and "Composite" not in i} == set()
    assert desk.panel.parameters.ct is None and not desk.panel.parameters.fact_child_pugh


def test_a_sample_that_the_engine_cannot_write_leaves_no_folder(desk):
    folder = _press(desk)
    desk.engine.send("error", kind="input", message="The disk is full.")
    desk.settle()
    assert desk.ui.statusLabel.text == "The disk is full." and not folder.exists()


def test_a_sample_that_is_refused_before_the_engine_is_asked_leaves_no_folder(desk, monkeypatch, tmp_path):
    import tempfile

    from mewm.errors import MewmError

    def refuse(python="", learned=False):
        raise MewmError("The engine lacks the package SimpleITK.")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    desk.panel._dependencies.ensure = refuse
    desk.ui.sampleButton.click()
    desk.settle()
    assert "lacks the package" in desk.ui.statusLabel.text and desk.engine.requests == []
    assert not list(tmp_path.glob("mewm-sample-*"))
