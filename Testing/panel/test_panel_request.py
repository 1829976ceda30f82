"""What the panel asks of the engine, and what it writes for it."""

import numpy as np
import pytest
import slicer.util as slicer_util


def test_the_request_says_what_the_panel_says(desk, case_nodes):
    ui = desk.ui
    case_nodes(desk)
    ui.goalLineEdit.text = "avoid platinum"
    ui.seedSpinBox.value = 7
    ui.afpLineEdit.text = "120"
    ui.portalVeinComboBox.currentIndex = 2
    ui.jaundiceCheckBox.click()
    from PySide6.QtCore import Qt

    ui.formularyListWidget.item(0).setCheckState(Qt.Unchecked)
    desk.settle()
    ui.assistantComboBox.currentIndex = ui.assistantComboBox.count - 1
    ui.searchComboBox.currentIndex = 1
    ui.exploreButton.click()
    desk.wait(lambda: desk.engine.requests)
    method, params, _ = desk.engine.requests[0]
    assert method == "explore"
    models = {name: params[name] for name in ("dynamics", "assistant", "survival", "search")}
    assert models == {"dynamics": "mechanistic", "assistant": "none", "survival": "cox", "search": "algorithm1"}
    assert params["goal"] == "avoid platinum" and params["settings"]["seed"] == 7
    assert params["case"]["facts"] == {"afp_ng_ml": 120.0, "portal_vein_thrombosis": "branch", "jaundice": True}
    assert params["formulary"] == {"unavailable": ["raltitrexed"]}
    assert params["run"].startswith(desk.panel.settings.runs_folder) and params["name"] == "case"


def test_what_is_written_lies_where_it_lies_in_the_patient(desk, case_nodes):
    sitk = pytest.importorskip("SimpleITK")
    oblique = np.eye(4)
    oblique[:3, :3] = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, -1]]) @ np.diag((1.5, 1.2, 3.0))
    oblique[:3, 3] = (12, -34, 56)
    ct, _ = case_nodes(desk, oblique)
    desk.ui.exploreButton.click()
    desk.wait(lambda: desk.engine.requests)
    case = desk.engine.requests[0][1]["case"]
    image, mask = sitk.ReadImage(case["ct"]), sitk.ReadImage(case["lesion"])
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), slicer_util.arrayFromVolume(ct))
    lps = image.TransformIndexToPhysicalPoint((20, 15, 8))
    ras = (oblique @ (20, 15, 8, 1))[:3]
    assert lps == pytest.approx((-ras[0], -ras[1], ras[2]), abs=1e-4)
    assert mask[mask.TransformPhysicalPointToIndex(lps)] == 1
    assert sitk.GetArrayFromImage(mask).sum() == 7 * 12 * 13
    # On the voxels of the CT nothing has to be resampled.
    assert (mask.GetSize(), mask.GetOrigin()) == (image.GetSize(), pytest.approx(image.GetOrigin()))


def test_a_mask_on_another_grid_stays_where_it_is(desk, case_nodes):
    sitk = pytest.importorskip("SimpleITK")
    from MeWMModuleLib.segmentations import add_mask_segmentation

    ct, _ = case_nodes(desk)
    matrix = np.diag((0.7, 0.7, 0.7, 1.0))
    matrix[:3, 3] = (-3.0, -5.0, -20.0)
    other = np.zeros((12, 20, 20), np.uint8)
    other[4:8, 5:12, 6:14] = 1
    segmentation = add_mask_segmentation(desk.scene, (other, matrix), "fine", ("Tumour", (1.0, 0.0, 0.0)), ct)
    desk.panel.parameters.tumour = segmentation
    desk.settle()
    desk.ui.exploreButton.click()
    desk.wait(lambda: desk.engine.requests)
    mask = sitk.ReadImage(desk.engine.requests[0][1]["case"]["lesion"])
    assert min(mask.GetSize()) >= 16 and sitk.GetArrayFromImage(mask).sum() == 4 * 7 * 8
    ras = (matrix @ (6, 5, 4, 1))[:3]
    index = mask.TransformPhysicalPointToIndex((-ras[0], -ras[1], ras[2]))
    assert mask[index] == 1 and mask[index[0] - 1, index[1], index[2]] == 0
