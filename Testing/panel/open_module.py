"""The panel outside pytest, for benchmarks and pictures: the stand-in, the real engine process, drawn slice views."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

REPOSITORY = Path(__file__).resolve().parents[2]
for _folder in (Path(__file__).parent, REPOSITORY / "MeWMExtension" / "MeWMModule" / "Testing" / "Python"):
    sys.path.insert(0, str(_folder))


class NoDependencies:
    """Everything is installed."""

    def ensure(self, python="", learned=False):
        pass


def start_slicer(runs, size=None):
    """Start the scene and Qt; return what :func:`open_module` needs.

    Args:
        runs: folder for runs.
        size: width and height of the slice views in pixels; ``None`` for views that are not drawn.
    """
    from MeWMModuleLib.opengl import ensure_offscreen_opengl, quiet

    ensure_offscreen_opengl()
    import slicer_stand_in
    from trame_slicer.core import SlicerApp

    with quiet():
        app = SlicerApp()
        application = slicer_stand_in.install(app, runs)
        pictures = _drawn_views(app, size) if size else {}
        views = slicer_stand_in.Views(app.scene, () if size else slicer_stand_in.Views.NAMES)
    import slicer

    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(app.scene)
    return SimpleNamespace(app=app, scene=app.scene, application=application, views=views, pictures=pictures)


def open_module(runs):
    """Open the module; return its widget and the seconds that took."""
    import slicer

    start = time.perf_counter()
    import MeWMModule

    MeWMModule.MeWMModuleLogic.makeDependencies = lambda self: NoDependencies()
    widget = MeWMModule.MeWMModuleWidget()
    widget.setup()
    widget.parent.show()
    seconds = time.perf_counter() - start
    slicer.modules.MeWMModuleWidget = widget
    widget.panel.settings.runs_folder = str(runs)
    return widget, seconds


def wait(session, condition, seconds=900):
    """Run the event loop until something holds; return the seconds that took."""
    start = time.perf_counter()
    while not condition():
        if time.perf_counter() - start > seconds:
            raise TimeoutError("waited too long")
        session.application.processEvents()
        time.sleep(0.001)
    return time.perf_counter() - start


def _drawn_views(app, size):
    import slicer_stand_in
    from trame_slicer.views import NoScheduleRendering, SliceView

    found = {}
    for name in slicer_stand_in.Views.NAMES:
        view = SliceView(app.scene, app.app_logic, name, scheduled_render_strategy=NoScheduleRendering())
        view.update_size(*size)
        view.fit_view_to_content()
        found[name] = view
    return found
