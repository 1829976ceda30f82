"""The panel on real Qt, the real scene and, where a test asks for it, the real engine process."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "MeWMExtension" / "MeWMModule" / "Testing" / "Python"))


@pytest.fixture(scope="session")
def slicer_session(tmp_path_factory):
    """Slicer's scene, logic and views for all tests of this room, and the running Qt application."""
    pytest.importorskip("trame_slicer", reason="the 'scene' extra is not installed; `make setup` installs it")
    pytest.importorskip("PySide6", reason="PySide6 is not installed; `make setup` installs it")
    from MeWMModuleLib.opengl import ensure_offscreen_opengl, quiet

    ensure_offscreen_opengl()
    import slicer_stand_in
    from trame_slicer.core import SlicerApp

    with quiet():
        app = SlicerApp()
        application = slicer_stand_in.install(app, tmp_path_factory.mktemp("runs"))
        views = slicer_stand_in.Views(app.scene)
    return app, application, views


class FakeEngine:
    """Stands where the engine process is: keeps requests, sends what a test tells it to."""

    running = True

    def __init__(self):
        self.requests = []
        self.cancelled = []

    def request(self, method, params, on_event):
        self.requests.append((method, dict(params), on_event))
        return len(self.requests)

    def cancel(self, identifier):
        self.cancelled.append(identifier)

    def restart(self):
        pass

    def close(self):
        pass

    def send(self, event, **fields):
        self.requests[-1][2]({"id": len(self.requests), "event": event, **fields})


class FakeDependencies:
    """Everything is installed."""

    def ensure(self, python="", learned=False):
        pass


class Desk:
    """The open module with what a test needs around it."""

    def __init__(self, application, scene, widget, engine):
        self.application, self.scene, self.widget, self.engine = application, scene, widget, engine

    @property
    def panel(self):
        return self.widget.panel

    @property
    def ui(self):
        return self.widget.panel.ui

    def wait(self, condition, seconds=60, what="a change"):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited {seconds} s for {what}"
            self.application.processEvents()
            time.sleep(0.002)

    def settle(self):
        """Let everything happen that is due."""
        for _ in range(120):
            self.application.processEvents()

    def node_ids(self):
        return {self.scene.GetNthNode(n).GetID() for n in range(self.scene.GetNumberOfNodes())}


def _open(session, monkeypatch, engine):
    import slicer

    app, application, _views = session
    import MeWMModule

    monkeypatch.setattr(MeWMModule.MeWMModuleLogic, "makeDependencies", lambda self: FakeDependencies())
    if engine is not None:
        monkeypatch.setattr(MeWMModule.MeWMModuleLogic, "makeEngine", lambda self: engine)
    # Slicer's scene always has one.
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(app.scene)
    widget = MeWMModule.MeWMModuleWidget()
    widget.setup()
    slicer.modules.MeWMModuleWidget = widget
    widget.parent.resize(560, 1400)
    widget.parent.show()
    return Desk(application, app.scene, widget, engine if engine is not None else widget.engine)


@pytest.fixture(autouse=True)
def properties_as_attributes(request, slicer_session):
    """A test sees Qt properties as attributes, as the panel does in Slicer."""
    from slicer_stand_in import select_properties

    for name in (request.module.__name__, "mewm_self_test"):
        select_properties(name)


@pytest.fixture
def real_desk(slicer_session, monkeypatch, tmp_path):
    """The open module with the real engine process."""
    desk = _open(slicer_session, monkeypatch, None)
    desk.panel.settings.runs_folder = str(tmp_path / "runs")
    yield desk
    _close(desk)


@pytest.fixture
def desk(slicer_session, monkeypatch, tmp_path):
    """The open module with a fake engine."""
    desk = _open(slicer_session, monkeypatch, FakeEngine())
    desk.panel.settings.runs_folder = str(tmp_path / "runs")
    yield desk
    _close(desk)


def _close(desk):
    from MeWMModuleLib.opengl import quiet

    desk.widget.cleanup()
    desk.widget.parent.close()
    with quiet():
        desk.scene.Clear(False)
    desk.settle()


SHAPE = (20, 40, 50)
MATRIX = np.array([[-1.5, 0, 0, 30.0], [0, -1.5, 0, 25.0], [0, 0, 3.0, -40.0], [0, 0, 0, 1]])
LESION_BOX = (slice(6, 13), slice(12, 24), slice(15, 28))


@pytest.fixture
def case_nodes():
    """Adds a small CT and a segmentation with two segments to the scene: ``case_nodes(desk)``."""
    return add_case


def add_case(desk, matrix=MATRIX):
    import slicer
    import slicer.util

    from MeWMModuleLib.segmentations import add_mask_segmentation

    ct = desk.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    voxels = np.random.default_rng(1).normal(100, 10, SHAPE).round().astype(np.int16)
    slicer.util.updateVolumeFromArray(ct, voxels)
    ct.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    ct.CreateDefaultDisplayNodes()
    liver, tumour = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    liver[2:18, 4:36, 4:46] = 1
    tumour[LESION_BOX] = 1
    segmentation = add_mask_segmentation(desk.scene, (liver, matrix), "Segmentation", ("Liver", (0.6, 0.4, 0.3)), ct)
    extra = add_mask_segmentation(desk.scene, (tumour, matrix), "extra", ("Tumour HCC", (1.0, 0.2, 0.2)), ct)
    identifier = extra.GetSegmentation().GetNthSegmentID(0)
    segmentation.GetSegmentation().CopySegmentFromSegmentation(extra.GetSegmentation(), identifier)
    desk.scene.RemoveNode(extra)
    desk.panel.parameters.ct = ct
    desk.panel.parameters.tumour = segmentation
    desk.settle()
    return ct, segmentation


def row(protocol, risk, **changes):
    """Return a row as the engine sends it."""
    return {
        "protocol_id": f"id{abs(hash(protocol)) % 10**8}",
        "rank": None,
        "protocol": protocol,
        "complete": True,
        "risk": risk,
        "risk_sd": 0.1,
        "replicas": 5,
        "survival_1y": 0.81,
        "median_weeks": 104.0,
        "volume_change_percent": -35.0,
        "viable_fraction": 0.25,
        "lipiodol_coverage": 0.4,
        "response": "PR",
        "origin": "search",
        "violations": "",
        "findings": [],
        "overridden": False,
        "survival_curve": [1.0, 0.9, 0.8],
        **changes,
    }


@pytest.fixture
def rows():
    """Five rows, best first."""
    names = ("Lobaplatin 30 mg", "Epirubicin 50 mg", "Cisplatin 50 mg", "Mitomycin 10 mg", "Doxorubicin 50 mg")
    return [row(f"{name}; Lipiodol 10 ml", -1.0 + 0.1 * n) for n, name in enumerate(names)]


@pytest.fixture
def future_files(tmp_path):
    """Writes the part of a simulated CT that changed: ``future_files(ct, name)`` returns the event's ``files``."""
    import phantom_run
    import slicer.util

    def write(ct, name="a"):
        from MeWMModuleLib.masks import ijk_to_ras

        voxels = slicer.util.arrayFromVolume(ct)[LESION_BOX].copy()
        voxels[2:4, 3:8, 3:9] = 700
        tissue = np.full(voxels.shape, 2, np.uint8)
        tissue[2:4, 3:8, 3:9] = 4
        tissue[4:5] = 3
        matrix = ijk_to_ras(ct)
        start = (LESION_BOX[2].start, LESION_BOX[1].start, LESION_BOX[0].start, 1)
        flip = np.diag((-1.0, -1.0, 1.0))
        origin, directions = flip @ (matrix @ start)[:3], flip @ matrix[:3, :3]
        files = {"ct": str(tmp_path / f"{name}_ct.nrrd"), "tissue": str(tmp_path / f"{name}_tissue.nrrd")}
        phantom_run.write_nrrd(files["ct"], voxels, directions, origin)
        phantom_run.write_nrrd(files["tissue"], tissue, directions, origin)
        return files

    return write


@pytest.fixture
def result():
    """Makes the engine's final result: ``result(rows, run)``."""

    def make(rows, run="/nowhere"):
        ranked = sorted(rows, key=lambda one: one["risk"])
        return {
            "run": str(run),
            "case_name": "case",
            "created": "2026-01-02T03:04:05+00:00",
            "kind": "explore",
            "rows": [{**one, "rank": n, "folder": ""} for n, one in enumerate(ranked, start=1)],
            "warnings": ["No liver mask was given; the liver around the lesion is estimated from the CT."],
            "simulations": {"run": 12},
            "timings": {"search_s": 3.0},
            "lesion": {"centre_lps": [0, 0, 0], "diameter_mm": 20.0, "volume_ml": 3.0},
        }

    return make
