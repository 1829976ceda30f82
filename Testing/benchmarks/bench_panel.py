"""The panel's times on the simulated sample: opening, blocking, first row, selection, cancel.

Runs the real module, the real engine process and the real scene on the stand-in of Testing/panel; Slicer's own drawing
of the views is not in the figures. ``--ct`` and ``--lesion`` take a case from files instead of the sample.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "panel"))
import open_module


def line(name, value, target=""):
    print(f"{name:<52} {value:>12} {target}", flush=True)


def load(session, panel, ct_file, lesion_file):
    """Put a case from files into the scene and choose it."""
    from MeWMModuleLib.nodes import read_volume
    from MeWMModuleLib.segmentations import add_label_segmentation

    ct = read_volume(session.scene, Path(ct_file), "CT")
    ct.CreateDefaultDisplayNodes()
    tumour = add_label_segmentation(session.scene, Path(lesion_file), "Tumour", {1: ("Tumour", (1.0, 0.2, 0.2))}, ct)
    panel.parameters.ct, panel.parameters.tumour, panel.parameters.liver = ct, tumour, None


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ct")
    parser.add_argument("--lesion")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        session = open_module.start_slicer(temporary)
        measure(session, temporary, options)


def measure(session, temporary, options):
    """Go the user's way once and time it."""
    cpu = time.process_time()
    widget, seconds = open_module.open_module(temporary)
    panel = widget.panel
    line("panel opens", f"{seconds:.2f} s", "< 1 s")
    line("  of which processor time", f"{time.process_time() - cpu:.2f} s")
    start = time.perf_counter()
    panel._on_sample()
    open_module.wait(session, lambda: not panel.controller.busy)
    line("engine cold, sample loaded", f"{time.perf_counter() - start:.2f} s")
    if options.ct:
        load(session, panel, options.ct, options.lesion)
    line("voxels of the CT", "x".join(map(str, panel.parameters.ct.GetImageData().GetDimensions())))
    open_module.wait(session, lambda: panel.ui.exploreButton.isEnabled())

    from heartbeat import Heartbeat

    heart = Heartbeat()
    start = time.perf_counter()
    panel._on_explore()
    open_module.wait(session, lambda: panel.review.run is not None and panel.review.run.rows())
    line("first row after Explore, warm engine", f"{time.perf_counter() - start:.2f} s", "< 5 s")
    open_module.wait(session, lambda: panel.review.shown)
    line("first simulated CT in the views", f"{time.perf_counter() - start:.2f} s", "< 5 s")
    open_module.wait(session, lambda: not panel.controller.busy)
    gaps = heart.take()
    line("whole search", f"{time.perf_counter() - start:.2f} s")
    line("rows in the table", str(len(panel.review.run.rows())))
    line("window blocked during the search, longest", f"{gaps[0][0]:.0f} ms", "< 100 ms")
    line("  second longest / turns over 100 ms", f"{gaps[1][0]:.0f} ms / {sum(gap > 100 for gap, _ in gaps)}")
    line("  longest of the panel's own processor time", f"{max(cpu for _, cpu in gaps):.0f} ms")

    cpu = time.process_time()
    kept = [row["protocol_id"] for row in panel.review.run.rows() if panel.review.run.future(row["protocol_id"])]
    times = []
    for key in kept * 3:
        start = time.perf_counter()
        panel.review.select([key])
        session.application.processEvents()
        times.append(1000 * (time.perf_counter() - start))
    worst = f"{statistics.median(times):.0f} / {max(times):.0f} ms"
    line("row selected to views updated, median / worst", worst, "< 200 ms")
    line("  of which processor time, mean", f"{1000 * (time.process_time() - cpu) / len(times):.0f} ms")
    start = time.perf_counter()
    panel.review.select(kept[:4])
    session.application.processEvents()
    line("four protocols selected to views updated", f"{1000 * (time.perf_counter() - start):.0f} ms", "< 200 ms")

    open_module.wait(session, lambda: not panel.controller.busy)
    for moment, ready in (
        ("at once", lambda: panel.controller.state == "running"),
        ("at the first row", lambda: panel.controller.run is not None and panel.controller.run.rows()),
    ):
        open_module.wait(session, lambda: panel.ui.exploreButton.isEnabled())
        panel._on_explore()
        open_module.wait(session, ready)
        panel._on_explore()
        line(f"cancel {moment}", f"{open_module.wait(session, lambda: not panel.controller.busy):.2f} s", "< 1 s")
    start = time.perf_counter()
    widget.cleanup()
    line("module closed, process gone", f"{time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
