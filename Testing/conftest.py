"""Fixtures shared by every room: real data where it exists, with a plain reason where it does not."""

import importlib
import os
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real reference data, or skip."""
    folder = Path(os.environ.get("MEWM_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set MEWM_REAL_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def lits117() -> tuple[Path, Path]:
    """CT and label file of LiTS case 117 from the PyPI package, or skip. The files state no spacing."""
    spec = util.find_spec("liver_ct_segmentation_package")
    if spec is None or spec.origin is None:
        pytest.skip("liver-ct-segmentation-package is not installed; `make setup` installs it")
    data = Path(spec.origin).parent / "data"
    return data / "img_117.mrc", data / "lab_117.mrc"


@pytest.fixture(scope="session")
def phantoms() -> ModuleType:
    """The module of synthetic abdomens: ``phantoms.make_phantom_case(size=96, spacing=..., seed=0)``."""
    return importlib.import_module("phantoms")


@pytest.fixture(scope="session")
def phantom_case(phantoms):
    """One synthetic case: 144 mm cube, liver of 95 HU, lesion of 24 mm with a dark core."""
    return phantoms.make_phantom_case()
