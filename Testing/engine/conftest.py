"""Fixtures for the engine's tests."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def _load_phantoms() -> ModuleType:
    spec = importlib.util.spec_from_file_location("phantoms", Path(__file__).with_name("phantoms.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def phantoms() -> ModuleType:
    """The module of synthetic abdomens: ``phantoms.make_phantom_case(size=96, spacing=..., seed=0)``."""
    return _load_phantoms()


@pytest.fixture(scope="session")
def phantom_case(phantoms):
    """One synthetic case: 144 mm cube, liver of 95 HU, lesion of 24 mm with a dark core."""
    return phantoms.make_phantom_case()
