"""Draws the pictures of the tutorial from the real panel, the real engine process and Slicer's own slice views.

``python Testing/panel/draw_tutorial.py OUT [--ct CT.nrrd --lesion LESION.nrrd]`` goes the user's way once and writes a
PNG of each state. Without a case it takes the simulated sample.
"""

import argparse
import tempfile
from pathlib import Path

import open_module

# Size of a slice view and of the panel in pixels.
VIEW = (350, 350)
PANEL_WIDTH = 560


def main():
    """Draw everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--ct")
    parser.add_argument("--lesion")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        session = open_module.start_slicer(temporary, VIEW)
        widget, _ = open_module.open_module(temporary)
        try:
            Tour(session, widget, options).go()
        finally:
            widget.cleanup()


class Tour:
    """The user's way, with a picture at each stop."""

    def __init__(self, session, widget, options):
        self.session, self.widget, self.panel, self.ui = session, widget, widget.panel, widget.panel.ui
        self.out, self.options = options.out, options

    def go(self):
        """Go the whole way."""
        ui, panel = self.ui, self.panel
        self.fold()
        self.save("panel_empty")
        panel._on_sample()
        self.wait(lambda: not panel.controller.busy)
        if self.options.ct:
            self.load()
        self.wait(ui.exploreButton.isEnabled)
        self.save("panel_ready")

        panel._on_explore()
        self.wait(lambda: not panel.controller.busy or (panel.controller.progress.fraction or 0) > 0.4)
        self.save("panel_running")
        self.wait(lambda: not panel.controller.busy)
        print(ui.statusLabel.text(), flush=True)
        self.fold("resultsCollapsibleButton", "reviewCollapsibleButton")
        self.save("panel_results", ("Red", "Yellow"))
        kept = [row["protocol_id"] for row in panel.review.run.rows() if panel.review.run.future(row["protocol_id"])]
        panel.parameters.show_difference = True
        panel.review.select([kept[0], kept[-1]])
        self.save("panel_compared", ("Red", "Yellow", "Green"))
        panel.parameters.show_difference = False
        panel.review.select(kept[:1])
        self.fold("resultsCollapsibleButton", "whyCollapsibleButton")
        self.save("panel_why")

        self.fold("ownCollapsibleButton")
        panel.parameters.own_protocol = "Lobaplatin 30 mg; Cisplatin 50 mg; Lipiodol 10 ml"
        self.save("panel_own")
        panel.parameters.own_protocol = "Epirubicin 50 mg; Lipiodol 10 ml; Gelatin Sponge 350 µm"
        self.wait(ui.simulateButton.isEnabled)
        panel.simulate()
        self.wait(lambda: not panel.controller.busy)
        self.fold("resultsCollapsibleButton", "exportCollapsibleButton")
        self.save("panel_export")

        panel.settings.engine_python = "/no/such/python"
        panel._on_explore()
        self.wait(lambda: not panel.controller.busy)
        self.fold("caseCollapsibleButton")
        self.save("panel_error")

    def load(self):
        """Choose a case from files."""
        from MeWMModuleLib.appearance import set_ct_window
        from MeWMModuleLib.nodes import read_volume
        from MeWMModuleLib.segmentations import add_label_segmentation

        ct = read_volume(self.session.scene, Path(self.options.ct), "CT portal venous")
        ct.CreateDefaultDisplayNodes()
        set_ct_window(ct.GetDisplayNode())
        labels = {1: ("Tumour", (1.0, 0.2, 0.2))}
        tumour = add_label_segmentation(self.session.scene, Path(self.options.lesion), "Segmentation", labels, ct)
        parameters = self.panel.parameters
        parameters.ct, parameters.tumour, parameters.liver, parameters.case_name = ct, tumour, None, "case1"
        self.settle()
        self.panel.tell("")

    def fold(self, *shown):
        """Fold every section but those named; none named leaves the panel as it opens."""
        for name, section in vars(self.ui).items():
            if name.endswith("CollapsibleButton") and shown:
                section.collapsed = name not in shown
        self.settle()

    def settle(self):
        """Let everything happen that is due."""
        for _ in range(50):
            self.session.application.processEvents()

    def wait(self, condition):
        """Run the event loop until something holds."""
        open_module.wait(self.session, condition)

    def save(self, name, views=()):
        """Write the panel, with slice views beside it, as a PNG."""
        from PySide6 import QtCore, QtGui

        self.settle()
        panel = self.widget.parent
        columns = 1 if len(views) < 3 else 2
        height = panel.layout().minimumHeightForWidth(PANEL_WIDTH)
        height = max(height, -(-len(views) // columns) * (VIEW[1] + 4))
        panel.setFixedSize(PANEL_WIDTH, height)
        self.settle()
        picture = panel.grab()
        if views:
            wide = QtGui.QPixmap(PANEL_WIDTH + columns * (VIEW[0] + 4) - 4, height)
            wide.fill(QtGui.QColor(20, 20, 22))
            painter = QtGui.QPainter(wide)
            painter.drawPixmap(0, 0, picture)
            painter.setFont(QtGui.QFont("DejaVu Sans", 10, QtGui.QFont.Bold))
            for number, view in enumerate(views):
                x = PANEL_WIDTH + number % columns * (VIEW[0] + 4)
                y = number // columns * (VIEW[1] + 4)
                painter.drawImage(x, y, _image(self.session.pictures[view]))
                painter.setPen(QtGui.QColor(255, 255, 255) if number == 0 else QtGui.QColor(255, 184, 38))
                words = "Before treatment" if number == 0 else f"SIMULATED  {self.panel.review.shown[number - 1].text}"
                box = QtCore.QRect(x + 8, y + 8, VIEW[0] - 16, 60)
                painter.drawText(box, int(QtCore.Qt.TextWordWrap), words)
            painter.end()
            picture = wide
        picture.save(str(self.out / f"{name}.png"))
        print(self.out / f"{name}.png", flush=True)


def _image(view):
    from PySide6 import QtGui

    from MeWMModuleLib.headless import _picture

    pixels = _picture(view)
    height, width, _ = pixels.shape
    return QtGui.QImage(pixels.tobytes(), width, height, 3 * width, QtGui.QImage.Format_RGB888).copy()


if __name__ == "__main__":
    main()
