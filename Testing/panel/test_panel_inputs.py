"""The inputs of the panel: what is missing is told, what is chosen is kept in the scene."""

import numpy as np
import pytest


def _reason(desk):
    desk.settle()
    assert desk.ui.exploreButton.enabled == (not desk.ui.reasonLabel.text)
    assert desk.ui.reasonLabel.visible == bool(desk.ui.reasonLabel.text)
    return desk.ui.reasonLabel.text


def test_an_empty_panel_says_what_to_do_first(desk):
    assert _reason(desk) == "Choose the pre-treatment CT, or load the sample case."


def test_the_likely_segment_is_chosen(desk, case_nodes):
    _, segmentation = case_nodes(desk)
    assert _reason(desk) == ""
    chosen = segmentation.GetSegmentation().GetSegment(desk.panel.parameters.tumour_segment)
    assert chosen.GetName() == "Tumour HCC"
    assert desk.ui.tumourSegmentComboBox.currentText == "Tumour HCC"
    desk.ui.liverSelector.setCurrentNode(segmentation)
    desk.settle()
    assert desk.ui.liverSegmentComboBox.currentText == "Liver"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tumour": None}, "Choose the segmentation that holds the tumour. If there is none, outline it in"),
        ({"case_name": "Jane Doe"}, "Give the case a name"),
        ({"fact_child_pugh": "A9"}, "Child-Pugh is 'A9', but 9 points are class B"),
        ({"fact_bilirubin_mg_dl": "high"}, "Bilirubin is 'high'; give a number"),
        ({"fact_albumin_g_dl": "42"}, "ten times as large"),
        ({"unavailable": "lipiodol,doxorubicin_eluting_beads"}, "The formulary leaves no complete protocol"),
    ],
)
def test_what_stands_in_the_way_is_told_in_words(desk, case_nodes, change, words):
    case_nodes(desk)
    for name, value in change.items():
        setattr(desk.panel.parameters, name, value)
    assert words in _reason(desk)


def test_a_transform_on_the_ct_is_refused(desk, case_nodes):
    ct, _ = case_nodes(desk)
    transform = desk.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    ct.SetAndObserveTransformNodeID(transform.GetID())
    desk.panel.schedule()
    assert "CT lies under a transform; harden it first" in _reason(desk)


def test_a_label_map_is_accepted(desk, case_nodes):
    import slicer

    case_nodes(desk)
    labels = desk.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    array = np.zeros((20, 40, 50), np.uint8)
    array[3:9, 10:20, 10:20], array[4:7, 12:15, 12:15] = 1, 2
    slicer.util.updateVolumeFromArray(labels, array)
    labels.CopyOrientation(desk.panel.parameters.ct)
    desk.panel.parameters.tumour = labels
    desk.settle()
    assert [desk.ui.tumourSegmentComboBox.itemText(n) for n in range(2)] == ["Label 1", "Label 2"]
    desk.ui.tumourSegmentComboBox.currentIndex = 1
    assert _reason(desk) == ""
    desk.ui.exploreButton.click()
    desk.wait(lambda: desk.engine.requests)
    sitk = pytest.importorskip("SimpleITK")
    mask = sitk.GetArrayFromImage(sitk.ReadImage(desk.engine.requests[0][1]["case"]["lesion"]))
    np.testing.assert_array_equal(mask, array == 2)


def test_an_empty_segment_is_told(desk, case_nodes):
    _, segmentation = case_nodes(desk)
    identifier = segmentation.GetSegmentation().AddEmptySegment("nothing", "nothing")
    desk.panel.parameters.tumour_segment = identifier
    desk.settle()
    desk.ui.exploreButton.click()
    desk.wait(lambda: not desk.panel.controller.busy)
    assert "The mask nothing of Segmentation is empty" in desk.ui.statusLabel.text


def test_a_path_can_be_cleared_again(desk):
    edit = desk.ui.enginePythonPathLineEdit
    edit.currentPath = "/usr/bin/python3"
    assert desk.panel.settings.engine_python == "/usr/bin/python3"
    edit.currentPath = ""
    desk.settle()
    assert desk.panel.settings.engine_python == "" and edit.currentPath == ""


def test_paths_of_this_machine_stay_out_of_the_scene(desk, tmp_path):
    import slicer

    desk.ui.enginePythonPathLineEdit.currentPath = "/usr/bin/python3"
    desk.ui.runsFolderPathLineEdit.currentPath = str(tmp_path)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrml"))
    saved = (tmp_path / "scene.mrml").read_text(encoding="utf-8")
    assert "/usr/bin/python3" not in saved and "RunsFolder" not in saved
    desk.scene.Clear(False)
    desk.settle()
    assert desk.panel.settings.engine_python == desk.ui.enginePythonPathLineEdit.currentPath == "/usr/bin/python3"
    assert desk.panel.runs_folder() == tmp_path
    desk.ui.enginePythonPathLineEdit.currentPath = ""


def test_a_scene_that_is_read_restores_the_segments_that_were_chosen(desk, case_nodes, tmp_path):
    """Slicer's progress window lets the panel act while the scene is half read; no likely segment is chosen then."""
    import slicer

    _, segmentation = case_nodes(desk)
    chosen = segmentation.GetSegmentation().GetSegmentIdBySegmentName("Liver")
    desk.panel.parameters.tumour_segment = chosen
    desk.settle()
    file = tmp_path / "scene.mrb"
    slicer.util.saveScene(str(file))
    tag = desk.scene.AddObserver(desk.scene.NodeAddedEvent, lambda *_event: desk.application.processEvents())
    # As vtkMRMLScene::Connect does: all in one batch.
    desk.scene.StartState(desk.scene.BatchProcessState)
    desk.scene.Clear(False)
    slicer.util.loadScene(str(file))
    desk.scene.EndState(desk.scene.BatchProcessState)
    desk.scene.RemoveObserver(tag)
    desk.settle()
    parameters = desk.panel.parameters
    assert parameters.tumour_segment == chosen
    assert parameters.ct.GetName() == "CT" and parameters.tumour.GetName() == "Segmentation"
    assert desk.ui.tumourSelector.currentNode().GetName() == "Segmentation"
    assert desk.ui.tumourSegmentComboBox.currentText == "Liver"


def test_a_saved_scene_restores_everything(desk, case_nodes, rows, future_files, result, tmp_path):
    import slicer

    ct, _ = case_nodes(desk)
    desk.ui.exploreButton.click()
    desk.wait(lambda: desk.engine.requests)
    for row, name in zip(rows[:2], "ab", strict=True):
        desk.engine.send(
            "simulated",
            protocol_id=row["protocol_id"],
            protocol=row["protocol"],
            complete=True,
            files=future_files(ct, name),
            box={},
        )
    desk.engine.send("done", result=result(rows[:2]))
    desk.settle()
    parameters = desk.panel.parameters
    parameters.fact_bclc, parameters.fact_ascites, parameters.fact_jaundice = "B", "mild", True
    parameters.beams, parameters.goal, parameters.unavailable = 3, "avoid platinum", "cisplatin,pva"
    parameters.own_protocol, parameters.fade, parameters.show_difference = "Epirubicin 50 mg", 40, True
    desk.panel.review.select([rows[1]["protocol_id"]])
    desk.settle()
    red = desk.scene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    red.SetSliceOffset(red.GetSliceOffset() + 7)
    place = red.GetSliceOffset()
    names = list(type(parameters).allParameters)
    before = {name: getattr(parameters, name) for name in names}
    before = {name: value.GetName() if hasattr(value, "GetName") else value for name, value in before.items()}
    file = tmp_path / "scene.mrb"
    slicer.util.saveScene(str(file))
    desk.scene.Clear(False)
    desk.settle()
    assert desk.panel.parameters.beams == 5 and desk.ui.goalLineEdit.text == ""
    assert desk.panel.review.run is None
    slicer.util.loadScene(str(file))
    desk.settle()
    parameters = desk.panel.parameters
    after = {name: getattr(parameters, name) for name in names}
    after = {name: value.GetName() if hasattr(value, "GetName") else value for name, value in after.items()}
    assert after == before
    assert desk.ui.goalLineEdit.text == "avoid platinum" and desk.ui.bclcComboBox.currentText == "B"
    assert desk.ui.beamsSpinBox.value == 3 and desk.ui.fadeSlider.value == 40
    run = desk.panel.review.run
    assert run.complete and len(run.rows()) == 2 and run.ct.GetName() == "CT"
    assert [future.text for future in desk.panel.review.shown] == [rows[1]["protocol"]]
    assert desk.panel.review.chosen["protocol_id"] == rows[1]["protocol_id"]
    assert desk.scene.GetSingletonNode("Red", "vtkMRMLSliceNode").GetSliceOffset() == pytest.approx(place)
    assert "No liver mask" in desk.ui.warningsLabel.text


def test_only_models_with_weights_are_offered_and_learned_ones_ask_for_pytorch(desk, case_nodes, monkeypatch, tmp_path):
    from mewm.survival import choose
    from MeWMModuleLib.model_choices import model_choices, needs_pytorch

    monkeypatch.setattr(choose, "trained_bundles", lambda: {})
    assert model_choices()["survival"] == [("cox", "Cox regression")]
    monkeypatch.setattr(choose, "trained_bundles", lambda: {"attention": tmp_path})
    assert model_choices()["survival"][1] == ("attention", "attention network (learned)")
    case_nodes(desk)
    assert not needs_pytorch(desk.panel.parameters)
    asked = []
    desk.panel._dependencies.ensure = lambda python="", learned=False: asked.append(learned)
    desk.panel.parameters.survival = "attention"
    desk.ui.exploreButton.click()
    desk.settle()
    assert asked == [True] and desk.engine.requests[0][1]["survival"] == "attention"


def test_the_facts_of_the_sample_are_no_facts_of_another_patient(real_desk, case_nodes):
    panel, ui = real_desk.panel, real_desk.ui
    ui.sampleButton.click()
    real_desk.wait(lambda: not panel.controller.busy, 60, "the sample")
    real_desk.settle()
    assert panel.parameters.fact_child_pugh and "stated)" in ui.factsCollapsibleButton.text
    case_nodes(real_desk)
    assert not panel.parameters.fact_child_pugh and ui.factsCollapsibleButton.text == "Clinical facts (optional)"
    assert "facts of the sample were taken back" in ui.statusLabel.text
    ui.childPughLineEdit.text = "B7"
    real_desk.settle()
    assert ui.factsCollapsibleButton.text == "Clinical facts (1 stated)"
