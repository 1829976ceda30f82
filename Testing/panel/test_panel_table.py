"""What stands in the table of protocols and in the words around it."""

from engine_steps import column, explore, finish, stream


def test_columns_sort_by_number(desk, case_nodes, rows, result):
    explore(desk, case_nodes)
    many = [
        {**rows[0], "protocol_id": f"p{n}", "risk": -1.0 + n / 10, "median_weeks": 200.0 - 11 * n} for n in range(12)
    ]
    many[3]["median_weeks"] = None
    finish(desk, many, result)
    view = desk.ui.rankingView
    from PySide6.QtCore import Qt

    model = desk.panel.review.ranking.model
    assert [model.item(n, 0).text() for n in range(12)] == [str(n) for n in range(1, 13)]
    place = column(model, "Median")
    view.sortByColumn(place, Qt.AscendingOrder)
    medians = [model.item(n, place).text() for n in range(12)]
    assert medians[-1] == "not reached" and medians[0] == "79 wk" and medians[-2] == "200 wk"


def test_contraindications_come_first_and_sources_in_the_tip(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    stream(desk, rows[:1], future_files, ct)
    sourced = "Absolute contraindication: TACE is contraindicated in jaundice (above 3 mg/dl). (Someone, Journal 2018)"
    plain = "The survival model has never seen a bilirubin of 4.5 mg/dl (its training cases: 0.3 to 4.4 mg/dl)."
    desk.engine.send("done", result={**result(rows[:1]), "warnings": [plain, sourced]})
    desk.settle()
    text, tip = desk.ui.warningsLabel.text, desk.ui.warningsLabel.toolTip
    assert text.index("jaundice (above 3 mg/dl).") < text.index("never seen") and "Someone" not in text
    assert tip == sourced and "to see the sources" in text


def test_the_table_of_the_scene_names_every_column_for_a_reader(desk, case_nodes, rows, result):
    explore(desk, case_nodes)
    told = [{**row, "survival_2y": 0.62, "risk_parts": "viable tumour -0.51; exact"} for row in rows]
    finish(desk, told, result)
    node = desk.panel.review.run.table
    table = node.GetTable()
    names = [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())]
    titles = {name: node.GetColumnTitle(name) for name in names}
    assert titles["survival_2y"] == "2-year survival" and not [name for name in names if titles[name] == name]
    assert desk.panel.review.run.rows()[0]["survival_2y"] == 0.62


def test_the_first_chosen_protocols_curve_has_its_interval(desk, case_nodes, rows, future_files, result):
    ct, _ = explore(desk, case_nodes)
    told = [{**row, "survival_low": [1.0, 0.8, 0.7], "survival_high": [1.0, 0.95, 0.9]} for row in rows]
    stream(desk, told, future_files, ct)
    finish(desk, told, result)
    run = desk.panel.review.run
    # Futures come into the scene step by step.
    desk.wait(lambda: desk.panel.review.shown and run.chart.GetNumberOfPlotSeriesNodes() == 3, what="the curves")
    series = [run.chart.GetNthPlotSeriesNode(n) for n in range(run.chart.GetNumberOfPlotSeriesNodes())]
    first = desk.panel.review.shown[0].protocol_id
    assert [node.GetYColumnName() for node in series] == [first, f"{first} 95 % low", f"{first} 95 % high"]
    assert series[1].GetLineWidth() < series[0].GetLineWidth() and series[1].GetColor() == series[0].GetColor()
    high = series[2].GetTableNode().GetTable().GetColumnByName(series[2].GetYColumnName())
    assert [high.GetValue(row) for row in range(3)] == [1.0, 0.95, 0.9]
    from MeWMModuleLib.survival_plot import show_curves

    second = rows[1]["protocol_id"]
    show_curves(run.chart, series[0].GetTableNode(), [(second, "second"), (first, "first")])
    shown = [run.chart.GetNthPlotSeriesNode(n).GetYColumnName() for n in range(4)]
    assert shown == [second, first, f"{second} 95 % low", f"{second} 95 % high"]


def test_what_clinical_facts_alone_predict_is_told_apart_from_the_protocols(desk, case_nodes, rows, result):
    explore(desk, case_nodes)
    finish(desk, rows, result)
    assert not desk.ui.outlookLabel.visible
    desk.ui.exploreButton.click()
    desk.wait(lambda: len(desk.engine.requests) == 2)
    outlook = {"title": "From facts alone", "about": "79 patients.", "survival_1y": 0.8, "survival_2y": 0.6}
    outlook |= {"median_weeks": None, "not_stated": ["log_afp"]}
    desk.engine.send("done", result={**result(rows), "outlook": {**outlook, "survival_curve": [1.0, 0.9]}})
    desk.settle()
    told = "From facts alone: 80% alive after one year, 60% after two, median not reached. 79 patients."
    told += " Not stated, so taken from the series' median: AFP."
    assert desk.ui.outlookLabel.visible and desk.ui.outlookLabel.text == told
