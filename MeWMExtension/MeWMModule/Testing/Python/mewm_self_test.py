"""Self-tests inside Slicer: load the sample, explore, select, own protocol, export, save and reload the scene.

Each test takes the ``unittest`` test case of the module and starts from an empty scene. In a build tree ``ctest`` runs
them; in any Slicer, *Reload and Test* in developer mode, or ``Slicer --testing --no-splash --additional-module-paths
MeWMExtension/MeWMModule --python-script MeWMExtension/MeWMModule/Testing/Python/run_self_test.py``.
"""

import importlib.util
import tempfile
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import slicer

QUICK = {"beams": 1, "drugs": 2, "embolics": 2, "replicas": 1, "seed": 3}
OWN = "Epirubicin 50 mg; Lipiodol 10 ml"
FORBIDDEN = "Lobaplatin 30 mg; Cisplatin 50 mg; Lipiodol 10 ml"


def _open_panel():
    # Works without Slicer's main window too, as ctest runs it.
    return slicer.util.getModuleWidget("MeWMModule").panel


def _wait(test, condition, what, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        test.assertLess(time.monotonic(), end, f"waited {seconds} s for {what}")
        slicer.app.processEvents()
        time.sleep(0.005)


def _load_sample(test, panel):
    panel.ui.sampleButton.click()
    _wait(test, lambda: not panel.controller.busy, "the sample")
    test.assertIsNotNone(panel.parameters.ct, panel.ui.statusLabel.text)
    _wait(test, lambda: panel.ui.exploreButton.enabled, "the Explore button")


@contextmanager
def _runs_in(panel, folder):
    """Keep runs in a folder for a while; the setting is the user's own."""
    before = panel.settings.runs_folder
    panel.settings.runs_folder = folder
    try:
        yield
    finally:
        panel.settings.runs_folder = before


def _explore(test, panel):
    for name, value in QUICK.items():
        setattr(panel.parameters, name, value)
    _wait(test, lambda: panel.ui.exploreButton.enabled, "the Explore button")
    panel.ui.exploreButton.click()
    _wait(test, lambda: not panel.controller.busy, "the search")
    test.assertIsNotNone(panel.review.run, panel.ui.statusLabel.text)
    _wait(test, lambda: panel.review.shown, "the views")


def _data_nodes():
    """What a run is made of; views, which stay, have nodes of their own."""
    kinds = ("Volume", "Segmentation", "Table", "Text", "PlotChart", "PlotSeries", "ColorTable")
    return {node.GetID() for kind in kinds for node in slicer.util.getNodesByClass(f"vtkMRML{kind}Node")}


def _export(test, panel, out):
    panel.export.export(out)
    _wait(test, lambda: not panel.controller.busy, "the export")
    test.assertTrue(out.is_file(), panel.ui.statusLabel.text)
    names = zipfile.ZipFile(out).namelist()
    test.assertTrue(any(name.endswith("protocol.json") for name in names), names)
    if importlib.util.find_spec("fpdf") is None:
        # Slicer installs nothing in testing mode.
        test.assertIn("package fpdf2 is not installed", panel.ui.statusLabel.text)


def a_run_from_disk(test):
    """A small run is loaded, shown and removed."""
    import phantom_run

    panel = _open_panel()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        phantom_run.write_run(folder)
        panel.load_run(str(folder))
    test.assertEqual(len(panel.review.shown), 1)
    test.assertEqual(len(panel.review.run.futures()), len(phantom_run.PROTOCOLS))
    red = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    if red is not None:
        test.assertEqual(red.GetBackgroundVolumeID(), panel.review.run.ct.GetID())
    panel.ui.removeRunButton.click()
    _wait(test, lambda: panel.review.run is None, "the removal")
    test.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode"), 0)


def the_whole_way(test):
    """Sample, explore, select, own protocol, export, save and reload the scene."""
    panel = _open_panel()
    with tempfile.TemporaryDirectory() as temporary, _runs_in(panel, temporary):
        _load_sample(test, panel)
        before = slicer.util.arrayFromVolume(panel.parameters.ct).copy()
        _explore(test, panel)
        test.assertTrue((slicer.util.arrayFromVolume(panel.parameters.ct) == before).all())

        rows = panel.review.run.rows()
        panel.review.select([row["protocol_id"] for row in rows[:2]])
        _wait(test, lambda: not panel.controller.busy and len(panel.review.shown) == 2, "two futures side by side")

        panel.parameters.own_protocol = FORBIDDEN
        _wait(test, lambda: panel.own.verdict.excluded, "the verdict")
        test.assertFalse(panel.ui.simulateButton.enabled)
        panel.parameters.own_protocol = OWN
        _wait(test, lambda: panel.ui.simulateButton.enabled, "the verdict")
        panel.ui.simulateButton.click()
        _wait(test, lambda: not panel.controller.busy, "the own protocol")
        test.assertEqual(panel.review.chosen["origin"], "yours", panel.ui.statusLabel.text)

        _export(test, panel, Path(temporary) / "export.zip")

        selected, run, scene = panel.parameters.selected, panel.parameters.run, Path(temporary) / "scene.mrb"
        test.assertTrue(slicer.util.saveScene(str(scene)))
        slicer.mrmlScene.Clear()
        _wait(test, lambda: panel.review.run is None, "the empty scene")
        slicer.util.loadScene(str(scene))
        _wait(test, lambda: panel.review.run is not None and panel.review.shown, "the run in the loaded scene")
        test.assertEqual((panel.parameters.selected, panel.parameters.run), (selected, run))
        test.assertEqual(panel.parameters.seed, QUICK["seed"])
        test.assertEqual(len(panel.review.shown), 1)
        slicer.mrmlScene.Clear()


def cancel_leaves_nothing(test):
    """A cancelled search leaves no node and no folder."""
    panel = _open_panel()
    with tempfile.TemporaryDirectory() as temporary, _runs_in(panel, temporary):
        _load_sample(test, panel)
        before = _data_nodes()
        panel.ui.exploreButton.click()
        _wait(test, lambda: panel.review.run is not None, "the run to begin")
        panel.ui.exploreButton.click()
        _wait(test, lambda: not panel.controller.busy, "the cancellation", 5)
        test.assertEqual(_data_nodes(), before)
        test.assertEqual(list(Path(temporary).iterdir()), [])


TESTS = (a_run_from_disk, the_whole_way, cancel_leaves_nothing)
