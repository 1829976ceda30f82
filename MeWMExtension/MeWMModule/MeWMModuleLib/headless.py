"""A run folder as a Slicer scene and pictures, without Slicer's window.

``python -m MeWMModuleLib.headless RUN`` writes ``scene.mrb`` and ``figures/*.png`` into the run folder. It needs
the packages ``slicer-core`` and ``trame-slicer[standalone]`` and an OpenGL that draws without a screen.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm.errors import InputError, MewmError, how_to_install
from MeWMModuleLib.opengl import ensure_offscreen_opengl, quiet
from MeWMModuleLib.run_folder import read_run

if TYPE_CHECKING:
    import numpy as np

Progress = Callable[[int, int, str], None]


def render_run(
    folder: str | Path, out: str | Path | None = None, top: int = 3, progress: Progress | None = None
) -> list[Path]:
    """Write the scene and the pictures of a finished run.

    Args:
        folder: run folder of schema ``mewm-run/1``.
        out: where to write; default the run folder itself.
        top: number of kept protocols to draw, best first. The scene holds all of them.
        progress: called with steps done, steps in all and what comes next.

    Returns:
        The files written: the scene, the overview, then each protocol's pictures; absolute paths.

    Raises:
        InputError: the run cannot be used or ``top`` is below 1.
        MewmError: the scene packages or OpenGL are missing.
    """
    if top < 1:
        raise InputError(f"--top is {top}; give 1 or more.")
    run = read_run(folder)
    if not run.protocols:
        raise InputError(f"The run {run.path} kept no simulated volumes; run the case again.")
    drawn = run.protocols[:top]
    report = progress or (lambda done, total, doing: None)
    total = 2 * len(drawn) + 4
    target = Path(out if out is not None else folder).resolve()
    figures = target / "figures"

    report(0, total, "starting Slicer's scene")
    app = _start()
    views = _slice_views(app)

    def capture(name: str) -> np.ndarray:
        return _picture(views[name])

    from MeWMModuleLib.comparison import Orientation, compare
    from MeWMModuleLib.figures import overview_figure, protocol_figure
    from MeWMModuleLib.scene import load_run

    report(1, total, "loading the run")
    loaded = load_run(app.scene, folder)
    figures.mkdir(parents=True, exist_ok=True)
    chosen = loaded.protocols[: len(drawn)]

    files: list[Path] = []
    planes: tuple[Orientation, ...] = ("Axial", "Coronal")
    for nodes in chosen:
        for plane in planes:
            report(2 + len(files), total, f"drawing protocol {nodes.protocol.rank}, {plane.lower()}")
            file = figures / f"{nodes.protocol.folder.name}_{plane.lower()}.png"
            protocol_figure(loaded, nodes, plane, capture).save(file)
            files.append(file)
    report(2 + len(files), total, "drawing the overview")
    overview_figure(loaded, chosen, capture).save(figures / "overview.png")
    files.insert(0, figures / "overview.png")

    report(total - 1, total, "saving the scene")
    scene = target / "scene.mrb"
    compare(app.scene, loaded, chosen[0])
    _save(app, scene)
    _close(app, views)
    report(total, total, "done")
    return [scene, *files]


def _start() -> Any:
    try:
        from trame_slicer.core import SlicerApp
    except ImportError as error:
        raise MewmError(
            f"The scene needs slicer-core and trame-slicer ({error}); {how_to_install('scene')}."
        ) from error
    ensure_offscreen_opengl()
    return SlicerApp()


def _slice_views(app: Any) -> dict[str, Any]:
    from trame_slicer.views import NoScheduleRendering, SliceView, ViewProps

    from MeWMModuleLib.comparison import DIFFERENCE_VIEW, PRE_VIEW, SIMULATED_VIEW
    from MeWMModuleLib.figures import PANEL

    views = {}
    # Colours and letters are those of Slicer's own views; they are saved with the scene.
    for name, colour in ((PRE_VIEW, "#F34A33"), (SIMULATED_VIEW, "#EDD54C"), (DIFFERENCE_VIEW, "#6EB04B")):
        with quiet():
            # Drawn when a picture is taken, not at every change on the way to it.
            view = SliceView(app.scene, app.app_logic, name, scheduled_render_strategy=NoScheduleRendering())
            view.set_view_properties(ViewProps(label=name, orientation="Axial", color=colour))
            view.get_view_node().SetLayoutLabel(name[0])
            view.update_size(PANEL, PANEL)
        view.fit_view_to_content()
        views[name] = view
    return views


def _picture(view: Any) -> np.ndarray:
    """Render a view and return ``(height, width, 3)`` uint8, first row at the top."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkRenderingCore import vtkWindowToImageFilter

    view.render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(view.render_window())
    grab.ReadFrontBufferOff()
    grab.Update()
    image = grab.GetOutput()
    width, height, _ = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1].copy()


def _save(app: Any, file: Path) -> None:
    """Write the scene in a folder of its own first, so that a crash leaves no half-written file."""
    import slicer

    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".scene-") as folder, quiet():
        # Slicer's own side-by-side layout: pre-treatment left, simulated right.
        layouts = slicer.vtkMRMLLayoutLogic()
        layouts.SetMRMLScene(app.scene)
        layouts.GetLayoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView)
        written = Path(folder) / file.name
        if not app.io_manager.write_scene(written) or not written.is_file():
            raise MewmError(f"The scene {file} could not be written; check the folder and the free space.")
        written.replace(file)


def _close(app: Any, views: dict[str, Any]) -> None:
    """Take views and nodes down in order; left to the interpreter, VTK complains about missing colours."""
    with quiet():
        for view in views.values():
            view.set_background_volume_id(None)
            view.set_foreground_volume_id(None)
            view.finalize()
        app.scene.Clear(True)


def _show_progress(done: int, total: int, doing: str) -> None:
    sys.stderr.write(f"[{done}/{total}] {doing}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m MeWMModuleLib.headless",
        description="Write a Slicer scene and pictures of a finished run. Research use only.",
        epilog="example: python -m MeWMModuleLib.headless demo/run --top 2",
    )
    parser.add_argument("run", metavar="RUN", help="run folder written by `mewm explore` or `mewm simulate`")
    parser.add_argument("--out", metavar="DIR", help="write into this folder instead of the run folder")
    parser.add_argument("--top", metavar="N", type=int, default=3, help="protocols to draw, best first (default 3)")
    parser.add_argument("--json", action="store_true", help="print the written files as a JSON list")
    options = parser.parse_args(arguments)
    try:
        files = render_run(options.run, options.out, options.top, _show_progress)
    except MewmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: {error.strerror or error}{where}; check the folder and the free space.", file=sys.stderr)
        return 2
    names = [str(file) for file in files]
    print(json.dumps(names) if options.json else "\n".join(names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
