"""A run in the panel with an engine that does what the test says."""

import numpy as np
import pytest
import slicer.util as slicer_util
from engine_steps import explore, finish, stream


def _shown(desk, name):
    node = desk.scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
    return node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetForegroundOpacity()


def test_rows_and_futures_come_while_it_runs(desk, case_nodes, rows, future_files):
    ct, _ = explore(desk, case_nodes)
    assert desk.ui.exploreButton.text == "Cancel" and desk.ui.exploreButton.enabled
    desk.engine.send("progress", stage="Racing the contenders", fraction=0.4, done=4, total=10, elapsed_s=2, left_s=31)
    desk.settle()
    assert desk.ui.progressBar.value == 40
    assert desk.ui.progressLabel.text == "Racing the contenders, about 31 s left"
    stream(desk, rows[1:3], future_files, ct)
    model = desk.panel.review.ranking.model
    assert [model.item(n, 1).text() for n in range(model.rowCount())] == [row["protocol"] for row in rows[1:3]]
    # The newest future is shown until the user chooses.
    assert desk.panel.review.shown[0].text == rows[2]["protocol"]
    desk.panel.review.select([rows[1]["protocol_id"]])
    stream(desk, rows[:1], future_files, ct)
    assert desk.panel.review.shown[0].text == rows[1]["protocol"]
    assert model.item(0, 1).text() == rows[0]["protocol"]


def test_the_selection_drives_the_views(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    before = slicer_util.arrayFromVolume(ct).copy()
    stream(desk, rows, future_files, ct)
    finish(desk, rows, result)
    panel, ui = desk.panel, desk.ui
    assert panel.review.chosen["rank"] == 1
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    ui.rankingView.setFocus()
    QTest.keyClick(ui.rankingView, Qt.Key_Down)
    desk.settle()
    run = panel.review.run
    second = run.future(rows[1]["protocol_id"])
    assert _shown(desk, "Red")[:2] == (ct.GetID(), None)
    assert _shown(desk, "Yellow") == (ct.GetID(), second.simulated.GetID(), 1.0)
    for _ in range(3):
        QTest.keyClick(ui.rankingView, Qt.Key_Down, Qt.ShiftModifier)
    desk.settle()
    shown = [future.protocol_id for future in panel.review.shown]
    assert len(shown) == 4
    for name, future in zip(("Yellow", "Green", "MeWM3", "MeWM4"), panel.review.shown, strict=False):
        assert _shown(desk, name)[1] == future.simulated.GetID()
        assert (
            future.tissue.GetDisplayNode().GetViewNodeIDs()[0]
            == desk.scene.GetSingletonNode(name, "vtkMRMLSliceNode").GetID()
        )
    plotted = [
        run.chart.GetNthPlotSeriesNode(n).GetYColumnName() for n in range(run.chart.GetNumberOfPlotSeriesNodes())
    ]
    assert plotted == shown
    ui.fadeSlider.value = 30
    ui.differenceCheckBox.click()
    ui.necrosisCheckBox.click()
    desk.settle()
    first = panel.review.shown[0]
    node = desk.scene.GetSingletonNode("Yellow", "vtkMRMLSliceCompositeNode")
    assert node.GetForegroundOpacity() == pytest.approx(0.3)
    assert node.GetNthLayerVolumeID(3) == first.difference.GetID()
    assert ui.legendLabel.visible
    segments = first.tissue.GetSegmentation()
    seen = {
        segments.GetSegment(i).GetName(): first.tissue.GetDisplayNode().GetSegmentVisibility(i)
        for i in segments.GetSegmentIDs()
    }
    assert seen == {"Viable tumour": True, "Necrosis": False, "Lipiodol": True}
    ui.lipiodolButton.click()
    for volume in (ct, first.simulated):
        assert volume.GetDisplayNode().GetWindow() == 1500
    np.testing.assert_array_equal(slicer_util.arrayFromVolume(ct), before)


def test_a_view_that_comes_in_later_shows_the_same_slice(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:2], future_files, ct)
    finish(desk, rows[:2], result)
    red, green = (desk.scene.GetSingletonNode(name, "vtkMRMLSliceNode") for name in ("Red", "Green"))
    # As Slicer leaves it when a volume is loaded: the CT in every view, Green coronal.
    desk.scene.GetSingletonNode("Green", "vtkMRMLSliceCompositeNode").SetBackgroundVolumeID(ct.GetID())
    green.SetOrientation("Coronal")
    red.JumpSliceByOffsetting(0, 0, 3)
    red.SetXYZOrigin(4, 5, 0)
    desk.panel.review.select([row["protocol_id"] for row in rows[:2]])
    matrices = [slicer_util.arrayFromVTKMatrix(node.GetSliceToRAS()) for node in (red, green)]
    np.testing.assert_array_equal(*matrices)
    assert green.GetXYZOrigin() == red.GetXYZOrigin() == (4, 5, 0)
    assert green.GetFieldOfView()[0] == red.GetFieldOfView()[0]
    # What the user does to it afterwards stays.
    green.SetOrientation("Sagittal")
    desk.panel.review.select([row["protocol_id"] for row in rows[1::-1]])
    assert green.GetOrientation() == "Sagittal"


def test_the_scale_is_the_same_in_all_views_once_the_layout_has_its_sizes(
    desk, case_nodes, rows, future_files, result, slicer_session
):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:2], future_files, ct)
    finish(desk, rows[:2], result)
    views = slicer_session[2].slices
    for name, size in (("Red", (400, 300)), ("Yellow", (256, 256)), ("Green", (100, 900))):
        desk.scene.GetSingletonNode(name, "vtkMRMLSliceNode").SetDimensions(*size, 1)
    desk.ui.centreButton.click()
    desk.panel.review.select([row["protocol_id"] for row in rows[:2]])
    # What Slicer does when a view is given its size: one row, of one height.
    for name, width in (("Red", 500), ("Yellow", 420), ("Green", 420)):
        views[name].ResizeSliceNode(width, 600)
    nodes = [desk.scene.GetSingletonNode(name, "vtkMRMLSliceNode") for name in ("Red", "Yellow", "Green")]
    scales = [node.GetFieldOfView()[axis] / node.GetDimensions()[axis] for node in nodes for axis in (0, 1)]
    np.testing.assert_allclose(scales, scales[0], rtol=0.01)


def test_a_scene_saved_with_the_layout_opens_where_the_layout_was_not_known(desk, slicer_session):
    from MeWMModuleLib import layouts

    node = slicer_session[2].layout.GetLayoutNode()
    for count in range(1, 5):
        node.SetLayoutDescription(layouts.layout_id(count), "")
    node.SetViewArrangement(layouts.layout_id(2))
    assert not node.GetCurrentLayoutDescription()
    # At the start of Slicer, before the panel is shown, and when the panel shows the run.
    assert layouts.register_layouts(desk.scene) == node
    assert all(node.IsLayoutDescription(layouts.layout_id(count)) for count in range(1, 5))
    layouts.show_layout(desk.scene, 2)
    assert node.GetCurrentLayoutDescription() == layouts.layout_description(2)


def test_cancel_takes_everything_back(desk, case_nodes, rows, future_files):
    ct, segmentation = case_nodes(desk)
    before = desk.node_ids()
    desk.ui.exploreButton.click()
    desk.wait(lambda: desk.engine.requests)
    stream(desk, rows[:2], future_files, ct)
    display, tumour = segmentation.GetDisplayNode(), desk.panel.parameters.tumour_segment
    assert desk.node_ids() != before and not display.GetSegmentVisibility(tumour)
    others = set(segmentation.GetSegmentation().GetSegmentIDs()) - {tumour, desk.panel.parameters.liver_segment}
    assert display.GetVisibility() and all(display.GetSegmentVisibility(other) for other in others)
    desk.ui.exploreButton.click()
    desk.settle()
    assert desk.engine.cancelled == [1] and not desk.ui.exploreButton.enabled
    desk.engine.send("error", kind="cancelled", message="Cancelled.")
    desk.settle()
    assert desk.node_ids() - before <= {n for n in desk.node_ids() if "Composite" in n or "View" in n}
    assert display.GetSegmentVisibility(tumour)
    assert desk.ui.statusLabel.text == "Cancelled; nothing was kept."
    assert desk.ui.exploreButton.text == "Explore" and desk.ui.exploreButton.enabled


def test_cancel_before_anything_was_sent(desk, case_nodes):
    case_nodes(desk)
    desk.ui.exploreButton.click()
    desk.ui.exploreButton.click()
    desk.settle()
    assert desk.engine.requests == [] and not desk.panel.controller.busy


@pytest.mark.parametrize("which", ["CT", "tumour segmentation"])
def test_deleting_an_input_stops_the_run(desk, case_nodes, rows, future_files, which):
    ct, segmentation = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    desk.scene.RemoveNode(ct if which == "CT" else segmentation)
    desk.settle()
    assert desk.ui.statusLabel.text == f"The {which} was deleted, so the run was stopped; nothing was kept."
    assert desk.engine.cancelled == [1]
    assert desk.panel.review.run is None and not desk.panel.controller.busy
    stream(desk, rows[:1], future_files, ct) if which != "CT" else None
    assert desk.panel.review.run is None


def test_closing_the_scene_stops_the_run(desk, case_nodes, rows, future_files):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:2], future_files, ct)
    desk.scene.Clear(False)
    desk.settle()
    assert desk.engine.cancelled == [1]
    assert desk.ui.statusLabel.text.startswith("The scene was closed")
    assert desk.panel.parameters.ct is None and desk.panel.review.run is None
    assert desk.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
    desk.engine.send("scored", row=rows[0])
    desk.settle()
    assert desk.panel.review.run is None


def test_two_runs_in_a_row_lie_side_by_side_and_go_one_by_one(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    inputs = desk.node_ids()
    for number in (1, 2):
        desk.wait(lambda: desk.ui.exploreButton.enabled)
        if number == 2:
            desk.ui.exploreButton.click()
            desk.wait(lambda: len(desk.engine.requests) == 2)
        stream(desk, rows[:2], future_files, ct)
        finish(desk, rows[:2], result)
    from MeWMModuleLib.live_run import runs_in

    assert len(runs_in(desk.scene)) == 2 and desk.ui.runComboBox.count == 2
    for left in (1, 0):
        desk.ui.removeRunButton.click()
        desk.settle()
        assert len(runs_in(desk.scene)) == left
    assert desk.scene.IsNodePresent(ct)
    leftover = {i for i in desk.node_ids() - inputs if desk.scene.GetNodeByID(i).GetAttribute("MeWM.Run")}
    assert leftover == set()


def test_an_error_of_the_engine_is_told_in_its_words(desk, case_nodes):
    explore(desk, case_nodes)
    desk.engine.send("error", kind="input", message="The lesion lies outside the CT; choose another mask.")
    desk.settle()
    assert desk.ui.statusLabel.text == "The lesion lies outside the CT; choose another mask."
    assert desk.ui.exploreButton.enabled and desk.panel.review.run is None


def test_an_export_without_its_pdf_says_so_and_how_to_get_it(desk):
    missing = ["The page protocol.pdf is missing, because the Python package fpdf2 is not installed."]
    desk.panel.export.finished("export", {"out": "/a", "files": ["protocol.json"], "pdf": None, "missing": missing})
    told = desk.ui.statusLabel.text
    assert told.startswith("Exported to /a: 1 files. The page protocol.pdf is missing") and "restart" in told
    done = {"out": "/a", "files": ["protocol.json", "protocol.pdf"], "pdf": "protocol.pdf", "missing": []}
    desk.panel.export.finished("export", done)
    assert desk.ui.statusLabel.text == "Exported to /a: 2 files; read protocol.pdf first."


def test_a_future_that_does_not_fit_the_ct_stops_the_run(desk, case_nodes, rows, tmp_path):
    import phantom_run

    explore(desk, case_nodes)
    files = {"ct": str(tmp_path / "c.nrrd"), "tissue": str(tmp_path / "t.nrrd")}
    for path, kind in zip(files.values(), (np.int16, np.uint8), strict=True):
        phantom_run.write_nrrd(path, np.ones((3, 3, 3), kind), np.eye(3), (0, 0, 0))
    desk.engine.send("simulated", protocol_id="x", protocol="Lobaplatin 30 mg", complete=True, files=files, box={})
    desk.settle()
    assert "does not lie on the voxels" in desk.ui.statusLabel.text
    assert desk.panel.review.run is None and desk.engine.cancelled == [1]


def test_a_row_without_volumes_is_fetched(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    finish(desk, rows[:3], result)
    desk.panel.review.select([rows[2]["protocol_id"]])
    desk.settle()
    method, params, _ = desk.engine.requests[-1]
    assert (method, params["protocol_id"]) == ("volumes", rows[2]["protocol_id"])
    stream(desk, rows[2:3], future_files, ct)
    desk.engine.send("done", result={**result(rows[:3]), "protocol_id": rows[2]["protocol_id"]})
    desk.settle()
    assert [future.text for future in desk.panel.review.shown] == [rows[2]["protocol"]]


def test_the_whole_simulated_ct_is_the_ct_with_the_future_in_it(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    finish(desk, rows[:1], result)
    desk.ui.wholeVolumeButton.click()
    (whole,) = [n for n in slicer_util.getNodesByClass("vtkMRMLScalarVolumeNode") if "whole" in n.GetName()]
    expected = slicer_util.arrayFromVolume(ct).copy()
    expected[6:13, 12:24, 15:28][2:4, 3:8, 3:9] = 700
    np.testing.assert_array_equal(slicer_util.arrayFromVolume(whole), expected)
    assert whole.GetAttribute("MeWM.Synthetic") == "1" and whole.GetName().startswith("SIMULATED")


def test_closing_the_module_in_the_middle_says_and_leaves_nothing(desk, case_nodes, rows, future_files):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    desk.panel.close()
    desk.engine.send("scored", row=rows[0])
    desk.settle()
    assert not [n for n in desk.node_ids() if desk.scene.GetNodeByID(n).GetAttribute("MeWM.Run")]


def test_the_chosen_future_gets_surfaces_that_lie_where_its_tissue_lies(desk, case_nodes, rows, future_files):
    from MeWMModuleLib.masks import ijk_to_ras

    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    tissue = desk.panel.review.shown[0].tissue
    segmentation = tissue.GetSegmentation()
    desk.wait(lambda: segmentation.GetNthSegment(0).GetRepresentation("Closed surface"), what="the surfaces")
    assert tissue.GetDisplayNode().GetDisplayRepresentationName3D() == "Closed surface"
    assert tissue.GetDisplayNode().GetDisplayRepresentationName2D() == "Binary labelmap"
    matrix = ijk_to_ras(ct)
    for identifier in segmentation.GetSegmentIDs():
        surface = segmentation.GetSegment(identifier).GetRepresentation("Closed surface")
        if segmentation.GetSegment(identifier).GetName() != "Lipiodol":
            continue
        # The oil fills voxels 15+3…15+8, 12+3…12+7, 6+2…6+3 of the CT.
        corners = [(matrix @ (*ijk, 1))[:3] for ijk in ((17.5, 14.5, 7.5), (23.5, 19.5, 9.5))]
        low, high = np.min(corners, axis=0), np.max(corners, axis=0)
        bounds = np.array(surface.GetBounds())
        np.testing.assert_allclose(bounds[0::2], low, atol=1.5)
        np.testing.assert_allclose(bounds[1::2], high, atol=1.5)
        from vtkmodules.vtkFiltersCore import vtkMassProperties, vtkTriangleFilter

        triangles = vtkTriangleFilter()
        triangles.SetInputData(surface)
        properties = vtkMassProperties()
        properties.SetInputConnection(triangles.GetOutputPort())
        assert properties.GetVolume() == pytest.approx(6 * 5 * 2 * 1.5 * 1.5 * 3, rel=0.3)


def test_a_run_that_is_cancelled_while_a_future_comes_in_leaves_no_half_of_it(desk, case_nodes, rows, future_files):
    case_nodes(desk)
    before = desk.node_ids()
    ct = desk.panel.parameters.ct
    for turns in range(1, 9):
        desk.wait(lambda: desk.ui.exploreButton.enabled)
        asked = len(desk.engine.requests)
        desk.ui.exploreButton.click()
        desk.wait(lambda asked=asked: len(desk.engine.requests) > asked)
        best = {"protocol_id": rows[0]["protocol_id"], "protocol": rows[0]["protocol"]}
        desk.engine.send("simulated", **best, complete=True, files=future_files(ct), box={})
        for _ in range(turns):
            desk.application.processEvents()
        desk.panel.controller._drop("stopped")
        desk.settle()
        left = {i for i in desk.node_ids() - before if "View" not in i and "Composite" not in i}
        assert left == set(), turns
