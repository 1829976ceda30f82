"""A real Slicer scene without its window, and small run folders made from a phantom."""

import importlib.util
import shutil
from pathlib import Path

import pytest

MODULE = Path(__file__).resolve().parents[2] / "MeWMExtension" / "MeWMModule"


def _load_phantom_run():
    path = MODULE / "Testing" / "Python" / "phantom_run.py"
    spec = importlib.util.spec_from_file_location("phantom_run", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def phantom_run():
    """The writer of phantom runs that the self-test inside Slicer uses too."""
    return _load_phantom_run()


@pytest.fixture(scope="session")
def pristine_run(tmp_path_factory, phantom_run):
    """A small complete run that no test may change."""
    folder = tmp_path_factory.mktemp("phantom") / "run"
    phantom_run.write_run(folder)
    return folder


@pytest.fixture
def run_folder(tmp_path, pristine_run):
    """A small complete run of the test's own."""
    return shutil.copytree(pristine_run, tmp_path / "run")


@pytest.fixture
def slicer_app():
    """Slicer's scene and logic from PyPI's slicer-core."""
    pytest.importorskip("trame_slicer", reason="the 'scene' extra is not installed; `make setup` installs it")
    from MeWMModuleLib.opengl import ensure_offscreen_opengl, quiet

    ensure_offscreen_opengl()
    from trame_slicer.core import SlicerApp

    app = SlicerApp()
    yield app
    with quiet():
        app.scene.Clear(True)


@pytest.fixture
def scene(slicer_app):
    return slicer_app.scene
