"""The command that makes a scene and pictures of a run, on a real Slicer scene and real slice views."""

import ctypes
import json
import os
import subprocess
import sys

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="the 'scene' extra is not installed; `make setup` installs it")
pytest.importorskip("slicer.util")
from mewm.errors import InputError, MewmError  # noqa: E402
from MeWMModuleLib import appearance  # noqa: E402
from MeWMModuleLib.headless import render_run  # noqa: E402
from MeWMModuleLib.run_folder import read_run  # noqa: E402


def _command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "MeWMModuleLib.headless", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def written(pristine_run, tmp_path_factory):
    """Scene and pictures of the phantom run, and what the command told."""
    out = tmp_path_factory.mktemp("out")
    done = _command(pristine_run, "--out", out, "--top", 1, "--json")
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout), done.stderr


def _pixels(file):
    """RGB of a PNG, ``(height, width, 3)``, 0 to 1."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOImage import vtkPNGReader

    reader = vtkPNGReader()
    reader.SetFileName(str(file))
    reader.Update()
    width, height, _ = reader.GetOutput().GetDimensions()
    flat = vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars())
    return flat.reshape(height, width, 3)[::-1] / 255.0


def _has(area, colour):
    return bool((np.abs(area - np.asarray(colour)).max(axis=-1) < 0.08).any())


def _panels(picture):
    """The three panels of a protocol's picture, above the legend."""
    return [picture[110:700, 20 + n * 608 : 20 + n * 608 + 600] for n in range(3)]


def test_the_command_names_the_files_it_wrote(written):
    out, files, told = written
    assert files == [
        str(out / "scene.mrb"),
        str(out / "figures" / "overview.png"),
        str(out / "figures" / "01_lobaplatin_lipiodol_gelatin_sponge_axial.png"),
        str(out / "figures" / "01_lobaplatin_lipiodol_gelatin_sponge_coronal.png"),
    ]
    assert sorted(p.name for p in out.iterdir()) == ["figures", "scene.mrb"]
    assert "drawing protocol 1" in told
    # Progress and nothing else: VTK's complaints would worry a user.
    assert all(line.startswith("[") for line in told.splitlines()), told


def test_the_saved_scene_opens_with_all_it_held(written, slicer_app, pristine_run):
    out, _, _ = written
    assert slicer_app.io_manager.load_scene(out / "scene.mrb")
    scene = slicer_app.scene
    nodes = {}
    for index in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(index)
        role = node.GetAttribute("MeWM.Role")
        if role:
            nodes[role, node.GetAttribute("MeWM.Rank")] = node
    assert set(nodes) == {
        *((role, None) for role in ("pre", "lesion", "ranking", "notice")),
        *((role, rank) for role in ("simulated", "difference", "tissue") for rank in ("1", "2")),
    }

    sitk = pytest.importorskip("SimpleITK")
    run = read_run(pristine_run)
    files = {("pre", None): run.pre_ct}
    files |= {("simulated", str(kept.rank)): kept.simulated_ct for kept in run.protocols}
    for key, file in files.items():
        image = sitk.ReadImage(str(file))
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(nodes[key]), sitk.GetArrayFromImage(image))
        np.testing.assert_allclose(nodes[key].GetSpacing(), image.GetSpacing())
        x, y, z = image.GetOrigin()
        np.testing.assert_allclose(nodes[key].GetOrigin(), (-x, -y, z))

    segmentation = nodes["tissue", "1"].GetSegmentation()
    names = [segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())]
    assert names == [name for name, _ in appearance.TISSUES.values()]
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(run.protocols[0].tissue)))
    lipiodol = segmentation.GetSegmentIdBySegmentName("Lipiodol")
    array = slicer.vtkOrientedImageData()
    nodes["tissue", "1"].GetBinaryLabelmapRepresentation(lipiodol, array)
    from vtkmodules.util.numpy_support import vtk_to_numpy

    assert (vtk_to_numpy(array.GetPointData().GetScalars()) > 0).sum() == (labels == 4).sum()

    table = nodes["ranking", None].GetTable()
    assert table.GetNumberOfRows() == 3
    assert table.GetValueByName(0, "protocol").ToString() == run.protocols[0].text
    assert table.GetValueByName(1, "risk").ToDouble() == pytest.approx(-0.2)
    assert run.notice in nodes["notice", None].GetText()
    change = nodes["difference", "1"].GetDisplayNode()
    assert change.GetColorNode().GetName() == "MeWM difference"
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.GetItemByName("MeWM phantom 2025-01-02T03:04")
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes["pre", None])) == folder


def test_the_saved_scene_opens_side_by_side_on_the_lesion(written, slicer_app, pristine_run):
    out, _, _ = written
    slicer_app.io_manager.load_scene(out / "scene.mrb")
    scene = slicer_app.scene
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView
    x, y, z = read_run(pristine_run).centre_lps
    shown = {}
    for name in ("Red", "Yellow"):
        composite = scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
        shown[name] = scene.GetNodeByID(composite.GetBackgroundVolumeID()).GetAttribute("MeWM.Role")
        assert composite.GetLinkedControl()
        slice_node = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        assert slice_node.GetLayoutLabel() == name[0]
        assert slice_node.GetOrientation() == "Axial"
        matrix = slice_node.GetSliceToRAS()
        # The patient's right is on the screen's left, anterior is up: a radiologist's view from the feet.
        assert [round(matrix.GetElement(row, 0)) for row in range(3)] == [-1, 0, 0]
        assert [round(matrix.GetElement(row, 1)) for row in range(3)] == [0, 1, 0]
        middle = [matrix.GetElement(row, 3) for row in range(3)]
        assert np.allclose(middle, (-x, -y, z), atol=4.0)
    assert shown == {"Red": "pre", "Yellow": "simulated"}


@pytest.mark.parametrize("index", [2, 3])
def test_a_picture_shows_the_same_place_three_times_with_outlines(written, index):
    picture = _pixels(written[1][index])
    pre, simulated, difference = _panels(picture)
    colours = dict(appearance.TISSUES.values())
    assert _has(pre, appearance.LESION[1])
    assert not _has(simulated, appearance.LESION[1])
    for name in ("Viable tumour", "Necrosis", "Lipiodol"):
        assert _has(simulated, colours[name])
        assert not _has(pre, colours[name])
    assert not _has(simulated, colours["Liver"])
    assert _has(difference, appearance.difference_colour(315)[:3])
    assert _has(difference, appearance.difference_colour(-95)[:3])
    # Away from the lesion nothing was simulated: the three panels are the same picture of the same place.
    corner = np.s_[60:160, 60:160]
    assert pre[corner].std() > 0.005
    np.testing.assert_allclose(simulated[corner], pre[corner], atol=0.005)
    np.testing.assert_allclose(difference[corner], pre[corner], atol=0.005)
    # The lesion, dark core in a bright rim before, is filled with Lipiodol after.
    middle = np.s_[280:300, 290:310]
    assert simulated[middle].mean() > 0.9 > pre[middle].mean()


def test_the_overview_holds_the_present_and_the_best_future(written):
    picture = _pixels(written[1][1])
    assert picture.shape[1] == 2 * 20 + 2 * 600 + 8
    assert _has(picture[110:700, 20:620], appearance.LESION[1])
    assert _has(picture[110:700, 628:1228], appearance.TISSUES[4][1])


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path, pristine_run):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    done = _command(pristine_run, "--out", tmp_path / "file")
    assert done.returncode == 2
    progress = [line for line in done.stderr.splitlines() if line.startswith("[")]
    (told,) = [line for line in done.stderr.splitlines() if line not in progress]
    assert told.startswith("error: ") and str(tmp_path / "file") in told


def test_without_the_scene_packages_the_command_to_install_them_is_named(run_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "trame_slicer.core", None)
    with pytest.raises(MewmError, match=r"pip install -e '.\[scene\]'"):
        render_run(run_folder)
    assert not (run_folder / "figures").exists()


def test_mistakes_are_told_in_one_line(tmp_path, run_folder):
    done = _command(tmp_path / "nowhere")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: There is no run folder") and done.stderr.count("\n") == 1
    with pytest.raises(InputError, match="--top is 0"):
        render_run(run_folder, top=0)
    file = run_folder / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8")) | {"protocols": []}
    file.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(InputError, match="kept no simulated volumes"):
        render_run(run_folder)
    assert not (run_folder / "figures").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="off-screen drawing needs no package elsewhere")
def test_without_opengl_the_packages_to_install_are_named(run_folder):
    for library in ("libOSMesa.so", "libOSMesa.so.8", "libOSMesa.so.6"):
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        pytest.skip("OSMesa is installed, so there is always an OpenGL")
    done = _command(
        run_folder, __EGL_VENDOR_LIBRARY_DIRS="/nonexistent", VTK_DEFAULT_OPENGL_WINDOW="vtkEGLRenderWindow"
    )
    assert done.returncode == 2
    assert "libegl1 libgl1-mesa-dri" in done.stderr
    assert not (run_folder / "scene.mrb").exists()
