"""The user's own protocol: picked or typed, judged in words, overridden knowingly."""

import pytest
from engine_steps import column

FORBIDDEN = "Lobaplatin 30 mg; Cisplatin 50 mg; Lipiodol 10 ml"


def _agent(desk, name):
    table = desk.ui.agentsTable
    return next(row for row in range(table.rowCount) if table.item(row, 0).text() == name)


def test_picking_writes_the_text_and_typing_ticks_the_table(desk):
    from PySide6.QtCore import Qt

    table = desk.ui.agentsTable
    table.item(_agent(desk, "Lobaplatin"), 0).setCheckState(Qt.Checked)
    desk.settle()
    table.item(_agent(desk, "Gelatin Sponge"), 3).setText("350")
    desk.settle()
    table.item(_agent(desk, "Lobaplatin"), 1).setText("40")
    desk.settle()
    assert desk.ui.ownProtocolLineEdit.text == "Lobaplatin 40 mg; Gelatin Sponge 350 µm"
    desk.ui.ownProtocolLineEdit.text = "epirubicin 45mg + lipiodol 8 ml"
    desk.settle()
    ticked = [
        (table.item(row, 0).text(), table.item(row, 1).text())
        for row in range(table.rowCount)
        if table.item(row, 0).checkState() == Qt.Checked
    ]
    assert sorted(ticked) == [("Epirubicin", "45"), ("Lipiodol", "8")]
    # Reading the text does not rewrite what the user typed.
    assert desk.ui.ownProtocolLineEdit.text == "epirubicin 45mg + lipiodol 8 ml"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Pick agents or type a protocol."),
        ("Lobaplatin 30 mg; Wonderdrug 5 mg; Lipiodol 10 ml", "Wonderdrug: not in the action base"),
        ("Lobaplatin 30", "has no unit"),
        ("Lobaplatin 3000 mg; Lipiodol 10 ml", "outside the plausible range"),
        (FORBIDDEN, "Rules forbid this protocol"),
    ],
)
def test_why_it_cannot_be_simulated(desk, case_nodes, text, words):
    case_nodes(desk)
    desk.panel.parameters.own_protocol = text
    desk.settle()
    assert words in desk.ui.ownReasonLabel.text
    assert not desk.ui.simulateButton.enabled


def test_contraindications_of_tace_itself_stand_beside_the_protocol(desk, case_nodes):
    case_nodes(desk)
    desk.panel.parameters.own_protocol = "Cisplatin 50 mg; Lipiodol 10 ml"
    desk.settle()
    assert "No rule speaks against these agents" in desk.ui.violationsLabel.text
    assert "is not checked" in desk.ui.violationsLabel.text
    desk.panel.parameters.fact_child_pugh = "C11"
    desk.settle()
    told = desk.ui.violationsLabel.text
    assert "Absolute contraindication" in told and "No rule speaks" not in told


def test_rules_are_overridden_knowingly_and_that_is_marked(desk, case_nodes, rows, result):
    case_nodes(desk)
    ui = desk.ui
    ui.ownProtocolLineEdit.text = FORBIDDEN
    desk.settle()
    assert "platinum" in ui.violationsLabel.text and not ui.overrideCheckBox.isHidden()
    ui.overrideCheckBox.click()
    desk.settle()
    assert ui.simulateButton.enabled
    ui.simulateButton.click()
    desk.wait(lambda: desk.engine.requests)
    method, params, _ = desk.engine.requests[0]
    assert method == "simulate" and params["protocol"] == FORBIDDEN and params["override_rules"] is True
    own = {**rows[0], "protocol": FORBIDDEN, "origin": "yours", "violations": "One platinum at most."}
    desk.engine.send("done", result={**result([own]), "protocol_id": own["protocol_id"]})
    desk.settle()
    model = desk.panel.review.ranking.model
    assert model.item(0, 1).text().startswith("\u26a0 ")
    assert "One platinum at most." in model.item(0, 1).toolTip()
    assert model.item(0, column(model, "Origin")).text() == "yours, rules overridden"
    assert ui.exportLabel.text.endswith("It breaks rules; the export says so.")
    # Another text does not inherit the consent.
    ui.ownProtocolLineEdit.text = "Epirubicin 50 mg; Lipiodol 10 ml"
    desk.settle()
    assert not desk.panel.parameters.override_rules


def test_it_is_ranked_in_the_run_that_is_there(desk, case_nodes, rows, future_files, result, tmp_path):
    ct, _ = case_nodes(desk)
    desk.ui.exploreButton.click()
    desk.wait(lambda: desk.engine.requests)
    best = {"protocol_id": rows[0]["protocol_id"], "protocol": rows[0]["protocol"]}
    desk.engine.send("simulated", **best, complete=True, files=future_files(ct), box={})
    desk.engine.send("done", result=result(rows, tmp_path))
    desk.settle()
    desk.ui.ownProtocolLineEdit.text = "Idarubicin 10 mg; Lipiodol 10 ml"
    desk.settle()
    desk.ui.simulateButton.click()
    method, params, _ = desk.engine.requests[1]
    assert (method, params["add_to"]) == ("simulate", str(tmp_path)) and "case" not in params
    own = {**rows[2], "protocol_id": "mine", "protocol": "Idarubicin 10 mg; Lipiodol 10 ml", "origin": "yours"}
    desk.engine.send("scored", row=own)
    desk.settle()
    assert len(desk.panel.review.run.rows()) == 6
    desk.engine.send("error", kind="input", message="That could not be simulated.")
    desk.settle()
    assert len(desk.panel.review.run.rows()) == 5
    assert desk.ui.statusLabel.text == "That could not be simulated."


def test_a_sentence_is_read_by_the_engine_and_confirmed_by_the_user(real_desk):
    ui, panel = real_desk.ui, real_desk.panel
    ui.ownProtocolLineEdit.text = (
        "TACE with Wonderdrug 5 mg and lobaplatin 30 mg in 10 ml of lipiodol; no epirubicin was given."
    )
    real_desk.settle()
    assert not ui.simulateButton.enabled and "sentence" in ui.ownReasonLabel.text
    assert not ui.readButton.isHidden() and ui.useReadButton.isHidden()
    ui.readButton.click()
    real_desk.wait(lambda: not panel.controller.busy and not ui.readLabel.isHidden(), 60, "the reading")
    words = ui.readLabel.text
    assert "Lobaplatin 30 mg; Lipiodol 10 ml" in words
    assert "Wonderdrug</font>: not in the action base" in words and "epirubicin is named, but not as given" in words
    ui.useReadButton.click()
    real_desk.settle()
    assert ui.ownProtocolLineEdit.text == "Lobaplatin 30 mg; Lipiodol 10 ml"
    assert ui.readButton.isHidden() and ui.readLabel.isHidden()
    assert panel.own.verdict.protocol is not None and not panel.own.verdict.problem


def test_a_text_that_changes_meanwhile_is_not_answered_for(desk):
    desk.ui.ownProtocolLineEdit.text = "cisplatin 50 mg was given"
    desk.settle()
    desk.ui.readButton.click()
    desk.ui.ownProtocolLineEdit.text = "idarubicin 10 mg was given"
    desk.engine.send("done", result={"protocol": "Cisplatin 50 mg", "unknown": [], "hints": [], "places": []})
    desk.settle()
    assert desk.ui.readLabel.isHidden() and not desk.ui.readButton.isHidden()
