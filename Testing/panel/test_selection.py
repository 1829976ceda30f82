"""What is selected and what is seen are the same, or the panel says why not."""

from engine_steps import explore, finish, stream


def _foreground(desk, name="Yellow"):
    return desk.scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode").GetForegroundVolumeID()


def _outlined(run):
    return [future.protocol_id for future in run.futures() if future.tissue.GetDisplayNode().GetVisibility()]


def test_no_picture_stands_for_a_protocol_that_it_is_not_of(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    finish(desk, rows[:2], result)
    first, second = (row["protocol_id"] for row in rows[:2])
    run = desk.panel.review.run
    assert _foreground(desk) == run.future(first).simulated.GetID() and _outlined(run) == [first]
    assert not desk.ui.selectionLabel.visible
    desk.panel.review.select([second])
    desk.settle()
    assert desk.engine.requests[-1][0] == "volumes"
    assert _foreground(desk) is None and _outlined(run) == []
    assert desk.ui.selectionLabel.text == "The simulated CT of this protocol is not there yet."
    desk.engine.send("error", kind="cancelled", message="Cancelled.")
    desk.settle()
    assert "select another row, then this again" in desk.ui.selectionLabel.text
    desk.panel.review.select([first, second])
    desk.settle()
    stream(desk, rows[1:2], future_files, ct)
    desk.engine.send("done", result={**result(rows[:2]), "protocol_id": second})
    desk.settle()
    assert [_foreground(desk, name) for name in ("Yellow", "Green")] == [
        run.future(one).simulated.GetID() for one in (first, second)
    ]
    assert desk.ui.selectionLabel.text == "2 protocols are compared."


def test_another_volume_that_the_user_put_into_the_view_stays(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    finish(desk, rows[:2], result)
    desk.scene.GetSingletonNode("Yellow", "vtkMRMLSliceCompositeNode").SetForegroundVolumeID(ct.GetID())
    desk.panel.review.select([rows[1]["protocol_id"]])
    desk.settle()
    assert _foreground(desk) == ct.GetID()


def test_the_users_own_protocol_stands_out_in_the_table(desk, case_nodes, rows, result):
    explore(desk, case_nodes)
    finish(desk, [rows[0], {**rows[1], "origin": "yours"}], result)
    model = desk.panel.review.ranking.model
    assert [model.item(n, 1).font().bold() for n in range(2)] == [False, True]
    assert "Entered by you." in model.item(1, 1).toolTip() and "Entered" not in model.item(0, 1).toolTip()
