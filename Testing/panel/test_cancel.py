"""After a cancellation everything is as it was before the job, and the panel says what is left."""

from engine_steps import explore, finish, stream


def _cancel(desk):
    desk.ui.exploreButton.click()
    desk.settle()
    desk.engine.send("error", kind="cancelled", message="Cancelled.")
    desk.settle()


def test_the_views_of_the_user_come_back_when_the_only_run_is_cancelled(
    desk, case_nodes, rows, future_files, slicer_session
):
    layout = slicer_session[2].layout.GetLayoutNode()
    layout.SetViewArrangement(3)
    view, composite = (desk.scene.GetSingletonNode("Yellow", f"vtkMRMLSlice{kind}Node") for kind in ("", "Composite"))
    view.SetOrientation("Sagittal")
    for switch in (composite.SetHotLinkedControl, composite.SetLinkedControl):
        switch(False)
    ct, _ = explore(desk, case_nodes)
    assert "not kept" in desk.ui.exploreButton.toolTip
    stream(desk, rows[:2], future_files, ct)
    assert layout.GetViewArrangement() > 100 and view.GetOrientation() == "Axial"
    _cancel(desk)
    assert layout.GetViewArrangement() == 3 and view.GetOrientation() == "Sagittal"
    assert not composite.GetLinkedControl() and composite.GetForegroundVolumeID() is None
    assert desk.ui.exploreButton.toolTip.startswith("Propose")


def test_the_views_stay_another_modules_when_it_was_left_before_the_cancellation(
    desk, case_nodes, rows, future_files, slicer_session
):
    layout = slicer_session[2].layout.GetLayoutNode()
    layout.SetViewArrangement(3)
    ct, segmentation = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    desk.widget.exit()
    layout.SetViewArrangement(6)
    view = desk.scene.GetSingletonNode("Yellow", "vtkMRMLSliceNode")
    view.SetOrientation("Coronal")
    _cancel(desk)
    assert layout.GetViewArrangement() == 6 and view.GetOrientation() == "Coronal"
    assert segmentation.GetDisplayNode().GetSegmentVisibility(desk.panel.parameters.tumour_segment)


def test_the_run_and_the_selection_of_before_are_shown_again(desk, case_nodes, rows, future_files, result):
    ct, segmentation = explore(desk, case_nodes)
    stream(desk, rows[:2], future_files, ct)
    finish(desk, rows[:2], result)
    chosen = rows[1]["protocol_id"]
    desk.panel.review.select([chosen])
    desk.settle()
    before = desk.panel.parameters.run
    desk.ui.exploreButton.click()
    desk.wait(lambda: len(desk.engine.requests) == 2, what="the second request")
    stream(desk, rows[2:4], future_files, ct)
    assert desk.panel.parameters.run != before
    _cancel(desk)
    assert desk.panel.parameters.run == before and desk.panel.parameters.selected == chosen
    assert [future.protocol_id for future in desk.panel.review.shown] == [chosen]
    assert desk.panel.review.ranking.model.rowCount() == 2 and len(desk.engine.requests) == 2
    # The run that is shown again still needs the room of the user's tumour.
    assert not segmentation.GetDisplayNode().GetSegmentVisibility(desk.panel.parameters.tumour_segment)


def test_a_cancelled_own_protocol_says_that_the_others_stay(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:2], future_files, ct)
    finish(desk, rows[:2], result)
    desk.panel.parameters.own_protocol = "Epirubicin 50 mg; Lipiodol 10 ml"
    desk.settle()
    desk.ui.simulateButton.click()
    desk.wait(lambda: desk.engine.requests[-1][0] == "simulate", what="the request")
    _cancel(desk)
    assert desk.ui.statusLabel.text == "Cancelled; the protocols that were there stay."
    assert desk.panel.review.ranking.model.rowCount() == 2 and desk.panel.review.shown
