"""What a user and a fake engine do in a run, for the tests of the panel."""


def explore(desk, case_nodes):
    """Add the case and press Explore; return CT and segmentation once the engine was asked."""
    ct, segmentation = case_nodes(desk)
    desk.ui.exploreButton.click()
    desk.wait(lambda: desk.engine.requests, what="the request")
    return ct, segmentation


def stream(desk, rows, files, ct):
    """Let the engine send futures and rows."""
    for number, row in enumerate(rows):
        desk.engine.send(
            "simulated",
            protocol_id=row["protocol_id"],
            protocol=row["protocol"],
            complete=True,
            files=files(ct, f"f{number}"),
            box={},
        )
        desk.engine.send("scored", row=row)
    desk.settle()


def finish(desk, rows, result):
    """Let the engine end the run with these rows."""
    desk.engine.send("done", result=result(rows))
    desk.settle()


def column(model, title):
    """Return the number of a column of the ranking by its heading."""
    return next(n for n in range(model.columnCount()) if model.horizontalHeaderItem(n).text() == title)
