"""What the panel must not do: ask again and again, take views back, mix up patients, fall over deleted nodes."""

import pytest
import slicer
import slicer.util as slicer_util
from engine_steps import explore, finish, stream

from mewm.errors import InputError


def test_volumes_that_were_cancelled_or_failed_are_not_asked_for_again_by_themselves(
    desk, case_nodes, rows, future_files, result
):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    finish(desk, rows[:3], result)
    for event in ({"kind": "cancelled", "message": "Cancelled."}, {"kind": "input", "message": "The folder is gone."}):
        asked = len(desk.engine.requests)
        desk.panel.review.select([rows[0]["protocol_id"]])
        desk.panel.review.select([rows[2]["protocol_id"], rows[1]["protocol_id"]])
        desk.settle()
        assert len(desk.engine.requests) == asked + 1
        desk.engine.send("error", **event)
        desk.settle()
        assert len(desk.engine.requests) == asked + 1 and not desk.panel.controller.busy
    assert desk.ui.statusLabel.text == "The folder is gone."


def test_volumes_that_were_dropped_are_asked_for_once_and_shown(desk, case_nodes, rows, future_files, result, tmp_path):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:2], future_files, ct)
    desk.engine.send("done", result=result(rows[:2], tmp_path / "run"))
    desk.settle()
    first, second = (row["protocol_id"] for row in rows[:2])
    run = desk.panel.review.run
    run.drop_future(second)
    desk.settle()
    asked = len(desk.engine.requests)
    assert run.row(second) and run.future(second) is None and desk.panel.review.shown[0].protocol_id == first
    desk.panel.review.select([second])
    # What else happens meanwhile is no second click.
    for _ in range(3):
        desk.panel.schedule()
        desk.settle()
    desk.scene.AddNewNodeByClass("vtkMRMLTextNode", "a note of the user's")
    desk.settle()
    assert [(method, params) for method, params, _ in desk.engine.requests[asked:]] == [
        ("volumes", {"run": str(tmp_path / "run"), "protocol_id": second})
    ]
    stream(desk, rows[1:2], future_files, ct)
    desk.engine.send("done", result={**result(rows[:2], tmp_path / "run"), "protocol_id": second})
    desk.settle()
    assert [future.protocol_id for future in desk.panel.review.shown] == [second]
    # Now that they are there, a click shows them and asks for nothing.
    for chosen in (first, second):
        desk.panel.review.select([chosen])
        desk.settle()
        assert desk.panel.review.shown[0].protocol_id == chosen
    assert len(desk.engine.requests) == asked + 1


def test_a_future_that_the_user_deletes_stays_deleted(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    finish(desk, rows[:1], result)
    asked = len(desk.engine.requests)
    desk.scene.RemoveNode(desk.panel.review.shown[0].simulated)
    desk.settle()
    assert len(desk.engine.requests) == asked and not desk.panel.review.shown
    desk.panel.review.select([rows[0]["protocol_id"]])
    desk.settle()
    assert desk.engine.requests[-1][0] == "volumes"


def test_a_ct_that_the_user_deletes_takes_the_review_with_it(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    finish(desk, rows[:1], result)
    run, future = desk.panel.review.run, desk.panel.review.shown[0]
    desk.scene.RemoveNode(ct)
    desk.settle()
    assert not desk.panel.review.shown and not desk.ui.reviewCollapsibleButton.enabled
    desk.ui.fadeSlider.value = 20
    desk.settle()
    with pytest.raises(InputError, match="no longer in the scene"):
        run.add_whole_volume(future)


def test_views_and_layout_are_left_to_another_module(desk, case_nodes, rows, future_files, result, slicer_session):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    node = slicer_session[2].layout.GetLayoutNode()
    desk.widget.exit()
    node.SetViewArrangement(6)
    view = desk.scene.GetSingletonNode("Yellow", "vtkMRMLSliceCompositeNode")
    view.SetForegroundVolumeID(None)
    stream(desk, rows[1:2], future_files, ct)
    finish(desk, rows[:2], result)
    assert node.GetViewArrangement() == 6 and view.GetForegroundVolumeID() is None
    desk.widget.enter()
    desk.settle()
    assert view.GetForegroundVolumeID() == desk.panel.review.shown[0].simulated.GetID()


def test_the_views_are_given_back_with_the_last_run(desk, case_nodes, rows, future_files, result, slicer_session):
    layout = slicer_session[2].layout.GetLayoutNode()
    layout.SetViewArrangement(3)
    view, composite = (desk.scene.GetSingletonNode("Yellow", f"vtkMRMLSlice{kind}Node") for kind in ("", "Composite"))
    view.SetOrientation("Sagittal")
    for switch in (composite.SetHotLinkedControl, composite.SetLinkedControl):
        switch(False)
    ct, _ = explore(desk, case_nodes)
    composite.SetBackgroundVolumeID(ct.GetID())
    stream(desk, rows[:1], future_files, ct)
    finish(desk, rows[:1], result)
    assert layout.GetViewArrangement() > 100 and view.GetOrientation() == "Axial" and composite.GetForegroundVolumeID()
    desk.ui.removeRunButton.click()
    desk.settle()
    assert layout.GetViewArrangement() == 3 and view.GetOrientation() == "Sagittal"
    assert not composite.GetLinkedControl() and composite.GetBackgroundVolumeID() == ct.GetID()
    assert composite.GetForegroundVolumeID() is None


def test_a_simulated_ct_is_no_input(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    finish(desk, rows[:1], result)
    future = desk.panel.review.shown[0]
    tissue_of = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert future.tissue.GetNodeReference(tissue_of) is future.simulated
    desk.panel.parameters.ct = future.simulated
    desk.settle()
    assert "is simulated" in desk.ui.reasonLabel.text and not desk.ui.exploreButton.enabled


def test_a_patients_name_does_not_stay_for_the_next(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    desk.ui.patientNameLineEdit.text = "Jane Roe"
    stream(desk, rows[:1], future_files, ct)
    finish(desk, rows[:1], result)
    assert desk.ui.patientNameLineEdit.text == ""
    desk.ui.patientNameLineEdit.text = "Jane Roe"
    desk.panel.schedule()
    desk.settle()
    assert desk.ui.patientNameLineEdit.text == "Jane Roe"
    desk.panel.parameters.ct = None
    desk.settle()
    assert desk.ui.patientNameLineEdit.text == ""


def test_a_protocol_for_another_ct_is_no_row_of_the_run_that_is_shown(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    finish(desk, rows[:1], result)
    parameters = desk.panel.parameters
    other = slicer_util.addVolumeFromArray(slicer_util.arrayFromVolume(ct).copy(), name="other patient")
    other.CopyOrientation(ct)
    parameters.ct, parameters.own_protocol = other, "Epirubicin 50 mg; Lipiodol 10 ml"
    desk.settle()
    assert desk.ui.simulateButton.enabled, desk.ui.ownReasonLabel.text
    desk.ui.simulateButton.click()
    desk.wait(lambda: desk.engine.requests[-1][0] == "simulate")
    assert "add_to" not in desk.engine.requests[-1][1] and "case" in desk.engine.requests[-1][1]


def test_a_damaged_run_is_told_and_leaves_nothing(desk, tmp_path):
    import phantom_run

    phantom_run.write_run(tmp_path / "run")
    (tmp_path / "run" / "ranking.json").write_text('{"rows": [', encoding="utf-8")
    before = desk.node_ids()
    desk.panel.load_run(str(tmp_path / "run"))
    assert "ranking.json cannot be read" in desk.ui.statusLabel.text
    assert desk.node_ids() == before and desk.panel.review.run is None
